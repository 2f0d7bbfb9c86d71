#include "model/gguf_rows.h"

#include <algorithm>
#include <utility>

namespace addend {
namespace {

// Where the interleaved order keeps row r of the order in halves.
size_t InterleavedRow(size_t r, size_t head_dim) {
  const size_t in_head = r % head_dim, half = head_dim / 2;
  return r - in_head + 2 * (in_head % half) + in_head / half;
}

// Calls move(from, to) for the rows of both orders: (interleaved, in halves).
template <typename Move>
void ForEachRow(size_t rows, size_t head_dim, Move&& move) {
  for (size_t r = 0; r < rows; ++r) move(InterleavedRow(r, head_dim), r);
}

void CopyRow(const StoredMatrix& source, size_t from, std::vector<std::byte>& target, size_t to) {
  const std::span<const std::byte> row = source.RowBytes(from);
  std::copy(row.begin(), row.end(), target.begin() + static_cast<ptrdiff_t>(to * row.size()));
}

}  // namespace

StoredMatrix InHalves(const StoredMatrix& interleaved, size_t head_dim) {
  std::vector<std::byte> bytes(interleaved.bytes().size());
  ForEachRow(interleaved.rows(), head_dim, [&](size_t at, size_t r) { CopyRow(interleaved, at, bytes, r); });
  return StoredMatrix(interleaved.type(), interleaved.rows(), interleaved.cols(), std::move(bytes));
}

std::vector<float> InHalves(const std::vector<float>& interleaved, size_t head_dim) {
  std::vector<float> values(interleaved.size());
  ForEachRow(values.size(), head_dim, [&](size_t at, size_t r) { values[r] = interleaved[at]; });
  return values;
}

StoredMatrix Interleaved(const StoredMatrix& in_halves, size_t head_dim) {
  std::vector<std::byte> bytes(in_halves.bytes().size());
  ForEachRow(in_halves.rows(), head_dim, [&](size_t at, size_t r) { CopyRow(in_halves, r, bytes, at); });
  return StoredMatrix(in_halves.type(), in_halves.rows(), in_halves.cols(), std::move(bytes));
}

}  // namespace addend
