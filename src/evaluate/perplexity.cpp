#include "evaluate/perplexity.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <limits>
#include <string>
#include <vector>

#include "base/error.h"
#include "evaluate/windows.h"
#include "model/log_probability.h"

namespace addend {
namespace {

// Windows, and the positions in them from which on predictions count for each protocol.
struct Pass {
  Windows windows;
  size_t hf_from, llama_cpp_from;
  size_t FirstPosition() const { return std::min(hf_from, llama_cpp_from); }
};

std::vector<Pass> Passes(std::span<const TokenId> tokens, const PerplexityOptions& options) {
  constexpr size_t kNever = std::numeric_limits<size_t>::max();
  const size_t window = options.window;
  if (options.max_tokens > 0) tokens = tokens.first(std::min(tokens.size(), options.max_tokens));
  if (window < 2)
    throw Error("evaluation: windows of ", window, " tokens predict nothing, at least 2 are needed");
  if (tokens.size() < window) {
    throw Error("evaluation: the text has ", tokens.size(), " tokens, a window needs ", window);
  }
  const Windows plain{.tokens = tokens, .size = window, .first_token = {}, .kv_type = options.kv_type};
  if (!options.bos) return {{plain, 1, window / 2}};
  Windows with_bos = plain;
  with_bos.first_token = options.bos;
  return {{plain, 1, kNever}, {with_bos, kNever, window / 2}};
}

// One prediction, by one model or by two.
struct Measured {
  std::array<double, 2> negative_log_likelihood = {0, 0};
  double kl = 0;
  bool same_top = false;
  bool Finite() const { return std::isfinite(negative_log_likelihood[0] + negative_log_likelihood[1] + kl); }
};

Measured Measure(const Predictions& predictions, size_t row) {
  const TokenId target = predictions.targets[row];
  const LogProbabilities p(predictions.logits[0].Row(row));
  if (predictions.logits.size() == 1) return {.negative_log_likelihood = {-p[target], 0}};
  const LogProbabilities q(predictions.logits[1].Row(row));
  return {.negative_log_likelihood = {-p[target], -q[target]},
          .kl = KlDivergence(p, q),
          .same_top = p.MostLikely() == q.MostLikely()};
}

// A prediction is finite when the logits are.
[[noreturn]] void RefuseNonFinite(const Predictions& predictions, size_t row, size_t window_size) {
  const auto logits = predictions.logits[0].Row(row);
  const bool by_reference = predictions.logits.size() > 1 && FirstNonFinite(logits) != logits.size();
  const size_t position = predictions.first_position + row;
  throw Error("evaluation: the prediction by the ", by_reference ? "reference" : "model", " of position ",
              position, " in window ", predictions.window, " (token ",
              predictions.window * window_size + position, " of the text) is not a finite number");
}

void Add(const Measured& measured, ProtocolDivergence& divergence) {
  divergence.kl.Add(measured.kl);
  divergence.kl_values.push_back(static_cast<float>(measured.kl));
  divergence.same_top.Add(measured.same_top ? 1 : 0);
  divergence.log_ratio.Add(measured.negative_log_likelihood[1] - measured.negative_log_likelihood[0]);
}

void Record(const Pass& pass, size_t position, const Measured& measured, bool of_two,
            DivergenceResult& result) {
  const auto record = [&](ProtocolScore& reference, ProtocolScore& other, ProtocolDivergence& divergence) {
    reference.negative_log_likelihood.Add(measured.negative_log_likelihood[0]);
    if (!of_two) return;
    other.negative_log_likelihood.Add(measured.negative_log_likelihood[1]);
    Add(measured, divergence);
  };
  if (position >= pass.hf_from) record(result.reference.hf, result.other.hf, result.hf);
  if (position >= pass.llama_cpp_from)
    record(result.reference.llama_cpp, result.other.llama_cpp, result.llama_cpp);
}

std::string Note(const DivergenceResult& result, bool divergence) {
  char text[96];
  if (divergence) {
    std::snprintf(text, sizeof text, "KL divergence %.4f, same top token %.1f %%", result.hf.kl.mean(),
                  100 * result.hf.same_top.mean());
  } else {
    std::snprintf(text, sizeof text, "perplexity %.3f", result.reference.hf.Perplexity());
  }
  return text;
}

// With one model, `other` and the divergence stay without meaning.
DivergenceResult Evaluate(std::span<Transformer* const> models, std::span<const TokenId> tokens,
                          const PerplexityOptions& options, const Progress& progress) {
  const std::vector<Pass> passes = Passes(tokens, options);
  DivergenceResult result(options.window);
  const double total = static_cast<double>(passes.size() * passes[0].windows.count() * options.window);
  size_t passes_done = 0;
  for (const Pass& pass : passes) {
    const auto score = [&](const Predictions& predictions) {
      std::vector<Measured> measured(predictions.targets.size());
      models[0]->pool().For(measured.size(), [&](size_t row) { measured[row] = Measure(predictions, row); });
      for (size_t row = 0; row < measured.size(); ++row) {
        if (!measured[row].Finite()) RefuseNonFinite(predictions, row, options.window);
        Record(pass, predictions.first_position + row, measured[row], models.size() > 1, result);
      }
    };
    const auto batch_done = [&](size_t windows) {
      result.reference.windows = result.other.windows = windows;
      const double done =
          static_cast<double>((passes_done * pass.windows.count() + windows) * options.window);
      Report(progress, {"evaluate", done, total, Note(result, models.size() > 1)});
    };
    PredictWindows(models, pass.windows, pass.FirstPosition(), score, batch_done);
    ++passes_done;
  }
  return result;
}

std::optional<Interval> Exp(const std::optional<Interval>& interval) {
  if (!interval) return std::nullopt;
  return Interval{std::exp(interval->low), std::exp(interval->high)};
}

}  // namespace

double ProtocolScore::Perplexity() const {
  return std::exp(negative_log_likelihood.mean());
}

// d exp(x) = exp(x) dx
double ProtocolScore::StandardError() const {
  return Perplexity() * negative_log_likelihood.standard_error();
}
double ProtocolScore::WindowStandardError() const {
  return Perplexity() * negative_log_likelihood.window_standard_error();
}
std::optional<Interval> ProtocolScore::PerplexityInterval() const {
  return Exp(negative_log_likelihood.interval());
}

double ProtocolDivergence::KlQuantile(double share) const {
  std::vector<float> values = kl_values;
  return Quantile(values, share);
}
double ProtocolDivergence::PerplexityRatio() const {
  return std::exp(log_ratio.mean());
}
std::optional<Interval> ProtocolDivergence::PerplexityRatioInterval() const {
  return Exp(log_ratio.interval());
}

PerplexityResult Perplexity(Transformer& model, std::span<const TokenId> tokens,
                            const PerplexityOptions& options, const Progress& progress) {
  Transformer* const models[] = {&model};
  return Evaluate(models, tokens, options, progress).reference;
}

DivergenceResult Divergence(Transformer& reference, Transformer& other, std::span<const TokenId> tokens,
                            const PerplexityOptions& options, const Progress& progress) {
  if (reference.config().vocabulary != other.config().vocabulary) {
    throw Error("evaluation: the models' vocabularies differ: ", reference.config().vocabulary, " and ",
                other.config().vocabulary, " tokens");
  }
  Transformer* const models[] = {&reference, &other};
  return Evaluate(models, tokens, options, progress);
}

}  // namespace addend
