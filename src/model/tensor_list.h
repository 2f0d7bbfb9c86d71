// The one list of what a model consists of, for everything that goes through all of it: loading, saving,
// exporting, counting, checking. What differs from format to format is only the names.
#pragma once
#include <array>
#include <string>
#include <string_view>

#include "model/model.h"

namespace addend {

struct TensorNames {
  std::string_view embedding, head, final_norm;  // whole names without ".weight"
  std::string_view block_prefix;                 // before the number of the block
  // After the number of the block and a dot, without ".weight":
  std::array<std::string_view, kLinearKinds.size()> linears;  // by LinearKind
  std::string_view attention_norm, feed_forward_norm;
  std::string_view q_norm, k_norm;
  std::string_view post_attention_norm, post_feed_forward_norm;
};

const TensorNames& GgufNames();  // also those of docs/format.md
const TensorNames& HuggingFaceNames(const ModelConfig& config);

// Calls, in the order in which files are written, for everything that model.config says there is:
//   visitor.Embedding(name, Linear&)                   embedding and head; vocabulary x hidden, no bias
//   visitor.Linear(name, Linear&, kind)
//   visitor.Norm(name, std::vector<float>&, size)
// The name of a norm is that of its tensor; linears have several: the visitor adds ".weight", ".bias", ...
// References are const when the model is. A model with an untied head must have one, and `blocks` its blocks.
template <typename AnyModel, typename Visitor>
void VisitTensors(AnyModel& model, const TensorNames& names, Visitor&& visitor) {
  const ModelConfig& config = model.config;
  const auto norm = [&](const std::string& prefix, std::string_view name, auto& gains, size_t size) {
    visitor.Norm(prefix + std::string(name) + ".weight", gains, size);
  };

  visitor.Embedding(std::string(names.embedding), model.embedding);
  for (size_t i = 0; i < config.blocks; ++i) {
    auto& block = model.blocks[i];
    const std::string prefix = std::string(names.block_prefix) + std::to_string(i) + ".";
    norm(prefix, names.attention_norm, block.attention_norm, config.hidden);
    norm(prefix, names.feed_forward_norm, block.feed_forward_norm, config.hidden);
    if (config.qk_norm) {
      norm(prefix, names.q_norm, block.q_norm, config.head_dim);
      norm(prefix, names.k_norm, block.k_norm, config.head_dim);
    }
    if (config.post_norms) {
      norm(prefix, names.post_attention_norm, block.post_attention_norm, config.hidden);
      norm(prefix, names.post_feed_forward_norm, block.post_feed_forward_norm, config.hidden);
    }
    for (const LinearKind kind : kLinearKinds) {
      visitor.Linear(prefix + std::string(names.linears[static_cast<size_t>(kind)]), block[kind], kind);
    }
  }
  norm("", names.final_norm, model.final_norm, config.hidden);
  if (!config.tied_head) visitor.Embedding(std::string(names.head), *model.head);
}

}  // namespace addend
