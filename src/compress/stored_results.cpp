#include "compress/stored_results.h"

#include <cstring>
#include <span>
#include <tuple>

#include "base/error.h"

namespace addend {
namespace {

constexpr const char* kOrigin = "checkpoint";

Json ToJson(const std::vector<DistillPoint>& curve) {
  Json json = Json::array();
  for (const DistillPoint& point : curve) json.push_back({point.step, point.seconds, point.held_out});
  return json;
}

std::vector<DistillPoint> CurveFrom(const Json& json) {
  std::vector<DistillPoint> curve;
  for (const auto& [step, seconds, held_out] : json.get<std::vector<std::tuple<size_t, double, double>>>()) {
    curve.push_back({step, seconds, held_out});
  }
  return curve;
}

std::string Numbered(const char* name, size_t i) {
  return std::string(name) + "." + std::to_string(i);
}

std::string ImportanceName(size_t block, LinearKind kind, const char* side) {
  return LinearName(block, kind) + "." + side;
}

// The names of its arrays begin with `prefix`.
void AddWeight(const FactoredWeight& weight, const std::string& prefix, Checkpoint& checkpoint) {
  checkpoint.bytes[prefix + "A"] = weight.A.ToBytes();
  checkpoint.bytes[prefix + "B"] = weight.B.ToBytes();
  checkpoint.floats[prefix + "a"] = weight.a;
  checkpoint.floats[prefix + "mid"] = weight.mid;
  checkpoint.floats[prefix + "b"] = weight.b;
}

// `shape` has "outputs", "inputs" and "rank".
FactoredWeight WeightFrom(const Checkpoint& checkpoint, const std::string& prefix, const Json& shape) {
  const auto outputs = JsonField<size_t>(shape, "outputs", kOrigin),
             inputs = JsonField<size_t>(shape, "inputs", kOrigin),
             rank = JsonField<size_t>(shape, "rank", kOrigin);
  const auto signs = [&](const char* name, size_t rows, size_t cols) {
    return SignMatrix::FromBytes(checkpoint.Bytes(prefix + name, rows * SignMatrix::RowBytes(cols)), rows,
                                 cols);
  };
  FactoredWeight weight{.A = signs("A", outputs, rank),
                        .B = signs("B", rank, inputs),
                        .a = checkpoint.Floats(prefix + "a", outputs),
                        .mid = checkpoint.Floats(prefix + "mid", rank),
                        .b = checkpoint.Floats(prefix + "b", inputs)};
  weight.Validate();
  return weight;
}

CorrelationMatrix CorrelationFrom(const Checkpoint& checkpoint, size_t block, LinearKind kind,
                                  size_t outputs) {
  if (outputs > kMostCorrelatedOutputs) return {};
  std::vector<uint16_t> values(outputs * (outputs - 1) / 2);
  if (values.empty()) return {outputs, {}};
  const auto& bytes =
      checkpoint.Bytes(ImportanceName(block, kind, "correlation"), values.size() * sizeof(uint16_t));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return {outputs, std::move(values)};
}

}  // namespace

Checkpoint ToCheckpoint(const CalibrationText& text) {
  Checkpoint checkpoint;
  checkpoint.facts = {{"length", text.length},     {"sources", text.sources},   {"hash", text.hash},
                      {"training", text.training}, {"held_out", text.held_out}, {"test", text.test}};
  return checkpoint;
}

CalibrationText TextFrom(const Checkpoint& checkpoint) {
  using Sequences = std::vector<std::vector<TokenId>>;
  const Json& facts = checkpoint.facts;
  return {.length = JsonField<size_t>(facts, "length", kOrigin),
          .training = JsonField<Sequences>(facts, "training", kOrigin),
          .held_out = JsonField<Sequences>(facts, "held_out", kOrigin),
          .test = JsonField<Sequences>(facts, "test", kOrigin),
          .sources = JsonField<std::vector<std::string>>(facts, "sources", kOrigin),
          .hash = JsonField<uint64_t>(facts, "hash", kOrigin)};
}

Checkpoint ToCheckpoint(const ModelImportance& importance) {
  Checkpoint checkpoint;
  for (size_t b = 0; b < importance.size(); ++b) {
    for (const LinearKind kind : kLinearKinds) {
      const LinearImportance& linear = importance[b][static_cast<size_t>(kind)];
      checkpoint.floats[ImportanceName(b, kind, "input")] = linear.input;
      checkpoint.floats[ImportanceName(b, kind, "output")] = linear.output;
      const auto correlation = std::as_bytes(linear.output_correlation.below_diagonal());
      checkpoint.bytes[ImportanceName(b, kind, "correlation")] = {correlation.begin(), correlation.end()};
    }
  }
  return checkpoint;
}

ModelImportance ImportanceFrom(const Checkpoint& checkpoint, const Model& model) {
  ModelImportance importance(model.blocks.size());
  for (size_t b = 0; b < importance.size(); ++b) {
    for (const LinearKind kind : kLinearKinds) {
      const Linear& linear = model.blocks[b][kind];
      importance[b][static_cast<size_t>(kind)] = {
          .input = checkpoint.Floats(ImportanceName(b, kind, "input"), linear.inputs()),
          .output = checkpoint.Floats(ImportanceName(b, kind, "output"), linear.outputs()),
          .output_correlation = CorrelationFrom(checkpoint, b, kind, linear.outputs())};
    }
  }
  return importance;
}

Checkpoint ToCheckpoint(const BlockLoss& losses) {
  Checkpoint checkpoint;
  for (const LinearKind kind : kLinearKinds) {
    const LayerLoss& measured = losses[static_cast<size_t>(kind)];
    checkpoint.facts[std::string(Name(kind))] = {{"bits", measured.bits}, {"loss", measured.loss}};
  }
  return checkpoint;
}

BlockLoss BlockLossFrom(const Checkpoint& checkpoint) {
  BlockLoss losses;
  for (const LinearKind kind : kLinearKinds) {
    const auto measured = JsonField<Json>(checkpoint.facts, std::string(Name(kind)).c_str(), kOrigin);
    losses[static_cast<size_t>(kind)] = {.bits = JsonField<double>(measured, "bits", kOrigin),
                                         .loss = JsonField<double>(measured, "loss", kOrigin)};
  }
  return losses;
}

Checkpoint ToCheckpoint(const FactorizedLinear& linear) {
  Checkpoint checkpoint;
  checkpoint.facts = linear.report.ToJson();
  AddWeight(linear.weight, "", checkpoint);
  return checkpoint;
}

FactorizedLinear LinearFrom(const Checkpoint& checkpoint) {
  const Json& facts = checkpoint.facts;
  return {.weight = WeightFrom(checkpoint, "", facts),
          .report = {.name = JsonField<std::string>(facts, "name", kOrigin),
                     .outputs = JsonField<size_t>(facts, "outputs", kOrigin),
                     .inputs = JsonField<size_t>(facts, "inputs", kOrigin),
                     .rank = JsonField<size_t>(facts, "rank", kOrigin),
                     .bits = JsonField<double>(facts, "bits", kOrigin),
                     .weighted_error = JsonField<double>(facts, "weighted_error", kOrigin),
                     .output_error = JsonField<double>(facts, "output_error", kOrigin),
                     .seconds = JsonField<double>(facts, "seconds", kOrigin)}};
}

Checkpoint ToCheckpoint(const SizeChoice& choice) {
  Checkpoint checkpoint;
  checkpoint.facts = {{"embedding_type", static_cast<uint32_t>(choice.embedding.type)},
                      {"embedding_bits", choice.embedding.bits},
                      {"bits", choice.bits},
                      {"embedding_divergence", choice.embedding_divergence},
                      {"linear_divergence", choice.linear_divergence}};
  return checkpoint;
}

SizeChoice SizeChoiceFrom(const Checkpoint& checkpoint) {
  const Json& facts = checkpoint.facts;
  const auto number = [&](const char* name) { return JsonField<double>(facts, name, kOrigin); };
  return {.embedding = {.type = static_cast<DType>(JsonField<uint32_t>(facts, "embedding_type", kOrigin)),
                        .bits = number("embedding_bits")},
          .bits = number("bits"),
          .embedding_divergence = number("embedding_divergence"),
          .linear_divergence = number("linear_divergence")};
}

Checkpoint ToCheckpoint(const TunedBlock& block) {
  Checkpoint checkpoint;
  checkpoint.facts = {{"report", block.report.ToJson()}, {"shapes", Json::object()}};
  for (const LinearKind kind : kLinearKinds) {
    const FactoredWeight& weight = block.weights.at(static_cast<size_t>(kind));
    const std::string name(Name(kind));
    checkpoint.facts["shapes"][name] = {
        {"outputs", weight.outputs()}, {"inputs", weight.inputs()}, {"rank", weight.rank()}};
    AddWeight(weight, name + ".", checkpoint);
  }
  return checkpoint;
}

TunedBlock TunedBlockFrom(const Checkpoint& checkpoint) {
  const auto report = JsonField<Json>(checkpoint.facts, "report", kOrigin);
  const auto shapes = JsonField<Json>(checkpoint.facts, "shapes", kOrigin);
  TunedBlock block{.weights = {},
                   .report = {.block = JsonField<size_t>(report, "block", kOrigin),
                              .error_before = JsonField<double>(report, "error_before", kOrigin),
                              .error_after = JsonField<double>(report, "error_after", kOrigin),
                              .changed_signs = JsonField<size_t>(report, "changed_signs", kOrigin),
                              .seconds = JsonField<double>(report, "seconds", kOrigin)}};
  for (const LinearKind kind : kLinearKinds) {
    const std::string name(Name(kind));
    block.weights.push_back(
        WeightFrom(checkpoint, name + ".", JsonField<Json>(shapes, name.c_str(), kOrigin)));
  }
  return block;
}

Checkpoint ToCheckpoint(const DistillState& state) {
  Checkpoint checkpoint;
  checkpoint.facts = {{"step", state.step},       {"total_steps", state.total_steps},
                      {"seconds", state.seconds}, {"gains", state.gains.size()},
                      {"signs", Json::array()},   {"curve", ToJson(state.curve)}};
  checkpoint.floats = {{"gains", state.gains},
                       {"first_moments", state.first_moments},
                       {"second_moments", state.second_moments},
                       {"best_gains", state.best_gains}};
  for (size_t i = 0; i < state.latents.size(); ++i) {
    const SignLatents::State& latents = state.latents[i];
    checkpoint.facts["signs"].push_back(
        {latents.row_squares.size(), latents.col_squares.size(), latents.steps});
    const auto bytes = std::as_bytes(std::span(latents.latents));
    checkpoint.bytes[Numbered("latents", i)].assign(bytes.begin(), bytes.end());
    checkpoint.bytes[Numbered("best_signs", i)] = state.best_signs.at(i).ToBytes();
    checkpoint.floats[Numbered("row_squares", i)] = latents.row_squares;
    checkpoint.floats[Numbered("col_squares", i)] = latents.col_squares;
  }
  return checkpoint;
}

DistillState DistillStateFrom(const Checkpoint& checkpoint) {
  const Json& facts = checkpoint.facts;
  const auto gains = JsonField<size_t>(facts, "gains", kOrigin);
  DistillState state{.step = JsonField<size_t>(facts, "step", kOrigin),
                     .total_steps = JsonField<size_t>(facts, "total_steps", kOrigin),
                     .seconds = JsonField<double>(facts, "seconds", kOrigin),
                     .gains = checkpoint.Floats("gains", gains),
                     .first_moments = checkpoint.Floats("first_moments", gains),
                     .second_moments = checkpoint.Floats("second_moments", gains),
                     .best_gains = checkpoint.Floats("best_gains", gains),
                     .curve = CurveFrom(JsonField<Json>(facts, "curve", kOrigin))};
  using Signs = std::tuple<size_t, size_t, uint64_t>;
  for (const auto& [rows, cols, steps] : JsonField<std::vector<Signs>>(facts, "signs", kOrigin)) {
    const size_t i = state.latents.size();
    SignLatents::State latents{.row_squares = checkpoint.Floats(Numbered("row_squares", i), rows),
                               .col_squares = checkpoint.Floats(Numbered("col_squares", i), cols),
                               .steps = steps};
    const std::vector<std::byte>& bytes =
        checkpoint.Bytes(Numbered("latents", i), rows * cols * sizeof(int16_t));
    latents.latents.resize(rows * cols);
    std::memcpy(latents.latents.data(), bytes.data(), bytes.size());
    state.latents.push_back(std::move(latents));
    state.best_signs.push_back(SignMatrix::FromBytes(
        checkpoint.Bytes(Numbered("best_signs", i), rows * SignMatrix::RowBytes(cols)), rows, cols));
  }
  return state;
}

}  // namespace addend
