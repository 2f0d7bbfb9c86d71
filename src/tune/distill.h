// Whole-model distillation: minimises KL(dense || compressed) of the next-token predictions over every a, mid
// and b of every factored linear, the final norm's gain, and the signs. Source: the last stage of Double
// Binary Factorization (arXiv 2505.11076, section 4) and of NanoQuant. How scales move: scale_gains.h; how
// signs move: sign_latents.h.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "base/progress.h"
#include "base/threads.h"
#include "calibrate/calibration_text.h"
#include "model/model.h"
#include "tune/sign_latents.h"

namespace addend {

// One point of the learning curve.
struct DistillPoint {
  size_t step = 0;
  double seconds = 0;   // of wall clock since the start of distillation
  double held_out = 0;  // mean KL on the held-out sequences, nats a token
};

// Everything that a later process needs to go on with the same result bit for bit.
struct DistillState {
  size_t step = 0;         // steps done
  size_t total_steps = 0;  // 0: not decided yet
  double seconds = 0;
  std::vector<float> gains, first_moments, second_moments;
  std::vector<float> best_gains;
  // A and B of each factored linear in order; empty when signs stay.
  std::vector<SignLatents::State> latents;
  std::vector<SignMatrix> best_signs;
  std::vector<DistillPoint> curve;
};

struct DistillOptions {
  size_t steps = 0;  // how many; 0: as many as fit into `seconds`
  double seconds =
      0;  // a time budget. What fits is measured on the first tenth of it, then fixed and part of the state.
  size_t batch = 2;  // sequences a step
  // For their course see schedule.h.
  double learning_rate = 0;  // of the gains; 0 = by the held-out KL at the start
  // Signs move after the first tenth of the steps, when the scales have settled.
  bool trains_signs = false;
  double sign_learning_rate = 0;  // of the latents; 0 = by the number of steps
  std::optional<DistillState> resume;
  // Called every so often, and when the number of steps is decided, with what `resume` takes.
  std::function<void(const DistillState&)> save;
  double save_seconds = 120;
};

struct DistillResult {
  size_t steps = 0;
  size_t changed_signs = 0;  // between start and end
  double seconds = 0;
  std::vector<DistillPoint> curve;  // the first is before the first step
};

// Tunes `student` in place and rounds its scales to fp16; keeps the best by the held-out KL, so it is
// never worse there than before. `teacher` is the dense model. With neither steps nor seconds it only
// measures.
DistillResult Distill(Model& student, const Model& teacher, const CalibrationText& text,
                      const DistillOptions& options, ThreadPool& pool, const Progress& progress);

}  // namespace addend
