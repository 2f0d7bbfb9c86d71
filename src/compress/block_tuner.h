// Block tuning of a whole model, with what is finished in a work folder.
#pragma once
#include <vector>

#include "base/progress.h"
#include "calibrate/calibration_text.h"
#include "calibrate/importance.h"
#include "compress/report.h"
#include "compress/work_folder.h"

namespace addend {

// How many sequences of the training text, from its beginning, block tuning takes: their hidden states are
// kept in memory, twice.
inline constexpr size_t kBlockTuningSequences = 128;

struct BlockTuningPlan {
  size_t epochs = 0;
  bool trains_signs = true;
  uint64_t seed = 1;
};

// Tunes the blocks of `student` in order, each behind those that are tuned already, towards the outputs of
// `dense`. Errors of a hidden channel count by its importance to the loss.
std::vector<BlockReport> TuneBlocks(Model& student, const Model& dense, const ModelImportance& importance,
                                    const CalibrationText& text, const BlockTuningPlan& plan,
                                    const WorkFolder& work, ThreadPool& pool, const Progress& progress);

}  // namespace addend
