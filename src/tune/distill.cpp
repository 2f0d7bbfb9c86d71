#include "tune/distill.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/error.h"
#include "base/interrupt.h"
#include "train/adam.h"
#include "train/train_model.h"
#include "tune/block_signs.h"
#include "tune/scale_gains.h"
#include "tune/schedule.h"
#include "tune/teacher.h"

namespace addend {
namespace {

// The gains' learning rate for each nat of held-out KL at the start, and its limit: a student that is near to
// the original would be thrown back by large steps (docs/results.md).
constexpr double kRatePerNat = 2.5e-3, kMostRate = 1e-2;
constexpr double kScalesAlone = 0.1;  // of the steps, at the beginning
constexpr size_t kHeldOutChecks = 5;  // over the whole run, beside the one before it

class Distillation {
 public:
  Distillation(Model& student, const Model& teacher, const CalibrationText& text,
               const DistillOptions& options, ThreadPool& pool, const Progress& progress)
      : student_(student),
        text_(text),
        options_(options),
        progress_(progress),
        workspace_(pool),
        trained_(student),
        gains_(trained_),
        head_gradients_(trained_.head().MakeGradients()),
        embedding_gradient_(trained_.embedding().MakeGradient()),
        training_teacher_(teacher, text.training, pool),
        held_out_teacher_(teacher, text.held_out, pool) {
    if (options.trains_signs) signs_.emplace(trained_.blocks(), student.blocks);
    if (options.resume) Restore(*options.resume);
  }

  DistillResult Run() {
    const double begin = WallSeconds() - state_.seconds;
    double saved = WallSeconds();
    if (state_.step == 0) {
      state_.total_steps = options_.steps;
      CheckHeldOut();
    }
    while (!Finished()) {
      if (InterruptRequested()) SaveAndStop();
      TakeStep();
      state_.seconds = WallSeconds() - begin;
      const bool decided = DecideTotalSteps();
      if (CheckIsDue()) CheckHeldOut();
      if (options_.save && (decided || WallSeconds() - saved >= options_.save_seconds)) {
        options_.save(Snapshot());
        saved = WallSeconds();
      }
      ReportStep();
    }
    gains_.values = state_.best_gains;
    gains_.Apply();
    CopyScales(trained_, student_);
    const size_t changed = signs_ ? ReplaceSigns(state_.best_signs, student_.blocks) : 0;
    return {.steps = state_.step, .changed_signs = changed, .seconds = state_.seconds, .curve = state_.curve};
  }

 private:
  bool Finished() const {
    if (state_.total_steps > 0) return state_.step >= state_.total_steps;
    return options_.seconds <= 0;
  }

  void SaveAndStop() {
    if (options_.save && state_.step > 0) options_.save(Snapshot());
    ThrowIfInterrupted();
  }

  void TakeStep() {
    const Matrix normed = TakeBatch();
    const double begin = WallSeconds();
    const double rate = RateFactor(state_.step, state_.total_steps);
    const double sign_rate = SignLearningRate(options_.sign_learning_rate, state_.total_steps);
    const double loss = ForwardAndBackward(normed, SignsMove() ? rate * sign_rate : 0);
    gains_.Step(adam_, rate * LearningRate());
    ++state_.step;
    step_seconds_ += WallSeconds() - begin;
    ++timed_steps_;
    smoothed_loss_ = smoothed_loss_ == 0 ? loss : 0.9 * smoothed_loss_ + 0.1 * loss;
  }

  // Sets ids_ to the sequences of this step; returns what the teacher says about them. New ones as long as
  // there are any: to come back to some would save the teacher's time, but is worse on other text
  // (docs/results.md).
  Matrix TakeBatch() {
    const size_t length = text_.length;
    ids_.clear();
    Matrix normed(options_.batch * length, student_.config.hidden);
    for (size_t i = 0; i < options_.batch; ++i) {
      const size_t index = (state_.step * options_.batch + i) % text_.training.size();
      const std::vector<TokenId>& sequence = text_.training[index];
      ids_.insert(ids_.end(), sequence.begin(), sequence.end());
      training_teacher_.Normed(index, normed.view().Rows(i * length, length));
    }
    return normed;
  }

  // Sets the gradient of the gains; signs move as soon as their block's gradients are there. Returns the
  // loss.
  double ForwardAndBackward(const Matrix& normed, double sign_rate) {
    const Matrix& hidden = trained_.Forward(ids_, text_.length, &tape_, workspace_);
    head_gradients_.SetZero();
    const double loss = trained_.head().KlDivergence(hidden, normed, training_teacher_.head(), &dx_,
                                                     &head_gradients_, workspace_);
    if (!std::isfinite(loss)) throw Error("distillation: the loss of step ", state_.step, " is not finite");
    // While the number of steps is being decided, signs are trained at a rate of zero: it takes the same
    // time.
    const bool wants_signs = signs_ && (state_.total_steps == 0 || SignsMove());
    const auto take_block = [&](size_t block, const BlockGradients& gradients) {
      gains_.SetGradient(block, gradients);
      if (wants_signs) signs_->Step(block, gradients, static_cast<float>(sign_rate), workspace_.pool);
    };
    trained_.Backward(tape_, &dx_, wants_signs, take_block, workspace_);
    SetOuterGradients();
    return loss;
  }

  // Of embedding and head. A tied head's scales are the embedding's too.
  void SetOuterGradients() {
    const TrainEmbedding& embedding = trained_.embedding();
    embedding_gradient_.SetZero();
    embedding.AddGradient(ids_, dx_, embedding.tied() ? &head_gradients_.factors : &embedding_gradient_,
                          workspace_);
    gains_.SetGradient(head_gradients_);
    if (!embedding.tied()) gains_.SetEmbeddingGradient(embedding_gradient_);
  }

  bool SignsMove() const {
    return state_.total_steps > 0 &&
           static_cast<double>(state_.step) >= kScalesAlone * static_cast<double>(state_.total_steps);
  }

  double LearningRate() const {
    if (options_.learning_rate > 0) return options_.learning_rate;
    return std::min(kMostRate, kRatePerNat * state_.curve.front().held_out);
  }

  // With a time budget: after a tenth of it and a few steps, how many the whole will hold. True when it was
  // decided now.
  bool DecideTotalSteps() {
    if (state_.total_steps > 0 || state_.seconds < 0.1 * options_.seconds || state_.step < kWarmUpSteps)
      return false;
    state_.total_steps = std::max(state_.step, StepsIn(options_.seconds - kHeldOutChecks * check_seconds_));
    return true;
  }

  // A step costs its own time, and each sequence once the teacher's.
  size_t StepsIn(double seconds) const {
    const double teaching = training_teacher_.seconds() / static_cast<double>(training_teacher_.computed());
    const double step = step_seconds_ / static_cast<double>(timed_steps_);
    const auto batch = static_cast<double>(options_.batch),
               sequences = static_cast<double>(text_.training.size());
    const double with_new_text = seconds / (step + batch * teaching);
    const double steps =
        with_new_text * batch <= sequences ? with_new_text : (seconds - sequences * teaching) / step;
    return static_cast<size_t>(std::max(0.0, steps));
  }

  bool CheckIsDue() const {
    const size_t total = state_.total_steps;
    return total > 0 && (state_.step * kHeldOutChecks / total != (state_.step - 1) * kHeldOutChecks / total);
  }

  void CheckHeldOut() {
    const double begin = WallSeconds();
    const size_t length = text_.length;
    double sum = 0;
    Matrix normed(length, student_.config.hidden);
    for (size_t i = 0; i < text_.held_out.size(); ++i) {
      held_out_teacher_.Normed(i, normed);
      const Matrix& hidden = trained_.Forward(text_.held_out[i], length, &tape_, workspace_);
      sum += trained_.head().KlDivergence(hidden, normed, held_out_teacher_.head(), nullptr, nullptr,
                                          workspace_);
    }
    const DistillPoint point{state_.step, state_.seconds, sum / static_cast<double>(text_.held_out.size())};
    const bool best = std::all_of(state_.curve.begin(), state_.curve.end(),
                                  [&](const DistillPoint& other) { return point.held_out < other.held_out; });
    if (best) {
      state_.best_gains = gains_.values;
      if (signs_) state_.best_signs = signs_->Signs();
    }
    state_.curve.push_back(point);
    check_seconds_ = WallSeconds() - begin;
  }

  void ReportStep() const {
    char note[96];
    std::snprintf(note, sizeof note, "step %zu, KL %.3f (held out %.3f)", state_.step, smoothed_loss_,
                  state_.curve.back().held_out);
    if (state_.total_steps > 0) {
      Report(progress_,
             {"distil", static_cast<double>(state_.step), static_cast<double>(state_.total_steps), note});
    } else {
      Report(progress_, {"distil", state_.seconds / options_.seconds, 1.0, note});
    }
  }

  DistillState Snapshot() const {
    DistillState state = state_;
    state.gains = gains_.values;
    const AdamState::Moments& moments = adam_.state().moments.at(ScaleGains::kName);
    state.first_moments = moments.first;
    state.second_moments = moments.second;
    if (signs_) state.latents = signs_->States();
    return state;
  }

  void Restore(const DistillState& state) {
    const size_t size = gains_.values.size();
    for (const auto* vector :
         {&state.gains, &state.first_moments, &state.second_moments, &state.best_gains}) {
      if (vector->size() != size)
        throw Error("distillation: the saved state has ", vector->size(), " gains, not ", size);
    }
    if (signs_) signs_->Restore(state.latents);
    state_ = state;
    state_.latents.clear();  // they live in signs_
    gains_.values = state.gains;
    gains_.Apply();
    adam_.set_state(
        {.steps = state.step, .moments = {{ScaleGains::kName, {state.first_moments, state.second_moments}}}});
  }

  Model& student_;
  const CalibrationText& text_;
  const DistillOptions& options_;
  const Progress& progress_;
  Workspace workspace_;
  TrainModel trained_;
  ScaleGains gains_;
  std::optional<BlockSigns> signs_;  // when they train
  HeadGradients head_gradients_;
  LinearGradient embedding_gradient_;  // of an untied one
  Teacher training_teacher_, held_out_teacher_;
  Adam adam_;
  ModelTape tape_;
  Matrix dx_;
  std::vector<TokenId> ids_;
  DistillState state_;
  double smoothed_loss_ = 0;
  double step_seconds_ = 0;  // of this process, without the teacher's part
  size_t timed_steps_ = 0;
  double check_seconds_ = 0;  // of the last check
};

}  // namespace

DistillResult Distill(Model& student, const Model& teacher, const CalibrationText& text,
                      const DistillOptions& options, ThreadPool& pool, const Progress& progress) {
  return Distillation(student, teacher, text, options, pool, progress).Run();
}

}  // namespace addend
