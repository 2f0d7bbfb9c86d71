// Factorizes all linears of a model, block by block, with every finished one kept in the work folder.
#pragma once
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "allocate/allocation.h"
#include "base/progress.h"
#include "base/threads.h"
#include "calibrate/importance.h"
#include "compress/options.h"
#include "compress/report.h"
#include "compress/work_folder.h"
#include "factorize/factorize.h"

namespace addend {

struct FactorizedModel {
  Model model;  // shares everything but the linears with what it was made from
  std::vector<LinearReport> linears;
};

class ModelFactorizer {
 public:
  // All of them must outlive this. `start`: the dense model with the embedding and head of the compressed
  // one. `sequences`: what the covariances are measured on.
  ModelFactorizer(const Model& dense, const Model& start, const ModelImportance& importance,
                  SequenceSpan sequences, const CompressOptions& options, const WorkFolder& work,
                  ThreadPool& pool, const Progress& progress);

  // A quick factorization of every layer at options.bits; what is in the work folder may be of another rate.
  ModelLoss PilotLosses() const;
  // The ranks by options.allocation and options.bits.
  Allocation Allocate() const;
  FactorizedModel Factorize(const Allocation& allocation) const;

 private:
  // Names in the work folder: prefix + that of the linear.
  struct Pass {
    const char* stage;
    std::string prefix;
    const Allocation& allocation;
    Effort effort;
  };

  ChannelScores PilotScores() const;
  FactorizedModel Factorize(const Pass& pass) const;
  void FactorizeOnDenseInputs(const Pass& pass) const;
  void FactorizeInSequence(const Pass& pass) const;
  std::string NameOf(const Pass& pass, size_t block, LinearKind kind) const;
  bool Done(const Pass& pass, size_t block, std::span<const LinearKind> kinds) const;
  void WalkBlocks(const char* stage, const std::function<bool(size_t)>& done,
                  const std::function<void(size_t)>& skip, const std::function<void(size_t)>& work) const;
  void ForLinears(size_t block, std::span<const LinearKind> kinds,
                  const std::function<void(LinearKind)>& work) const;
  void FactorizeAndSave(const Pass& pass, size_t block, LinearKind kind, ConstMatrixView weight,
                        const Matrix& covariance) const;
  FactorizeResult FactorizeLinear(const FactorizeOptions& options, size_t block, LinearKind kind,
                                  ConstMatrixView weight, const Matrix& covariance) const;
  uint64_t SeedOf(size_t block, LinearKind kind) const;
  double Bits(size_t block, LinearKind kind, size_t rank) const;

  const Model& dense_;
  const Model& start_;
  const ModelImportance& importance_;
  SequenceSpan sequences_;
  const CompressOptions& options_;
  const WorkFolder& work_;
  ThreadPool& pool_;
  const Progress& progress_;
};

}  // namespace addend
