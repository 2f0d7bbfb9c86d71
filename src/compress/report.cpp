#include "compress/report.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/format.h"
#include "base/progress.h"

namespace addend {
namespace {

// "blk.12.attn_q" -> "attn_q"
std::string KindOf(const std::string& name) {
  return name.substr(name.rfind('.') + 1);
}

struct Group {
  size_t weights = 0;
  double bits = 0, weighted_error = 0, output_error = 0;  // sums, weighted by the weights
  void Add(const LinearReport& linear) {
    const auto count = static_cast<double>(linear.outputs * linear.inputs);
    weights += linear.outputs * linear.inputs;
    bits += linear.bits * count;
    weighted_error += linear.weighted_error * count;
    output_error += linear.output_error * count;
  }
  std::string Row(const std::string& name) const {
    const auto count = static_cast<double>(weights);
    return Format("  %-12s %8.2f M %8.3f %12.4f %12.4f %12.4f\n", name.c_str(), count / 1e6, bits / count,
                  weighted_error / count, output_error / count, std::exp2(-2 * bits / count));
  }
};

}  // namespace

Json LinearReport::ToJson() const {
  return {{"name", name},
          {"outputs", outputs},
          {"inputs", inputs},
          {"rank", rank},
          {"bits", bits},
          {"weighted_error", weighted_error},
          {"output_error", output_error},
          {"seconds", seconds}};
}

Json BlockReport::ToJson() const {
  return {{"block", block},
          {"error_before", error_before},
          {"error_after", error_after},
          {"changed_signs", changed_signs},
          {"seconds", seconds}};
}

Json CompressReport::ToJson() const {
  Json json = {
      {"file", file.string()},
      {"file_bytes", file_bytes},
      {"linear_weights", size.linear_weights},
      {"total_weights", size.total_weights},
      {"linear_bits_per_weight", size.linear_bits / static_cast<double>(size.linear_weights)},
      {"file_bits_per_weight",
       8.0 * static_cast<double>(file_bytes) / static_cast<double>(size.total_weights)},
      {"quality",
       {{"text", "test part of the calibration text"},
        {"tokens", quality.tokens},
        {"dense_perplexity", quality.dense_perplexity},
        {"perplexity", quality.perplexity},
        {"kl_divergence", quality.divergence},
        {"top1_agreement", quality.top1_agreement}}},
      {"block_tuning", Json::array()},
      {"distillation", {{"steps", distill.steps}, {"seconds", distill.seconds}, {"curve", Json::array()}}},
      {"stage_seconds", Json::object()},
      {"peak_memory_bytes", peak_memory_bytes},
      {"embeddings", Json::array()},
      {"linears", Json::array()}};
  for (const BlockReport& block : blocks) json["block_tuning"].push_back(block.ToJson());
  for (const DistillPoint& point : distill.curve) {
    json["distillation"]["curve"].push_back(
        {{"step", point.step}, {"seconds", point.seconds}, {"held_out_kl", point.held_out}});
  }
  for (const auto& [stage, seconds] : stage_seconds) json["stage_seconds"][stage] = seconds;
  for (const LinearReport& linear : embeddings) json["embeddings"].push_back(linear.ToJson());
  for (const LinearReport& linear : linears) json["linears"].push_back(linear.ToJson());
  return json;
}

std::string CompressReport::ToText() const {
  Group all;
  std::vector<std::string> kinds;
  std::map<std::string, Group> groups;
  for (const LinearReport& linear : linears) {
    const std::string kind = KindOf(linear.name);
    if (!groups.contains(kind)) kinds.push_back(kind);
    groups[kind].Add(linear);
    all.Add(linear);
  }
  std::string text = "  layers         weights     bits  weighted err   output err   2^(-2 bits)\n";
  for (const std::string& kind : kinds) text += groups[kind].Row(kind);
  text += all.Row("all linears");
  for (const LinearReport& linear : embeddings) {
    Group group;
    group.Add(linear);
    text += group.Row(linear.name);
  }
  const auto weights = static_cast<double>(size.total_weights);
  const double other_weights = weights - static_cast<double>(size.linear_weights);
  text += Format("  %-12s %8.2f M %8.3f\n", "the rest", other_weights / 1e6,
                 (size.total_bits - size.linear_bits) / other_weights);
  text += Format("  %-12s %8.2f M %8.3f   %s\n", "whole file", weights / 1e6,
                 8.0 * static_cast<double>(file_bytes) / weights,
                 SizeText(static_cast<double>(file_bytes)).c_str());
  text += Format(
      "\n  on %zu tokens of test text: perplexity %.2f (original %.2f), KL divergence %.3f, "
      "same top token %.1f %%\n",
      quality.tokens, quality.perplexity, quality.dense_perplexity, quality.divergence,
      100 * quality.top1_agreement);
  if (!blocks.empty()) {
    double before = 0, after = 0;
    for (const BlockReport& block : blocks) {
      before += block.error_before / static_cast<double>(blocks.size());
      after += block.error_after / static_cast<double>(blocks.size());
    }
    text += Format("  block tuning: mean held-out error of a block %.4f -> %.4f\n", before, after);
  }
  if (!distill.curve.empty()) {
    const DistillPoint best = *std::ranges::min_element(distill.curve, {}, &DistillPoint::held_out);
    text += Format("  distillation: %zu steps, held-out KL %.3f -> %.3f\n", distill.steps,
                   distill.curve.front().held_out, best.held_out);
  }
  text += "  time:";
  double total = 0;
  for (const auto& [stage, seconds] : stage_seconds) {
    if (seconds < 0.01) continue;  // there was nothing to do
    text += " " + stage + " " + DurationText(seconds) + ",";
    total += seconds;
  }
  text += " together " + DurationText(total) + "; peak memory " +
          SizeText(static_cast<double>(peak_memory_bytes)) + "\n";
  return text;
}

}  // namespace addend
