// `addend eval -f TEXT`: perplexity, and divergence from the reference.
#include <cmath>

#include "cli/eval_parts.h"
#include "cli/output.h"
#include "evaluate/perplexity.h"

namespace addend {
namespace {

// The divergence only when there is a reference.
struct Measured {
  PerplexityResult model;
  std::optional<DivergenceResult> divergence;
};

Measured Measure(const EvalArguments& arguments, const EvalInputs& inputs) {
  const PerplexityOptions options{
      .window = arguments.window, .bos = inputs.model->LeadingBos(), .kv_type = arguments.kv_type};
  const Progress progress = arguments.common.ConsoleProgress();
  Transformer& model = inputs.model->transformer;
  if (inputs.reference == nullptr) return {Perplexity(model, inputs.ids, options, progress), std::nullopt};
  const DivergenceResult divergence =
      Divergence(inputs.reference->transformer, model, inputs.ids, options, progress);
  return {divergence.other, divergence};
}

// JSON has no infinity, and for people the mean says more.
void RefuseOverflow(const Path& model, const PerplexityResult& result) {
  for (const ProtocolScore* score : {&result.hf, &result.llama_cpp}) {
    if (std::isfinite(score->Perplexity())) continue;
    throw Error(model.string(), ": its perplexity is too large for a number; the mean is ",
                score->negative_log_likelihood.mean(), " nats a token");
  }
}

Json ToJson(const ProtocolScore& score) {
  return {{"perplexity", score.Perplexity()},
          {"interval_95", ToJson(score.PerplexityInterval())},
          {"standard_error", score.StandardError()},
          {"window_standard_error", score.WindowStandardError()},
          {"predictions", score.negative_log_likelihood.count()}};
}

Json ToJson(const PerplexityResult& result) {
  return {{"hf", ToJson(result.hf)}, {"llama.cpp", ToJson(result.llama_cpp)}};
}

Json ToJson(const WindowedMean& mean, const std::optional<Interval>& interval) {
  return {{"mean", mean.mean()},
          {"interval_95", ToJson(interval)},
          {"standard_error", mean.standard_error()},
          {"window_standard_error", mean.window_standard_error()}};
}

Json ToJson(const ProtocolDivergence& divergence) {
  Json json = {{"kl", ToJson(divergence.kl, divergence.kl.interval())},
               {"same_top", ToJson(divergence.same_top, Share(divergence.same_top.interval()))},
               {"perplexity_ratio",
                {{"ratio", divergence.PerplexityRatio()},
                 {"interval_95", ToJson(divergence.PerplexityRatioInterval())}}}};
  json["kl"].update(Json{{"median", divergence.KlQuantile(0.5)},
                         {"percentile_99", divergence.KlQuantile(0.99)},
                         {"largest", divergence.KlQuantile(1)}});
  return json;
}

Json ToJson(const EvalArguments& arguments, size_t text_tokens, const Measured& measured) {
  Json json = {{"text", arguments.text.string()},
               {"text_tokens", text_tokens},
               {"window", measured.model.window},
               {"windows", measured.model.windows},
               {"perplexity", ToJson(measured.model)}};
  if (measured.divergence) {
    json["reference_perplexity"] = ToJson(measured.divergence->reference);
    json["divergence"] = {{"hf", ToJson(measured.divergence->hf)},
                          {"llama.cpp", ToJson(measured.divergence->llama_cpp)}};
  }
  return json;
}

// `more`: a column behind the interval; may be empty.
std::string ValueRow(const char* name, const char* protocol, double value,
                     const std::optional<Interval>& interval, const std::string& more) {
  const int width = more.empty() ? 0 : 24;
  return Format("  %-10s %-10s %10.4f   %-*s%s\n", name, protocol, value, width, ToText(interval, 4).c_str(),
                more.c_str());
}

// One row for each protocol, by row(protocol's name, protocol's part of the result).
template <typename Result, typename Row>
std::string BothRows(const Result& result, Row&& row) {
  return row("hf", result.hf) + row("llama.cpp", result.llama_cpp);
}

std::string PerplexityRows(const char* name, const PerplexityResult& result) {
  return BothRows(result, [&](const char* protocol, const ProtocolScore& score) {
    return ValueRow(name, protocol, score.Perplexity(), score.PerplexityInterval(),
                    Format("+- %.4f", score.StandardError()));
  });
}

std::string RatioRows(const DivergenceResult& result) {
  return BothRows(result, [](const char* protocol, const ProtocolDivergence& divergence) {
    return ValueRow("ratio", protocol, divergence.PerplexityRatio(), divergence.PerplexityRatioInterval(),
                    "");
  });
}

std::string DivergenceRows(const DivergenceResult& result) {
  const auto kl = [](const char* protocol, const ProtocolDivergence& divergence) {
    return ValueRow("KL", protocol, divergence.kl.mean(), divergence.kl.interval(),
                    Format("%.4f, %.3f, %.3f", divergence.KlQuantile(0.5), divergence.KlQuantile(0.99),
                           divergence.KlQuantile(1)));
  };
  const auto same_top = [](const char* protocol, const ProtocolDivergence& divergence) {
    return ValueRow("same top", protocol, divergence.same_top.mean(), Share(divergence.same_top.interval()),
                    "");
  };
  return BothRows(result, kl) + BothRows(result, same_top);
}

std::string ToText(const EvalArguments& arguments, size_t text_tokens, const Measured& measured) {
  const PerplexityResult& model = measured.model;
  std::string text = OneLine(arguments.text.string());
  text +=
      Format(": %zu windows of %zu tokens, of %zu in the text\n\n", model.windows, model.window, text_tokens);
  text += Format("  %-10s %-10s %10s   %-22s  %s\n", "", "protocol", "perplexity", "95 % by windows",
                 "standard error");
  text += PerplexityRows("model", model);
  if (!measured.divergence) return text;
  const DivergenceResult& divergence = *measured.divergence;
  text += PerplexityRows("reference", divergence.reference) + RatioRows(divergence);
  text += Format("\n  %-10s %-10s %10s   %-22s  %s\n", "from it", "", "mean", "95 % by windows",
                 "median, 99 %, largest");
  return text + DivergenceRows(divergence);
}

}  // namespace

EvalPart EvaluateText(const EvalArguments& arguments, const EvalInputs& inputs) {
  const Measured measured = Measure(arguments, inputs);
  RefuseOverflow(arguments.model, measured.model);
  if (measured.divergence) RefuseOverflow(arguments.reference, measured.divergence->reference);
  return {ToJson(arguments, inputs.text_tokens, measured), ToText(arguments, inputs.text_tokens, measured)};
}

}  // namespace addend
