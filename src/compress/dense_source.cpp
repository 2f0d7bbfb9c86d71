#include "compress/dense_source.h"

#include "base/error.h"
#include "base/hash.h"
#include "model/tensor_list.h"

namespace addend {
namespace {

double BitsPerElement(DType type) {
  return 8.0 * static_cast<double>(Info(type).block_bytes) / static_cast<double>(Info(type).block_elements);
}

double BitsSaved(const StoredMatrix& matrix, DType type) {
  const auto elements = static_cast<double>(matrix.rows()) * static_cast<double>(matrix.cols());
  return elements * (BitsPerElement(matrix.type()) - BitsPerElement(NarrowedType(matrix, type)));
}

}  // namespace

Model LoadDenseModel(const Path& source) {
  Model model = LoadModel(source);
  for (const Block& block : model.blocks) {
    for (const Linear& linear : block.linears) {
      if (linear.factored()) throw Error(source.string(), ": is already compressed; give the original model");
    }
  }
  CheckFinite(model);
  return model;
}

uint64_t HashOf(const Model& dense) {
  std::string hashes;
  const auto add = [&](std::span<const std::byte> bytes) { hashes += HashText(Hash64(bytes)); };
  add(dense.embedding.bytes());
  if (dense.head) add(dense.head->bytes());
  for (const Block& block : dense.blocks) {
    for (const Linear& linear : block.linears) add(std::get<StoredMatrix>(linear.weight).bytes());
    add(std::as_bytes(std::span(block.attention_norm)));
    add(std::as_bytes(std::span(block.feed_forward_norm)));
  }
  return Hash64(hashes);
}

DType NarrowedType(const StoredMatrix& matrix, DType type) {
  if (matrix.cols() % Info(type).block_elements != 0) type = DType::kF16;
  return BitsPerElement(matrix.type()) <= BitsPerElement(type) ? matrix.type() : type;
}

Model WithNarrowEmbedding(Model model, DType type) {
  const auto narrow = [&](std::string_view name, StoredMatrix& matrix) {
    const DType narrowed = NarrowedType(matrix, type);
    if (narrowed == matrix.type()) return;
    matrix = WithContext(model.metadata.origin + ": tensor '" + std::string(name) + ".weight'",
                         [&] { return StoredMatrix::FromFloats(matrix.ToDense(), narrowed); });
  };
  narrow(GgufNames().embedding, model.embedding);
  if (model.head) narrow(GgufNames().head, *model.head);
  return model;
}

SizeReport PlannedSize(const Model& dense, const Allocation& allocation, DType embedding_type) {
  SizeReport size = CountBits(dense);
  size.total_bits -= size.linear_bits + BitsSaved(dense.embedding, embedding_type);
  if (dense.head) size.total_bits -= BitsSaved(*dense.head, embedding_type);
  size.linear_bits = 0;
  for (size_t b = 0; b < dense.blocks.size(); ++b) {
    for (const LinearKind kind : kLinearKinds) {
      const size_t n = dense.blocks[b][kind].outputs(), m = dense.blocks[b][kind].inputs();
      size.linear_bits +=
          BitsPerWeight(n, m, allocation.Rank(b, kind)) * static_cast<double>(n) * static_cast<double>(m);
    }
  }
  size.total_bits += size.linear_bits;
  return size;
}

}  // namespace addend
