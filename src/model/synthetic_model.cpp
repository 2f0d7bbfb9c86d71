#include "model/synthetic_model.h"

#include <cmath>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/format.h"
#include "base/json.h"
#include "base/random.h"
#include "model/load_hugging_face_config.h"
#include "model/tensor_list.h"

namespace addend {
namespace {

struct Shape {
  std::string_view name;
  size_t blocks, hidden, heads, kv_heads, feed_forward, vocabulary, context;
  bool tied_head;
  float rope_theta;
};

constexpr Shape kShapes[] = {
    {"smollm2-135m", 30, 576, 9, 3, 1536, 49152, 8192, true, 100000},
    {"llama-3.2-1b", 16, 2048, 32, 8, 8192, 128256, 8192, true, 500000},
    {"llama-2-7b", 32, 4096, 32, 32, 11008, 32000, 4096, false, 10000},
    {"llama-3-8b", 32, 4096, 32, 8, 14336, 128256, 8192, false, 500000},
};

ModelConfig ConfigOf(const Shape& shape) {
  ModelConfig config;
  config.name = shape.name;
  config.blocks = shape.blocks;
  config.hidden = shape.hidden;
  config.heads = shape.heads;
  config.kv_heads = shape.kv_heads;
  config.head_dim = shape.hidden / shape.heads;
  config.feed_forward = shape.feed_forward;
  config.vocabulary = shape.vocabulary;
  config.context = shape.context;
  config.tied_head = shape.tied_head;
  config.rope_theta = shape.rope_theta;
  config.attention_scale = 1 / std::sqrt(static_cast<float>(config.head_dim));
  config.slides.assign(config.blocks, false);
  return config;
}

// Values with a root mean square of `size`.
std::vector<float> Scales(size_t count, double size, Rng& random) {
  constexpr double kRootMeanSquare = 1.0408;  // of uniform numbers between 0.5 and 1.5
  std::vector<float> scales(count);
  for (float& scale : scales) {
    scale = static_cast<float>(size / kRootMeanSquare * (0.5 + random.Uniform()));
  }
  return scales;
}

FactoredWeight RandomFactors(size_t outputs, size_t inputs, double bits, Rng& random) {
  const size_t rank = RankForBits(outputs, inputs, bits);
  if (rank == 0) {
    throw Error("not even rank 1 of a [", outputs, ", ", inputs, "] matrix fits ", bits, " bits per weight");
  }
  FactoredWeight weight;
  weight.A = SignMatrix::Random(outputs, rank, random);
  weight.B = SignMatrix::Random(rank, inputs, random);
  weight.a = Scales(outputs, 1, random);
  weight.mid = Scales(rank, 1 / std::sqrt(static_cast<double>(rank)), random);
  weight.b = Scales(inputs, 1 / std::sqrt(static_cast<double>(inputs)), random);
  weight.RoundScalesToHalf();
  return weight;
}

// Uniform values: a normal distribution would take most of the time of making a large model.
StoredMatrix RandomMatrix(size_t rows, size_t cols, const SyntheticOptions& options, std::string_view name,
                          ThreadPool& pool) {
  const size_t row_bytes = BytesOf(options.embedding, cols);
  std::vector<std::byte> bytes(rows * row_bytes);
  const double size = 2 * std::sqrt(3 / static_cast<double>(cols));
  pool.For(rows, [&](size_t r) {
    Rng random(options.seed + r, name);
    std::vector<float> row(cols);
    for (float& value : row) value = static_cast<float>(size * (random.Uniform() - 0.5));
    Quantize(options.embedding, row, std::span(bytes).subspan(r * row_bytes, row_bytes));
  });
  return StoredMatrix(options.embedding, rows, cols, std::move(bytes));
}

// Fills what VisitTensors walks through; linears are only listed, to be filled by many threads.
class Filler {
 public:
  Filler(const ModelConfig& config, const SyntheticOptions& options, ThreadPool& pool)
      : config_(config), options_(options), pool_(pool) {}

  void Embedding(const std::string& name, addend::Linear& linear) {
    linear.weight = RandomMatrix(config_.vocabulary, config_.hidden, options_, name, pool_);
  }
  void Linear(const std::string& name, addend::Linear& linear, LinearKind kind) {
    linears_.push_back({name, &linear, ShapeOf(config_, kind)});
  }
  void Norm(const std::string&, std::vector<float>& gains, size_t size) { gains.assign(size, 1); }

  void FillLinears() {
    pool_.For(linears_.size(), [&](size_t i) {
      const auto& [name, linear, shape] = linears_[i];
      Rng random(options_.seed, name);
      linear->weight = RandomFactors(shape.outputs, shape.inputs, options_.bits, random);
    });
  }

 private:
  struct Listed {
    std::string name;
    addend::Linear* linear;
    LinearShape shape;
  };
  const ModelConfig& config_;
  const SyntheticOptions& options_;
  ThreadPool& pool_;
  std::vector<Listed> linears_;
};

}  // namespace

std::vector<std::string> ShapeNames() {
  std::vector<std::string> names;
  for (const Shape& shape : kShapes) names.emplace_back(shape.name);
  return names;
}

ModelConfig ShapeNamed(std::string_view name) {
  for (const Shape& shape : kShapes) {
    if (shape.name == name) return ConfigOf(shape);
  }
  throw Error("'", name, "' is not the name of a shape; known are ", Joined(kShapes, &Shape::name));
}

ModelConfig ShapeFromConfig(const Path& config_json) {
  const std::string origin = config_json.string();
  ModelConfig config = ParseHuggingFaceConfig(ParseJson(ReadTextFile(config_json), origin), origin).model;
  config.name = config_json.parent_path().filename();
  return config;
}

Model SyntheticModel(const ModelConfig& config, const SyntheticOptions& options, ThreadPool& pool) {
  config.Validate("a synthetic model");
  Model model;
  model.config = config;
  model.blocks.resize(config.blocks);
  if (!config.tied_head) model.head.emplace();
  Filler filler(config, options, pool);
  VisitTensors(model, GgufNames(), filler);
  filler.FillLinears();
  return model;
}

}  // namespace addend
