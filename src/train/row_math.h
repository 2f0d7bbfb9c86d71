// Inner loops over rows of floats that only training needs (others stand in kernels/vector_ops.h): plain
// loops that the compiler vectorises for several instruction sets, one of which is chosen when the program
// starts. All spans of a call have the same size. exp is accurate to 2^-23 and flushes below e^-87.
#pragma once
#include <span>

#include "model/config.h"

namespace addend {

float RowMax(std::span<const float> x);  // -infinity of an empty row
void Add(std::span<const float> x, std::span<const float> y, std::span<float> sum);  // which may be x or y
// product = scale * x * y, which may be x or y.
void Multiply(float scale, std::span<const float> x, std::span<const float> y, std::span<float> product);
// sum += scale * x * y.
void MultiplyAdd(float scale, std::span<const float> x, std::span<const float> y, std::span<float> sum);

// y = exp(x - shift), which may be x; returns the sum of y.
float ExpShifted(std::span<const float> x, float shift, std::span<float> y);
// Through the softcap: gradient *= 1 - (capped / cap)^2.
void SoftcapBackward(std::span<const float> capped, float cap, std::span<float> gradient);

// Of y = activation(gate) * up, from dy. d_gate and d_up may be gate and up themselves.
void GateBackward(Activation activation, std::span<const float> gate, std::span<const float> up,
                  std::span<const float> dy, std::span<float> d_gate, std::span<float> d_up);

// Softmax: ds = p * (dp - mean_dp), where mean_dp = sum of p * dp. ds may be dp.
void SoftmaxBackward(std::span<const float> p, float mean_dp, std::span<const float> dp, std::span<float> ds);

// KL(p || q) of p = exp(p_logits - p_norm) and q = exp(q_logits - q_norm), where the norms are log-sum-exps.
// gradient = weight * its gradient with respect to q_logits, and may be q_logits.
double DivergenceBackward(std::span<const float> p_logits, float p_norm, std::span<const float> q_logits,
                          float q_norm, float weight, std::span<float> gradient);

}  // namespace addend
