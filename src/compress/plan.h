// What a compression would do and cost, without doing it.
#pragma once
#include <string>

#include "base/json.h"
#include "compress/options.h"
#include "model/model.h"

namespace addend {

// Times are forecasts from a short measurement of this machine; expect them within a factor of two.
struct CompressPlan {
  SizeReport size;             // of the planned weights
  std::string embedding;       // its form
  bool guessed_split = false;  // with --size the job itself measures what the embedding gets
  double file_bytes = 0;       // at most: of the weights, the tokenizer and all else that the file holds
  // text_seconds: of writing the calibration text, where none is given
  double text_seconds = 0, statistics_seconds = 0, embedding_seconds = 0, allocate_seconds = 0,
         factorize_seconds = 0, block_tuning_seconds = 0, distill_seconds = 0;
  double memory_bytes = 0;

  double Seconds() const {
    return text_seconds + statistics_seconds + embedding_seconds + allocate_seconds + factorize_seconds +
           block_tuning_seconds + distill_seconds;
  }

  Json ToJson() const;
  std::string ToText() const;
};

// Reads and checks the model and the calibration text as Compress would; writes nothing.
CompressPlan PlanCompression(const Path& source, const CompressOptions& options, ThreadPool& pool);

}  // namespace addend
