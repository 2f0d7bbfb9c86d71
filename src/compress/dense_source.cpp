#include "compress/dense_source.h"

#include <algorithm>

#include "base/error.h"
#include "base/hash.h"
#include "model/tensor_list.h"

namespace addend {
namespace {

double BitsPerElement(DType type) {
  return 8.0 * static_cast<double>(Info(type).block_bytes) / static_cast<double>(Info(type).block_elements);
}

// What embedding or head take in a file.
double StoredBits(const Linear& linear, const EmbeddingForm& form) {
  const size_t n = linear.outputs(), m = linear.inputs();
  if (form.factored()) return 8.0 * static_cast<double>(StoredBytes(n, m, EmbeddingRank(linear, form.bits)));
  const DType type = NarrowedType(std::get<StoredMatrix>(linear.weight), form.type);
  return static_cast<double>(linear.size()) * BitsPerElement(type);
}

double StoredBits(const Linear& linear, size_t rank) {
  return 8.0 * static_cast<double>(StoredBytes(linear.outputs(), linear.inputs(), rank));
}

StoredMatrix Converted(const StoredMatrix& matrix, DType type, Rounding rounding, ThreadPool& pool) {
  const size_t row_bytes = BytesOf(type, matrix.cols());
  std::vector<std::byte> bytes(matrix.rows() * row_bytes);
  constexpr size_t kRows = 64;  // for one turn of a thread
  pool.For((matrix.rows() + kRows - 1) / kRows, [&](size_t chunk) {
    std::vector<float> row(matrix.cols());
    for (size_t r = chunk * kRows; r < std::min(matrix.rows(), (chunk + 1) * kRows); ++r) {
      matrix.ReadRow(r, row);
      Quantize(type, row, std::span(bytes).subspan(r * row_bytes, row_bytes), rounding);
    }
  });
  return StoredMatrix(type, matrix.rows(), matrix.cols(), std::move(bytes));
}

}  // namespace

Model LoadDenseModel(const Path& source) {
  Model model = LoadCheckedModel(source);
  const auto check = [&](const Linear& linear) {
    if (linear.factored()) throw Error(source.string(), ": is already compressed; give the original model");
  };
  check(model.embedding);
  check(model.HeadMatrix());
  for (const Block& block : model.blocks) std::ranges::for_each(block.linears, check);
  return model;
}

uint64_t HashOf(const Model& dense) {
  std::string hashes;
  const auto add = [&](std::span<const std::byte> bytes) { hashes += HashText(Hash64(bytes)); };
  const auto add_linear = [&](const Linear& linear) { add(std::get<StoredMatrix>(linear.weight).bytes()); };
  add_linear(dense.embedding);
  if (dense.head) add_linear(*dense.head);
  for (const Block& block : dense.blocks) {
    std::ranges::for_each(block.linears, add_linear);
    add(std::as_bytes(std::span(block.attention_norm)));
    add(std::as_bytes(std::span(block.feed_forward_norm)));
  }
  return Hash64(hashes);
}

DType NarrowedType(const StoredMatrix& matrix, DType type) {
  if (matrix.cols() % Info(type).block_elements != 0) type = DType::kF16;
  return BitsPerElement(matrix.type()) <= BitsPerElement(type) ? matrix.type() : type;
}

size_t EmbeddingRank(const Linear& linear, double bits) {
  const size_t rank = RankForBits(linear.outputs(), linear.inputs(), bits);
  if (rank > 0) return rank;
  throw Error("the embedding [", linear.outputs(), ", ", linear.inputs(), "] is too small for ", bits,
              " bits per weight: rank 1 with its scales takes ",
              BitsPerWeight(linear.outputs(), linear.inputs(), 1));
}

Model WithNarrowEmbedding(Model model, DType type, ThreadPool& pool, Rounding rounding) {
  const auto narrow = [&](std::string_view name, Linear& linear) {
    const auto& matrix = std::get<StoredMatrix>(linear.weight);
    const DType narrowed = NarrowedType(matrix, type);
    if (narrowed == matrix.type()) return;
    linear.weight = WithContext(model.metadata.origin + ": tensor '" + std::string(name) + ".weight'",
                                [&] { return Converted(matrix, narrowed, rounding, pool); });
  };
  narrow(GgufNames().embedding, model.embedding);
  if (model.head) narrow(GgufNames().head, *model.head);
  return model;
}

SizeReport PlannedSize(const Model& dense, const Allocation& allocation, const EmbeddingForm& embedding) {
  SizeReport size = CountBits(dense);
  const auto replace = [&](const Linear& linear, double bits) { size.total_bits += bits - linear.Bits(); };
  replace(dense.embedding, StoredBits(dense.embedding, embedding));
  if (dense.head) replace(*dense.head, StoredBits(*dense.head, embedding));
  size.linear_bits = 0;
  for (size_t b = 0; b < dense.blocks.size(); ++b) {
    for (const LinearKind kind : kLinearKinds) {
      const Linear& linear = dense.blocks[b][kind];
      const size_t rank = allocation.Rank(b, kind);
      size.linear_bits +=
          BitsPerWeight(linear.outputs(), linear.inputs(), rank) * static_cast<double>(linear.size());
      replace(linear, StoredBits(linear, rank));
    }
  }
  return size;
}

}  // namespace addend
