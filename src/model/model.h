// A language model in memory, dense or compressed or half of each. Dense weights stay in the mapped input
// file and are decoded row by row when they are needed: loading a model costs no memory for them.
#pragma once
#include <array>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/file.h"
#include "formats/gguf.h"
#include "model/config.h"
#include "tensor/dtype.h"
#include "tensor/factored_weight.h"
#include "tensor/matrix.h"

namespace addend {

// A (rows x cols) matrix in some file type, row-major, either a view of a mapped file or with its own bytes.
// Copies share the bytes.
class StoredMatrix {
 public:
  StoredMatrix() = default;
  // Both throw Error unless cols is a multiple of the type's block and there are rows * BytesOf(type, cols)
  // bytes. The caller keeps what a view shows alive.
  StoredMatrix(DType type, size_t rows, size_t cols, std::span<const std::byte> view);
  StoredMatrix(DType type, size_t rows, size_t cols, std::vector<std::byte> owned);
  // Quantises as Quantize (tensor/dtype.h) does.
  static StoredMatrix FromFloats(ConstMatrixView values, DType type);

  DType type() const { return type_; }
  size_t rows() const { return rows_; }
  size_t cols() const { return cols_; }
  std::span<const std::byte> bytes() const { return owned_ ? std::span<const std::byte>(*owned_) : view_; }
  std::span<const std::byte> RowBytes(size_t r) const;
  void ReadRow(size_t r, std::span<float> out) const;
  Matrix ToDense() const;

 private:
  DType type_ = DType::kF32;
  size_t rows_ = 0, cols_ = 0;
  std::span<const std::byte> view_;
  std::shared_ptr<const std::vector<std::byte>> owned_;
};

// y = W x + bias.
struct Linear {
  std::variant<StoredMatrix, FactoredWeight> weight;
  std::vector<float> bias;  // empty = none

  bool factored() const { return std::holds_alternative<FactoredWeight>(weight); }
  size_t outputs() const;
  size_t inputs() const;
  size_t size() const { return outputs() * inputs(); }  // weights
  double Bits() const;  // of them all; factored: r (n + m) + 16 (n + m + r), dense: as stored
  Matrix ToDense() const;
};

enum class LinearKind { kQ, kK, kV, kO, kGate, kUp, kDown };
inline constexpr std::array kLinearKinds = {LinearKind::kQ,   LinearKind::kK,    LinearKind::kV,
                                            LinearKind::kO,   LinearKind::kGate, LinearKind::kUp,
                                            LinearKind::kDown};
std::string_view Name(LinearKind kind);                 // "attn_q", ..., "ffn_down": GGUF's names
std::string LinearName(size_t block, LinearKind kind);  // "blk.3.attn_q"

struct LinearShape {
  size_t outputs, inputs;
};
LinearShape ShapeOf(const ModelConfig& config, LinearKind kind);

struct Block {
  std::array<Linear, kLinearKinds.size()> linears;  // by LinearKind
  // Norm gains as they multiply (Gemma's "1 + w" is added at load).
  std::vector<float> attention_norm, feed_forward_norm;
  std::vector<float> q_norm, k_norm;                               // head_dim each; config.qk_norm
  std::vector<float> post_attention_norm, post_feed_forward_norm;  // config.post_norms

  Linear& operator[](LinearKind kind) { return linears[static_cast<size_t>(kind)]; }
  const Linear& operator[](LinearKind kind) const { return linears[static_cast<size_t>(kind)]; }
};

struct Model {
  ModelConfig config;
  Linear embedding;            // vocabulary x hidden, without bias: a token's row is what enters the blocks
  std::optional<Linear> head;  // vocabulary x hidden, without bias; none = tied to the embedding
  std::vector<float> final_norm;
  std::vector<Block> blocks;

  // What travels with the weights: tokenizer.* keys (see tokenizer/tokenizer.h), general.* keys, and for a
  // compressed model the recipe under addend.*. Its `origin` is the path that the model came from.
  GgufMetadata metadata;
  std::vector<std::shared_ptr<const void>> storage;  // keeps mapped files alive

  const Linear& HeadMatrix() const { return head ? *head : embedding; }
};

// Reads a Hugging Face folder, a GGUF file of a supported architecture, or one of our compressed GGUF files
// (docs/format.md). Throws Error when a tensor is missing, unknown, or not of the shape that the config gives
// it, when a checksum of a compressed file differs, and when a norm gain, a bias or a scale is not finite.
// Matrices stay in the mapped file unread, so their values are not checked here: see CheckFinite. (q and k of
// GGUF's "llama" are the exception: their rows are brought to Hugging Face's order, in memory.)
Model LoadModel(const Path& path);

// Throws Error naming the first matrix that holds a NaN or an infinity. Reads every weight once, on all CPUs.
void CheckFinite(const Model& model);
// Both: for whoever is about to spend time on the weights.
Model LoadCheckedModel(const Path& path);

// Writes `model` as our compressed GGUF: factored linears (embedding and head among them) as signs and
// scales, dense ones as they are, metadata as given, a checksum for each tensor. Atomic; the same model gives
// the same bytes. Scales are stored as fp16: what is read back is equal only after RoundScalesToHalf
// (tensor/factored_weight.h).
void SaveModel(const Model& model, const Path& path);

// Dense exports that other programs run; linears and embeddings as `type` (kF16, kBF16 or kF32), vectors as
// F32. A GGUF that llama.cpp runs, under the source's architecture; but for Mistral, llama.cpp does not look
// at the key of the sliding window, and attends to everything.
void ExportGguf(const Model& model, const Path& path, DType type);
// config.json, model.safetensors, tokenizer.json and tokenizer_config.json. The tokenizer is the source's own
// where the metadata has it whole, else made from a byte-level vocabulary (model/export_tokenizer.h); else
// there are no tokenizer files. Makes the folder when it is not there.
void ExportHuggingFace(const Model& model, const Path& folder, DType type);

// How many weights there are and how many bits they take; sums, not averages.
struct SizeReport {
  size_t linear_weights = 0;  // of the matrices of all linears
  double linear_bits = 0;     // factored: r (n + m) + 16 (n + m + r); dense: as stored
  size_t total_weights = 0;   // the same, embedding, head, norms and biases
  double total_bits = 0;      // as SaveModel stores them
};
SizeReport CountBits(const Model& model);

}  // namespace addend
