// What a finished compression tells: who got how many bits, at what error, and what it cost.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "model/model.h"
#include "tune/distill.h"

namespace addend {

struct LinearReport {
  std::string name;
  size_t outputs = 0, inputs = 0, rank = 0;
  double bits = 0;            // a weight, scales included
  double weighted_error = 0;  // see factorize/factorize.h
  double output_error = 0;
  double seconds = 0;
  Json ToJson() const;
};

// Of block tuning: relative weighted squared errors of the block's outputs on the held-out sequences
// (tune/block_tuning.h).
struct BlockReport {
  size_t block = 0;
  double error_before = 0, error_after = 0;
  size_t changed_signs = 0;
  double seconds = 0;
  Json ToJson() const;
};

// Measured on the weights as they were written, and on the test part of the calibration text: nothing was
// fitted to it and nothing chosen by it.
struct QualityReport {
  size_t tokens = 0;
  double dense_perplexity = 0, perplexity = 0;
  double divergence = 0;  // mean KL(dense || compressed), nats a token
  double top1_agreement = 0;
};

struct CompressReport {
  Path file;
  SizeReport size;
  uint64_t file_bytes = 0;
  std::vector<LinearReport> embeddings;  // embedding and head, where they are factored
  std::vector<LinearReport> linears;
  std::vector<BlockReport> blocks;  // empty without block tuning
  DistillResult distill;
  QualityReport quality;
  std::vector<std::pair<std::string, double>> stage_seconds;  // of this run, in order
  size_t peak_memory_bytes = 0;

  Json ToJson() const;
  std::string ToText() const;
};

}  // namespace addend
