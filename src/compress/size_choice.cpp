#include "compress/size_choice.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/progress.h"
#include "compress/dense_source.h"
#include "compress/recipe.h"
#include "model/tensor_list.h"

namespace addend {
namespace {

// What the compressed prefix and tuning leave of the divergence that the losses of single layers
// foretell: 1.1 to 1.4 of 4.1 nats at 1 bit (docs/results.md).
constexpr double kLeftOfLoss = 0.3;

// At most, of everything but tensor data: the key-value pairs, and for each tensor its description, checksum
// and padding (docs/format.md). Of a factored linear these are five, and the recipe has its errors.
double HeaderBytes(const Model& model) {
  constexpr size_t kOnce = 2500, kOfTensor = 24 + 16 + 25 + 31;  // and the name twice
  const auto of_tensor = [](size_t name) { return kOfTensor + 2 * name; };
  const auto of_linear = [](size_t name) { return 485 + 11 * name; };
  size_t bytes = Serialised(model.metadata).size() + kOnce;
  // Of a text that is yet to be written.
  if (!model.metadata.Has(kFingerprintKey)) bytes += TextFingerprint::kMost * sizeof(uint32_t);
  bytes += 2 * of_linear(GgufNames().embedding.size());
  const size_t norms = 2 + (model.config.qk_norm ? 2 : 0) + (model.config.post_norms ? 2 : 0);
  constexpr size_t kNormName = std::string_view("blk.000.post_attention_norm.weight").size();
  for (size_t b = 0; b < model.blocks.size(); ++b) {
    bytes += norms * of_tensor(kNormName);
    for (const LinearKind kind : kLinearKinds) {
      const std::string name = LinearName(b, kind);
      bytes += of_linear(name.size());
      if (!model.blocks[b][kind].bias.empty()) bytes += of_tensor(name.size() + 5);
    }
  }
  return static_cast<double>(bytes);
}

// At which every layer has a rank.
double LeastBits(const Model& dense) {
  double bits = kMinBits;
  for (const Block& block : dense.blocks) {
    for (const Linear& linear : block.linears)
      bits = std::max(bits, BitsPerWeight(linear.outputs(), linear.inputs(), 1));
  }
  return bits;
}

Allocation AllocationFor(const Model& dense, const ModelLoss* losses, double bits) {
  return losses != nullptr ? MarginalAllocation(dense, *losses, bits) : UniformAllocation(dense, bits);
}

std::vector<EmbeddingForm> FormsOf(const CompressOptions& options) {
  if (!options.ChoosesEmbedding()) return {options.Embedding()};
  std::vector<EmbeddingForm> forms = {{.bits = 2}};
  for (const DType type : kEmbeddingTypes) forms.push_back({.type = type});
  forms.push_back({.bits = kMeasuredRates.front() - kBeyondMeasured});  // the least that there is
  return forms;
}

}  // namespace

double FileBytes(const Model& dense, const Allocation& allocation, const EmbeddingForm& embedding) {
  return PlannedSize(dense, allocation, embedding).total_bits / 8 + HeaderBytes(dense);
}

std::vector<EmbeddingCandidate> InterpolateRates(std::span<const EmbeddingCandidate> measured) {
  constexpr double kStep = 0.1;
  const EmbeddingCandidate &low = measured.front(), &high = measured.back();
  const double slope =
      (std::log(high.divergence) - std::log(low.divergence)) / (high.form.bits - low.form.bits);
  std::vector<EmbeddingCandidate> candidates;
  for (int i = 0;; ++i) {
    const double bits = std::max(kMinBits, low.form.bits - kBeyondMeasured) + kStep * i;
    if (bits > std::min(kMaxBits, high.form.bits + kBeyondMeasured) + 1e-9) return candidates;
    candidates.push_back(
        {.form = {.bits = bits}, .divergence = low.divergence * std::exp(slope * (bits - low.form.bits))});
  }
}

std::optional<double> LargestBits(const Model& dense, const EmbeddingForm& embedding, const ModelLoss* losses,
                                  double bytes) {
  const auto fits = [&](double bits) {
    return FileBytes(dense, AllocationFor(dense, losses, bits), embedding) <= bytes;
  };
  double low = LeastBits(dense), high = kMaxBits;
  if (!fits(low)) return std::nullopt;
  if (fits(high)) return high;
  for (int i = 0; i < 20; ++i) {  // to a millionth of the range
    const double middle = (low + high) / 2;
    (fits(middle) ? low : high) = middle;
  }
  return low;
}

SizeChoice ChooseForSize(const Model& dense, std::span<const EmbeddingCandidate> candidates,
                         const ModelLoss& losses, size_t predictions, AllocationPolicy policy, double bytes) {
  const auto count = static_cast<double>(predictions);
  const ModelLoss* by_loss = policy == AllocationPolicy::kMarginal ? &losses : nullptr;
  std::optional<SizeChoice> best;
  for (const EmbeddingCandidate& candidate : candidates) {
    const std::optional<double> bits = LargestBits(dense, candidate.form, by_loss, bytes);
    if (!bits) continue;
    // The gradients are those of a sequence's mean loss, hence the square of its predictions; a half from the
    // expansion of the loss.
    const double loss = PredictedLoss(dense, losses, AllocationFor(dense, by_loss, *bits));
    const SizeChoice choice{.embedding = candidate.form,
                            .bits = *bits,
                            .embedding_divergence = candidate.divergence,
                            .linear_divergence = kLeftOfLoss * 0.5 * count * count * loss};
    const auto total = [](const SizeChoice& c) { return c.embedding_divergence + c.linear_divergence; };
    if (!best || total(choice) < total(*best)) best = choice;
  }
  if (!best) throw Error("no form of the embedding fits into ", SizeText(bytes));
  return *best;
}

SizeChoice GuessForSize(const Model& dense, const CompressOptions& options) {
  const double bytes = *options.file_bytes;
  double least = INFINITY;
  for (const EmbeddingForm& form : FormsOf(options)) {
    if (const std::optional<double> bits = LargestBits(dense, form, nullptr, bytes))
      return {.embedding = form, .bits = *bits};
    least = std::min(least, FileBytes(dense, UniformAllocation(dense, LeastBits(dense)), form));
  }
  throw Error("--size ", SizeText(bytes), " cannot be reached: at least ", SizeText(least), " are needed",
              options.ChoosesEmbedding() ? "" : " with this embedding");
}

}  // namespace addend
