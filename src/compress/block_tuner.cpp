#include "compress/block_tuner.h"

#include "compress/stored_results.h"
#include "tune/block_tuning.h"

namespace addend {
namespace {

std::string NameOf(size_t block) {
  return "tuned." + std::to_string(block);
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
  const auto tune_and_save = [&](const BlockTask& task) {
    const double begin = WallSeconds();
    Block& block = student.blocks[task.index];
    const BlockTuningResult result =
        TuneBlock(student.config, block, task,
                  {.epochs = plan.epochs, .trains_signs = plan.trains_signs, .seed = plan.seed}, pool);
    work.Save(NameOf(task.index), ToCheckpoint(TunedBlock{.weights = WeightsOf(block),
                                                          .report = {.block = task.index,
                                                                     .error_before = result.before,
                                                                     .error_after = result.after,
                                                                     .changed_signs = result.changed_signs,
                                                                     .seconds = WallSeconds() - begin}}));
  };

  std::vector<BlockReport> reports;
  const auto tune = [&](const BlockTask& task) {
    const std::string name = NameOf(task.index);
    if (!work.Has(name)) tune_and_save(task);
    TunedBlock tuned = TunedBlockFrom(work.Load(name));
    for (const LinearKind kind : kLinearKinds) {
      student.blocks[task.index][kind].weight = std::move(tuned.weights[static_cast<size_t>(kind)]);
    }
    reports.push_back(tuned.report);
    Report(progress, {"tune blocks", static_cast<double>(reports.size()),
                      static_cast<double>(student.blocks.size()), "blocks"});
  };
  ForEachBlock(student, dense, importance, text, kBlockTuningSequences, pool, tune);
  return reports;
}

}  // namespace addend
