// Elementwise and small reducing loops over float32 vectors: norms, gates, rope, softmax. Any lengths; every
// target gives the same result for the same input on any number of threads, but targets differ in the last
// bits. exp is computed here with a relative error below 3e-7 (for arguments in [-87, 88], and the values at
// these ends beyond them; NaN stays NaN).
#pragma once
#include <span>

namespace addend {

// y = x * gain / sqrt(mean(x^2) + epsilon). All of one length; y may be x.
void RmsNorm(std::span<const float> x, std::span<const float> gain, float epsilon, std::span<float> y);

// values <- exp(values - max) / sum. -infinity gives about 1e-38; at least one value must be finite.
void Softmax(std::span<float> values);

// y = silu(gate) * up, silu(g) = g / (1 + exp(-g)). y may be gate or up.
void SiluGate(std::span<const float> gate, std::span<const float> up, std::span<float> y);
// y = gelu(gate) * up, gelu(g) = g / 2 * (1 + tanh(sqrt(2 / pi) * (g + 0.044715 g^3))). y may be gate or up.
void GeluTanhGate(std::span<const float> gate, std::span<const float> up, std::span<float> y);

// values <- cap * tanh(values / cap), cap > 0.
void Softcap(float cap, std::span<float> values);

// Rotates the pairs (i, i + d/2) of a head of d values: a, b <- a cos - b sin, b cos + a sin.
// cosines, sines: d/2 values, of this position.
void Rope(std::span<float> head, std::span<const float> cosines, std::span<const float> sines);

float Dot(std::span<const float> a, std::span<const float> b);
void Axpy(float alpha, std::span<const float> x, std::span<float> y);  // y += alpha * x
void Scale(float alpha, std::span<float> values);                      // values *= alpha

}  // namespace addend
