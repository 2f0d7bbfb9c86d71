// What the linear layers of a partly compressed model see, beside what those of the original see: so that
// each weight can be factorised to give the original's outputs from the inputs that it will really get, and
// to take back what the layers before it have done to the residual stream. The idea of GPTQ's sequential
// calibration, with the original's outputs as the target.
#pragma once
#include <functional>
#include <span>

#include "base/threads.h"
#include "calibrate/sequences.h"
#include "model/model.h"
#include "train/train_block.h"
#include "train/workspace.h"

namespace addend {

// The places of a block whose inputs linear layers read, in the order of the forward pass.
enum class Site { kAttention, kO, kFeedForward, kDown };
inline constexpr Site kSites[] = {Site::kAttention, Site::kO, Site::kFeedForward, Site::kDown};
std::span<const LinearKind> LinearsOf(Site site);  // q, k, v; o; gate, up; down

// Second moments over all tokens; x: inputs of the layer in the compressed model, z: in the original.
struct SiteMoments {
  Matrix covariance;  // E[x x^T]: inputs x inputs
  Matrix cross;       // E[z x^T]
  // E[d x^T], hidden x inputs, where the layer's output is added to the residual stream as it is; d: what the
  // stream of the original is ahead there. Else empty.
  Matrix residual;
};

// The weight that gives, by least squares, the original's outputs W z (and d) from x:
//   W + (W (cross - covariance) + residual) (covariance + damping diag(covariance))^-1
// so that damping pulls towards W.
Matrix CorrectedWeight(ConstMatrixView weight, const SiteMoments& moments, float damping, ThreadPool& pool);

// Walks the blocks in order with the hidden states of all sequences, twice.
class PrefixStream {
 public:
  // `embedding`: that of the compressed model. All sequences have the same length. The dense model must
  // outlive this.
  PrefixStream(const Model& dense, const Linear& embedding, SequenceSpan sequences, ThreadPool& pool);

  // `compressed` is the next block with the linears before `site` compressed; the others do not matter.
  SiteMoments Measure(Site site, const Block& compressed);

  // Tokens x hidden: what the compressed block gets, and what the original gives behind original blocks.
  using Tuner = std::function<void(ConstMatrixView inputs, ConstMatrixView targets)>;
  // Goes past the next block. `tune` is called before and may still change `compressed`.
  void Advance(const Block& compressed, const Tuner& tune = {});
  size_t next_block() const { return next_; }

 private:
  template <typename Body>
  void ForGroups(Body&& body);

  const Model& dense_;
  Workspace workspace_;
  BlockTape tape_{.for_backward = false};  // keeps its memory
  size_t length_ = 0;
  size_t next_ = 0;
  Matrix dense_hidden_, compressed_hidden_;
};

}  // namespace addend
