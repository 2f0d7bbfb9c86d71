// What a compression is asked for.
#pragma once
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "calibrate/calibration_text.h"
#include "factorize/factorize.h"
#include "tensor/dtype.h"

namespace addend {

// What tuning moves.
enum class Training { kScales, kAll };     // all: signs too
std::string_view Name(Training training);  // "scales", "all"

// What an effort level stands for where the options leave it open.
struct EffortSettings {
  size_t statistics_sequences;
  Training train;
  size_t distill_steps;
};
EffortSettings SettingsOf(Effort effort);
// How many of so many sequences the importances are measured on: means over single inputs and outputs settle
// sooner than covariances, and cost a backward pass.
size_t ImportanceSequences(size_t statistics_sequences);
std::string_view Name(Effort effort);  // "fast", "default", "best"

enum class AllocationPolicy {
  kUniform,   // the same rate for every layer
  kMarginal,  // equal marginal loss, from a quick factorization of every layer (allocate/allocation.h)
  kChannels,  // the channels that matter most, of a factorization at a higher rate
};
std::string_view Name(AllocationPolicy policy);  // "uniform", "marginal", "channels"

// What stands before a layer when it is factorised.
enum class Prefix {
  kDense,       // the original: all layers of a block are independent, and factorised side by side
  kCompressed,  // the compressed layers: each layer makes up for what those before it do
};
std::string_view Name(Prefix prefix);  // "dense", "compressed"

// How embedding and head are stored.
struct EmbeddingForm {
  DType type = DType::kQ8_0;  // unless the source already takes fewer bits
  double bits = 0;            // above 0: factored at so many bits a weight, and `type` does not count

  bool factored() const { return bits > 0; }
};
std::string NameOf(const EmbeddingForm& form);  // "q8_0", "dbf at 1.5 bits"

// What --size tries beside factors; the widest first.
inline constexpr std::array kEmbeddingTypes = {DType::kQ8_0, DType::kQ5_1, DType::kQ5_0, DType::kQ4_1,
                                               DType::kQ4_0};

struct CompressOptions {
  // A compressed form of the same model to go on from: then there is only tuning, and what is about rates and
  // factorization below does not count. Empty: from the dense model.
  Path start;
  double bits = 1.0;  // average over the linear layers, scales included
  // At most so many for the whole file, in place of `bits`, which are then chosen; so is the embedding's form
  // unless it is given. Not with kChannels.
  std::optional<double> file_bytes;
  AllocationPolicy allocation = AllocationPolicy::kMarginal;
  Prefix prefix = Prefix::kCompressed;
  Effort effort = Effort::kDefault;
  std::string method = "dbf";
  std::vector<Path> calibration;    // text files; empty: text that the model itself generates
  size_t calibration_length = 512;  // tokens in a sequence
  size_t statistics_sequences = 0;  // for covariances; 0 = by effort
  // Of embedding and head; at most one of these, none = q8_0.
  std::optional<DType> embedding_type;
  std::optional<double> embedding_bits;
  std::optional<Training> train;  // none = by effort: signs take long before they pay
  // How often block tuning goes through its sequences; 0 = no block tuning. For the same time, tuning the
  // whole model brings more (docs/results.md); a block alone takes less memory.
  size_t block_epochs = 0;
  // How long to tune the whole model: at most one of these; none = steps by effort. With steps the result
  // depends on the seed alone; with a time it also depends on how fast the machine is.
  std::optional<size_t> distill_steps;    // 0 = no tuning
  std::optional<double> distill_seconds;  // 0 = no tuning
  std::optional<double> seconds;          // for the whole job: tuning takes what the other stages leave
  uint64_t seed = 1;
  Path work_folder;               // empty: the output's name with ".work" behind it
  bool keep_work_folder = false;  // also after success

  EmbeddingForm Embedding() const;
  bool ChoosesEmbedding() const { return file_bytes && !embedding_type && !embedding_bits; }
  void SetEmbedding(const EmbeddingForm& form);
  EffortSettings Settings() const;  // with what the options say in place of the effort's defaults
  CalibrationOptions TextOptions() const;
};

}  // namespace addend
