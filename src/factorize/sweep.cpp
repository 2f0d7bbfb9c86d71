#include "factorize/sweep.h"

#include <algorithm>
#include <cmath>

#include "factorize/simd.h"
#include "linalg/gemm.h"

namespace addend {
namespace {

// A column of a smaller scale is left as if its scale were zero: nothing in it matters.
constexpr float kNegligible = 1e-20f;

float Inverse(float c) {
  return std::abs(c) > kNegligible ? 1 / c : 0;
}

// beta / mean diag q: what turns a force into the argument of tanh.
float Gain(ConstMatrixView q, const SweepRule& rule) {
  double trace = 0;
  for (size_t k = 0; k < q.rows; ++k) trace += q(k, k);
  return trace > 0 ? static_cast<float>(rule.beta * static_cast<double>(q.rows) / trace) : 0;
}

ADDEND_LOOP void SignOf(const float& z, float& s) {
  s = std::copysign(1.0f, z);
}
template <typename V>
ADDEND_LOOP void SignOf(const V& z, V& s) {
  s = z >= 0 ? V{} + 1 : V{} - 1;
}

template <typename T>
ADDEND_LOOP void Update(const T& z, bool hard, T& s) {
  if (hard) {
    SignOf(z, s);
  } else {
    FastTanh(z, s);
  }
}

// q times `gain`, in panels of P columns: [panel][row][P], zeros past the last column. Rows are padded with
// zeros to whole panels.
template <size_t P>
AlignedVector<float> PackPanels(ConstMatrixView q, float gain) {
  const size_t panels = (q.cols + P - 1) / P, rows = panels * P;
  AlignedVector<float> packed(panels * rows * P);
  for (size_t k = 0; k < q.rows; ++k) {
    for (size_t c = 0; c < q.cols; ++c) packed[(c / P * rows + k) * P + c % P] = gain * q(k, c);
  }
  return packed;
}

// ---- Independent columns: one column of S in each lane. ----

constexpr size_t kPanel = 8;  // entries of a column whose forces are in registers at once
constexpr size_t kMaxLanes = 32;

struct IndependentTask {
  const float* panels;  // PackPanels<kPanel>
  size_t rows;          // padded to whole panels
  float* f;             // [rows][lanes], already divided by c and times the gain
  float* s;             // [rows][lanes]
  bool hard;
  float memory;
};

struct IndependentLoop {
  // Two vectors of 16 or one of 8 lanes: with 8 forces for each, what the register file holds.
  template <size_t W>
  static constexpr size_t kVectors = W == 16 ? 2 : 1;

  template <size_t W>
  ADDEND_LOOP static void Run(const IndependentTask* task) {
    constexpr size_t kVecs = kVectors<W>, kLanes = W * kVecs;
    for (size_t first = 0; first < task->rows; first += kPanel) {
      const float* panel = task->panels + first * task->rows;
      Vec<W> force[kPanel][kVecs];
      for (size_t c = 0; c < kPanel; ++c) {
        for (size_t v = 0; v < kVecs; ++v) Load<W>(task->f + (first + c) * kLanes + v * W, force[c][v]);
      }
      for (size_t k = 0; k < task->rows; ++k) {
        Vec<W> s[kVecs];
        for (size_t v = 0; v < kVecs; ++v) Load<W>(task->s + k * kLanes + v * W, s[v]);
        for (size_t c = 0; c < kPanel; ++c) {
          for (size_t v = 0; v < kVecs; ++v) force[c][v] -= panel[k * kPanel + c] * s[v];
        }
      }
      const float* diagonal_block = panel + first * kPanel;
      for (size_t c = 0; c < kPanel; ++c) {
        for (size_t v = 0; v < kVecs; ++v) {
          float* address = task->s + (first + c) * kLanes + v * W;
          Vec<W> old, s;
          Load<W>(address, old);
          const Vec<W> z = force[c][v] + task->memory * diagonal_block[c * kPanel + c] * old;
          Update(z, task->hard, s);
          Store<W>(s, address);
          const Vec<W> change = s - old;
          for (size_t later = c + 1; later < kPanel; ++later) {
            force[later][v] -= diagonal_block[c * kPanel + later] * change;
          }
        }
      }
    }
  }
};

// How many columns one task takes on this CPU.
size_t IndependentLanes() {
  switch (CurrentTarget()) {
    case Target::kAvx512:
      return 16 * IndependentLoop::kVectors<16>;
    case Target::kAvx2:
      return 8 * IndependentLoop::kVectors<8>;
    default:
      return 4 * IndependentLoop::kVectors<4>;
  }
}

// ---- Coupled columns: one column at a time, its entries in the lanes. ----

constexpr size_t kSpan = 16;     // entries whose forces are in registers at once
constexpr size_t kColumns = 64;  // columns between two products with the metric

struct CoupledTask {
  const float* panels;  // PackPanels<kSpan> of q
  size_t rows;          // padded to whole panels
  const float* f;       // [rows], of this column, times the gain
  float c;
  float* u;  // [rows]: sum over columns j of s_j c_j H_ji, kept up to date for this column's own changes
  float* s;  // [rows]
  size_t passes;
  bool hard;
  float memory;
};

struct CoupledLoop {
  // z: the forces of kSpan entries from `first` on, divided by c; the reaction of each on itself is in them.
  template <size_t W>
  ADDEND_LOOP static void Forces(const CoupledTask* task, size_t first, float inverse_c, float* z) {
    constexpr size_t kVecs = kSpan / W, kChains = 4;  // independent sums, to hide the latency of additions
    const float* panel = task->panels + first * task->rows;
    Vec<W> sum[kChains][kVecs] = {};
    for (size_t k = 0; k < task->rows; k += kChains) {
      for (size_t chain = 0; chain < kChains; ++chain) {
        for (size_t v = 0; v < kVecs; ++v) {
          Vec<W> q;
          Load<W>(panel + (k + chain) * kSpan + v * W, q);
          sum[chain][v] += q * task->u[k + chain];
        }
      }
    }
    for (size_t v = 0; v < kVecs; ++v) {
      Vec<W> f;
      Load<W>(task->f + first + v * W, f);
      const Vec<W> force = inverse_c * (f - ((sum[0][v] + sum[1][v]) + (sum[2][v] + sum[3][v])));
      Store<W>(force, z + v * W);
    }
  }

  template <size_t W>
  ADDEND_LOOP static void Run(const CoupledTask* task) {
    constexpr size_t kVecs = kSpan / W;
    const float inverse_c = task->c != 0 ? 1 / task->c : 0;
    for (size_t pass = 0; pass < task->passes; ++pass) {
      for (size_t first = 0; first < task->rows; first += kSpan) {
        const float* block = task->panels + first * task->rows + first * kSpan;
        alignas(64) float z[kSpan];
        Forces<W>(task, first, inverse_c, z);
        float force = z[0];
        for (size_t k = 0; k < kSpan; ++k) {
          float& entry = task->s[first + k];
          float s;
          Update(force + task->memory * block[k * kSpan + k] * entry, task->hard, s);
          const float change = s - entry;
          entry = s;
          task->u[first + k] += task->c * change;
          // The next force on its own: everything waits for it, and not for the vectors to come back from
          // memory.
          if (k + 1 < kSpan) force = z[k + 1] - change * block[k * kSpan + k + 1];
          for (size_t v = 0; v < kVecs; ++v) {
            Vec<W> later, q;
            Load<W>(z + v * W, later);
            Load<W>(block + k * kSpan + v * W, q);
            Store<W>(later - change * q, z + v * W);
          }
        }
      }
    }
  }
};

// to[i] += factor * from[i]
struct AxpyLoop {
  template <size_t W>
  ADDEND_LOOP static void Run(float factor, const float* from, float* to, size_t count) {
    for (size_t i = 0; i < count; ++i) to[i] += factor * from[i];
  }
};

}  // namespace

void SweepIndependent(ConstMatrixView q, ConstMatrixView f, std::span<const float> c, const SweepRule& rule,
                      MatrixView s, ThreadPool& pool) {
  const float gain = Gain(q, rule);
  const AlignedVector<float> panels = PackPanels<kPanel>(q, gain);
  const size_t rows = (q.rows + kPanel - 1) / kPanel * kPanel, lanes = IndependentLanes();
  pool.For((s.cols + lanes - 1) / lanes, [&](size_t group) {
    const size_t first = group * lanes, count = std::min(lanes, s.cols - first);
    AlignedVector<float> group_f(rows * lanes), group_s(rows * lanes);
    float scale[kMaxLanes];
    for (size_t i = 0; i < count; ++i) scale[i] = gain * Inverse(c[first + i]);
    for (size_t k = 0; k < q.rows; ++k) {
      for (size_t i = 0; i < count; ++i) group_f[k * lanes + i] = f(k, first + i) * scale[i];
      std::copy_n(&s(k, first), count, &group_s[k * lanes]);
    }
    const IndependentTask task = {panels.data(),  rows,      group_f.data(),
                                  group_s.data(), rule.hard, rule.memory};
    RunForTarget<IndependentLoop>(&task);
    for (size_t k = 0; k < q.rows; ++k) std::copy_n(&group_s[k * lanes], count, &s(k, first));
  });
}

void SweepCoupled(ConstMatrixView q, ConstMatrixView f_t, std::span<const float> c, ConstMatrixView metric,
                  const SweepRule& rule, size_t passes, MatrixView s, ThreadPool& pool) {
  const float gain = Gain(q, rule);
  const AlignedVector<float> panels = PackPanels<kSpan>(q, gain);
  const size_t rank = q.rows, rows = (rank + kSpan - 1) / kSpan * kSpan, n = s.cols;

  // Everything with one column of S in a row, padded with zeros.
  Matrix entries(n, rows), scaled(n, rows), forces(n, rows);  // s, c s and f
  for (size_t j = 0; j < n; ++j) {
    for (size_t k = 0; k < rank; ++k) {
      entries(j, k) = s(k, j);
      scaled(j, k) = c[j] * s(k, j);
      forces(j, k) = gain * f_t(j, k);
    }
  }
  Matrix u(kColumns, rows);
  AlignedVector<float> change(rows);
  for (size_t first = 0; first < n; first += kColumns) {
    const size_t count = std::min(kColumns, n - first);
    Gemm(Op::kNone, metric.Rows(first, count), Op::kNone, scaled, u.view().Rows(0, count), pool);
    for (size_t j = first; j < first + count; ++j) {
      const CoupledTask task = {panels.data(),
                                rows,
                                forces.Row(j).data(),
                                std::abs(c[j]) > kNegligible ? c[j] : 0,
                                u.Row(j - first).data(),
                                entries.Row(j).data(),
                                passes,
                                rule.hard,
                                rule.memory};
      RunForTarget<CoupledLoop>(&task);
      for (size_t k = 0; k < rows; ++k) {
        const float now = c[j] * entries(j, k);
        change[k] = now - scaled(j, k);
        scaled(j, k) = now;
      }
      for (size_t later = j + 1; later < first + count; ++later) {
        RunForTarget<AxpyLoop>(metric(later, j), static_cast<const float*>(change.data()),
                               u.Row(later - first).data(), rows);
      }
    }
  }
  for (size_t k = 0; k < rank; ++k) {
    for (size_t j = 0; j < n; ++j) s(k, j) = entries(j, k);
  }
}

}  // namespace addend
