#include "compress/block_tuner.h"

#include <algorithm>

#include "base/interrupt.h"
#include "calibrate/prefix_stream.h"
#include "compress/stored_results.h"
#include "tune/block_tuning.h"

namespace addend {
namespace {

std::string NameOf(size_t block) {
  return "tuned." + std::to_string(block);
}

// Of squared errors of the hidden states behind a block. What `down` gives is added to them as it is, except
// behind a norm; there all channels count alike.
std::vector<float> ChannelWeights(const ModelConfig& config, const BlockImportance& importance) {
  if (config.post_norms) return std::vector<float>(config.hidden, 1.0f);
  return importance[static_cast<size_t>(LinearKind::kDown)].output;
}

std::vector<FactoredWeight> WeightsOf(const Block& block) {
  std::vector<FactoredWeight> weights;
  for (const Linear& linear : block.linears) weights.push_back(std::get<FactoredWeight>(linear.weight));
  return weights;
}

}  // namespace

std::vector<BlockReport> TuneBlocks(Model& student, const Model& dense, const ModelImportance& importance,
                                    const CalibrationText& text, const BlockTuningPlan& plan,
                                    const WorkFolder& work, ThreadPool& pool, const Progress& progress) {
  const size_t count = std::min(kBlockTuningSequences, text.training.size());
  std::vector<std::vector<TokenId>> sequences(text.training.begin(),
                                              text.training.begin() + static_cast<ptrdiff_t>(count));
  sequences.insert(sequences.end(), text.held_out.begin(), text.held_out.end());
  const size_t training = count * text.length, held_out = text.held_out.size() * text.length;

  const auto tune = [&](size_t b, ConstMatrixView inputs, ConstMatrixView targets) {
    const double begin = WallSeconds();
    const std::vector<float> channel_weights = ChannelWeights(dense.config, importance[b]);
    const BlockTask task{.index = b,
                         .length = text.length,
                         .training = {inputs.Rows(0, training), targets.Rows(0, training)},
                         .held_out = {inputs.Rows(training, held_out), targets.Rows(training, held_out)},
                         .channel_weights = channel_weights};
    const BlockTuningResult result =
        TuneBlock(student.config, student.blocks[b], task,
                  {.epochs = plan.epochs, .trains_signs = plan.trains_signs, .seed = plan.seed}, pool);
    work.Save(NameOf(b), ToCheckpoint(TunedBlock{.weights = WeightsOf(student.blocks[b]),
                                                 .report = {.block = b,
                                                            .error_before = result.before,
                                                            .error_after = result.after,
                                                            .changed_signs = result.changed_signs,
                                                            .seconds = WallSeconds() - begin}}));
  };

  std::vector<BlockReport> reports;
  PrefixStream stream(dense, sequences, pool);
  for (size_t b = 0; b < student.blocks.size(); ++b) {
    stream.Advance(student.blocks[b], [&](ConstMatrixView inputs, ConstMatrixView targets) {
      if (!work.Has(NameOf(b))) tune(b, inputs, targets);
      TunedBlock tuned = TunedBlockFrom(work.Load(NameOf(b)));
      for (const LinearKind kind : kLinearKinds) {
        student.blocks[b][kind].weight = std::move(tuned.weights[static_cast<size_t>(kind)]);
      }
      reports.push_back(tuned.report);
    });
    Report(progress,
           {"tune blocks", static_cast<double>(b + 1), static_cast<double>(student.blocks.size()), "blocks"});
  }
  return reports;
}

}  // namespace addend
