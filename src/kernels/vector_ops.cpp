#include "kernels/vector_ops.h"

#include <cassert>

#include "kernels/simd_kernels.h"

namespace addend {
namespace {

const SimdKernels& Kernels() {
  return SimdKernelsFor(CurrentTarget());
}

}  // namespace

void RmsNorm(std::span<const float> x, std::span<const float> gain, float epsilon, std::span<float> y) {
  assert(gain.size() == x.size() && y.size() == x.size());
  Kernels().rms_norm(x.data(), gain.data(), x.size(), epsilon, y.data());
}

void Softmax(std::span<float> values) {
  Kernels().softmax(values.data(), values.size());
}

void SiluGate(std::span<const float> gate, std::span<const float> up, std::span<float> y) {
  assert(up.size() == gate.size() && y.size() == gate.size());
  Kernels().silu_gate(gate.data(), up.data(), gate.size(), y.data());
}

void GeluTanhGate(std::span<const float> gate, std::span<const float> up, std::span<float> y) {
  assert(up.size() == gate.size() && y.size() == gate.size());
  Kernels().gelu_tanh_gate(gate.data(), up.data(), gate.size(), y.data());
}

void Softcap(float cap, std::span<float> values) {
  Kernels().softcap(cap, values.data(), values.size());
}

void Rope(std::span<float> head, std::span<const float> cosines, std::span<const float> sines) {
  assert(head.size() == 2 * cosines.size() && sines.size() == cosines.size());
  Kernels().rope(head.data(), cosines.data(), sines.data(), cosines.size());
}

float Dot(std::span<const float> a, std::span<const float> b) {
  assert(a.size() == b.size());
  return Kernels().dot(a.data(), b.data(), a.size());
}

void Axpy(float alpha, std::span<const float> x, std::span<float> y) {
  assert(x.size() == y.size());
  Kernels().axpy(alpha, x.data(), x.size(), y.data());
}

void Scale(float alpha, std::span<float> values) {
  Kernels().scale(alpha, values.data(), values.size());
}

}  // namespace addend
