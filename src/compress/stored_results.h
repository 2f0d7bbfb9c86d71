// The results of the stages as checkpoints of a work folder, and back.
#pragma once
#include "allocate/allocation.h"
#include "calibrate/calibration_text.h"
#include "calibrate/importance.h"
#include "compress/checkpoint.h"
#include "compress/report.h"
#include "compress/size_choice.h"
#include "tensor/factored_weight.h"
#include "tune/distill.h"

namespace addend {

struct FactorizedLinear {
  FactoredWeight weight;
  LinearReport report;
};

struct TunedBlock {
  std::vector<FactoredWeight> weights;  // by LinearKind
  BlockReport report;
};

Checkpoint ToCheckpoint(const CalibrationText& text);
Checkpoint ToCheckpoint(const ModelImportance& importance);
Checkpoint ToCheckpoint(const BlockLoss& losses);
Checkpoint ToCheckpoint(const FactorizedLinear& linear);
Checkpoint ToCheckpoint(const TunedBlock& block);
Checkpoint ToCheckpoint(const SizeChoice& choice);
Checkpoint ToCheckpoint(const DistillState& state);

// Throw Error when the checkpoint does not hold what it should.
CalibrationText TextFrom(const Checkpoint& checkpoint);
ModelImportance ImportanceFrom(const Checkpoint& checkpoint, const Model& model);
BlockLoss BlockLossFrom(const Checkpoint& checkpoint);
FactorizedLinear LinearFrom(const Checkpoint& checkpoint);
TunedBlock TunedBlockFrom(const Checkpoint& checkpoint);
SizeChoice SizeChoiceFrom(const Checkpoint& checkpoint);
DistillState DistillStateFrom(const Checkpoint& checkpoint);

}  // namespace addend
