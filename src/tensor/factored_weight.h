// What a compressed weight is (Double Binary Factorization, arXiv 2505.11076, equation 3):
//   W (n x m)  ~=  diag(a) A diag(mid) B diag(b)      A: n x r signs, B: r x m signs
// so y = W x is: scale by b, r sums of +-x, scale by mid, n sums, scale by a.
#pragma once
#include <cstddef>
#include <vector>

#include "tensor/matrix.h"
#include "tensor/sign_matrix.h"

namespace addend {

struct FactoredWeight {
  SignMatrix A;            // outputs x rank
  SignMatrix B;            // rank x inputs
  std::vector<float> a;    // outputs
  std::vector<float> mid;  // rank
  std::vector<float> b;    // inputs

  size_t outputs() const { return A.rows(); }
  size_t inputs() const { return B.cols(); }
  size_t rank() const { return A.cols(); }

  Matrix ToDense() const;
  // Makes every scale what the file will hold (fp16), so that what is measured is what is saved.
  // The sizes of a, mid and b are evened out first (their product is what matters): fp16 has little range.
  // That is done by powers of two, so it loses nothing, and doing it again changes no product.
  void RoundScalesToHalf();
  // Throws Error when the shapes do not belong together or a scale is not finite.
  void Validate() const;

  bool operator==(const FactoredWeight&) const = default;
};

// Bits of a factored weight over bits of its shape: signs and 16-bit scales, everything counted.
double BitsPerWeight(size_t outputs, size_t inputs, size_t rank);
// Of a factored weight in a file, where rows of signs are padded to whole bytes (docs/format.md).
size_t StoredBytes(size_t outputs, size_t inputs, size_t rank);
// The largest rank whose BitsPerWeight is at most `bits`; 0 when not even rank 1 fits.
size_t RankForBits(size_t outputs, size_t inputs, double bits);

}  // namespace addend
