#include "compress/compress.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "allocate/allocation.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/interrupt.h"
#include "base/random.h"
#include "base/version.h"
#include "calibrate/calibration_text.h"
#include "calibrate/covariance.h"
#include "calibrate/importance.h"
#include "compress/dense_source.h"
#include "compress/stored_results.h"
#include "compress/work_folder.h"
#include "evaluate/perplexity.h"
#include "model/transformer.h"
#include "tokenizer/tokenizer.h"
#include "tune/distill.h"

namespace addend {
namespace {

constexpr size_t kPilotSteps = 15;

// One compression: what every stage needs, and the stages in order.
class Job {
 public:
  Job(const Path& source, const Path& out, const CompressOptions& options, ThreadPool& pool,
      const Progress& progress)
      : out_(out),
        options_(options),
        settings_(options.Settings()),
        pool_(pool),
        progress_(progress),
        dense_(LoadDenseModel(source)),
        tokenizer_(LoadTokenizer(source)),
        allocation_(UniformAllocation(dense_, options.bits)),
        work_(options.work_folder.empty() ? Path(out.string() + ".work") : options.work_folder, Settings()) {}

  CompressReport Run() {
    Stage("text", [&] { text_ = Text(); });
    Stage("statistics", [&] { importance_ = Importance(); });
    Stage("allocate", [&] { Allocate(); });
    Stage("factorize", [&] { FactorizeAll(); });
    Stage("distil", [&] { DistillScales(); });
    Stage("save", [&] { Save(); });
    report_.peak_memory_bytes = PeakMemoryBytes();
    if (!options_.keep_work_folder) work_.Delete();
    return std::move(report_);
  }

 private:
  template <typename Work>
  void Stage(const char* name, Work&& work) {
    const double begin = WallSeconds();
    work();
    report_.stage_seconds.emplace_back(name, WallSeconds() - begin);
  }

  // Everything that the result depends on; two jobs with equal settings may share a work folder.
  Json Settings() const {
    Json files = Json::array();
    for (const Path& file : options_.calibration) files.push_back(HashText(Hash64(ReadTextFile(file))));
    return {{"addend", kVersion},
            {"model", HashText(HashOf(dense_))},
            {"bits", options_.bits},
            {"allocation", Name(options_.allocation)},
            {"effort", Name(options_.effort)},
            {"method", options_.method},
            {"calibration", files},
            {"calibration_length", options_.calibration_length},
            {"statistics_sequences", options_.statistics_sequences},
            {"embedding_type", Info(options_.embedding_type).name},
            {"distill_seconds", options_.distill_seconds ? Json(*options_.distill_seconds) : Json()},
            {"distill_steps", options_.distill_steps},
            {"seed", options_.seed}};
  }

  CalibrationText Text() {
    CalibrationOptions options{.length = options_.calibration_length, .seed = options_.seed};
    if (!options_.calibration.empty()) return ReadCalibrationText(options_.calibration, tokenizer_, options);
    constexpr const char* kName = "text";
    if (work_.Has(kName)) return TextFrom(work_.Load(kName));
    options.max_sequences =
        2 * settings_.statistics_sequences;  // sampling is slow, and more of it helps little
    const CalibrationText text = GenerateCalibrationText(dense_, tokenizer_, options, pool_, progress_);
    work_.Save(kName, ToCheckpoint(text));
    return text;
  }

  SequenceSpan StatisticsSequences() const {
    return SequenceSpan(text_.training)
        .first(std::min(text_.training.size(), settings_.statistics_sequences));
  }

  ModelImportance Importance() {
    constexpr const char* kName = "importance";
    if (work_.Has(kName)) return ImportanceFrom(work_.Load(kName), dense_);
    ModelImportance importance = MeasureImportance(dense_, StatisticsSequences(), pool_, progress_);
    work_.Save(kName, ToCheckpoint(importance));
    return importance;
  }

  void Allocate() {
    if (options_.allocation == AllocationPolicy::kUniform) return;
    const auto name = [](size_t b) { return "pilot." + std::to_string(b); };
    WalkBlocks(
        "allocate", [&](size_t b) { return work_.Has(name(b)); },
        [&](size_t b, BlockCovariance& covariance) {
          BlockLoss block;
          ForLinears(b, [&](LinearKind kind) {
            block[static_cast<size_t>(kind)] = PilotLoss(b, kind, covariance.For(kind));
          });
          work_.Save(name(b), ToCheckpoint(block));
        });
    ModelLoss losses;
    for (size_t b = 0; b < dense_.blocks.size(); ++b) losses.push_back(BlockLossFrom(work_.Load(name(b))));
    allocation_ = MarginalAllocation(dense_, losses, options_.bits);
  }

  // A short ADMM is enough: what it loses against the real factorization, it loses everywhere alike.
  LayerLoss PilotLoss(size_t b, LinearKind kind, const Matrix& covariance) {
    const Linear& linear = dense_.blocks[b][kind];
    FactorizeOptions options = OptionsFor(b, kind);
    options.method = "nanoquant-admm";
    options.admm_steps = kPilotSteps;
    const Matrix weight = linear.ToDense();
    const FactorizeResult result = Factorize(ProblemOf(b, kind, weight, covariance), options, pool_);
    return {.bits = BitsPerWeight(linear.outputs(), linear.inputs(), options.rank),
            .loss = result.output_error * result.output_energy};
  }

  void FactorizeAll() {
    student_ = dense_;  // shares the stored weights; the linears are replaced one by one
    student_.embedding = Narrowed(dense_.embedding, options_.embedding_type);
    if (dense_.head) student_.head = Narrowed(*dense_.head, options_.embedding_type);
    const auto done = [&](size_t b) {
      return std::all_of(kLinearKinds.begin(), kLinearKinds.end(),
                         [&](LinearKind kind) { return work_.Has(LinearName(b, kind)); });
    };
    WalkBlocks("factorize", done, [&](size_t b, BlockCovariance& covariance) {
      ForLinears(b, [&](LinearKind kind) {
        const std::string name = LinearName(b, kind);
        if (work_.Has(name)) return;
        work_.Save(name, ToCheckpoint(FactorizeLinear(b, kind, covariance.For(kind))));
      });
    });
    for (size_t b = 0; b < dense_.blocks.size(); ++b) {
      for (const LinearKind kind : kLinearKinds) {
        FactorizedLinear linear = LinearFrom(work_.Load(LinearName(b, kind)));
        report_.linears.push_back(linear.report);
        student_.blocks[b][kind].weight = std::move(linear.weight);
      }
    }
  }

  // Calls work(block, covariance) for the blocks of the dense model in order, except those that done(block)
  // tells to skip.
  void WalkBlocks(const char* stage, const std::function<bool(size_t)>& done,
                  const std::function<void(size_t, BlockCovariance&)>& work) {
    DenseStream stream(dense_, StatisticsSequences(), pool_);
    const size_t count = dense_.blocks.size();
    for (size_t b = 0; b < count; ++b) {
      ThrowIfInterrupted();
      if (done(b)) {
        stream.Skip();
      } else {
        BlockCovariance covariance = stream.Next();
        work(b, covariance);
      }
      Report(progress_, {stage, static_cast<double>(b + 1), static_cast<double>(count), "blocks"});
    }
  }

  // Calls work(kind) for the linears of a block in parallel.
  void ForLinears(size_t b, const std::function<void(LinearKind)>& work) {
    // The largest first, so that the threads finish together.
    std::vector<LinearKind> kinds(kLinearKinds.begin(), kLinearKinds.end());
    const auto cost = [&](LinearKind kind) {
      return dense_.blocks[b][kind].outputs() * dense_.blocks[b][kind].inputs() * allocation_.Rank(b, kind);
    };
    std::stable_sort(kinds.begin(), kinds.end(),
                     [&](LinearKind x, LinearKind y) { return cost(x) > cost(y); });
    pool_.For(kinds.size(), [&](size_t i) {
      ThrowIfInterrupted();
      WithContext(LinearName(b, kinds[i]), [&] { work(kinds[i]); });
    });
  }

  FactorizeOptions OptionsFor(size_t b, LinearKind kind) const {
    return {.method = options_.method,
            .effort = options_.effort,
            .rank = allocation_.Rank(b, kind),
            .seed = Rng(options_.seed, LinearName(b, kind)).Next()};
  }

  FactorizeProblem ProblemOf(size_t b, LinearKind kind, const Matrix& weight,
                             const Matrix& covariance) const {
    const LinearImportance& importance = importance_[b][static_cast<size_t>(kind)];
    return {.weight = weight,
            .output_importance = importance.output,
            .input_importance = importance.input,
            .input_covariance = covariance};
  }

  FactorizedLinear FactorizeLinear(size_t b, LinearKind kind, const Matrix& covariance) {
    const Linear& linear = dense_.blocks[b][kind];
    const Matrix weight = linear.ToDense();
    const FactorizeOptions options = OptionsFor(b, kind);
    FactorizeResult result = Factorize(ProblemOf(b, kind, weight, covariance), options, pool_);
    return {.weight = std::move(result.weight),
            .report = {.name = LinearName(b, kind),
                       .outputs = linear.outputs(),
                       .inputs = linear.inputs(),
                       .rank = options.rank,
                       .bits = BitsPerWeight(linear.outputs(), linear.inputs(), options.rank),
                       .weighted_error = result.weighted_error,
                       .output_error = result.output_error,
                       .seconds = result.seconds}};
  }

  void DistillScales() {
    constexpr const char* kName = "distillation";
    DistillOptions options{.steps = options_.distill_steps, .seconds = settings_.distill_seconds};
    if (work_.Has(kName)) options.resume = DistillStateFrom(work_.Load(kName));
    options.save = [&](const DistillState& state) { work_.Save(kName, ToCheckpoint(state)); };
    report_.distill = Distill(student_, dense_, text_, options, pool_, progress_);
  }

  // What is printed and recorded as quality is measured on the file as it was written.
  void Save() {
    const Path candidate = work_.path() / "candidate.gguf";
    SaveModel(student_, candidate);
    Model written = LoadModel(candidate);
    report_.quality = MeasureQuality(written);
    // File names need not be UTF-8, JSON must be.
    written.metadata.Set("addend.recipe", Recipe().dump(-1, ' ', false, Json::error_handler_t::replace));
    SaveModel(written, out_);
    report_.file = out_;
    report_.file_bytes = std::filesystem::file_size(out_);
    report_.size = CountBits(written);
  }

  QualityReport MeasureQuality(const Model& compressed) {
    Transformer original(dense_, pool_), other(compressed, pool_);
    const std::vector<TokenId> tokens = Flatten(text_.held_out);
    const DivergenceResult result = Divergence(original, other, tokens, {.window = text_.length}, progress_);
    return {.tokens = tokens.size(),
            .dense_perplexity = result.reference.hf.Perplexity(),
            .perplexity = result.other.hf.Perplexity(),
            .divergence = result.hf.kl.mean(),
            .top1_agreement = result.hf.same_top.mean()};
  }

  // Nothing that differs between two runs of the same job: no dates, no seconds.
  Json Recipe() const {
    Json recipe = Settings();
    recipe["calibration_sources"] = text_.sources;
    recipe["calibration_hash"] = HashText(text_.hash);
    recipe["statistics_sequences"] = StatisticsSequences().size();
    recipe["distill_steps"] = report_.distill.steps;
    recipe["held_out"] = {{"tokens", report_.quality.tokens},
                          {"dense_perplexity", report_.quality.dense_perplexity},
                          {"perplexity", report_.quality.perplexity},
                          {"kl_divergence", report_.quality.divergence},
                          {"top1_agreement", report_.quality.top1_agreement}};
    recipe["linears"] = Json::object();
    for (const LinearReport& linear : report_.linears) {
      recipe["linears"][linear.name] = {{"rank", linear.rank},
                                        {"bits", linear.bits},
                                        {"weighted_error", linear.weighted_error},
                                        {"output_error", linear.output_error}};
    }
    return recipe;
  }

  Path out_;
  CompressOptions options_;
  EffortSettings settings_;
  ThreadPool& pool_;
  const Progress& progress_;
  Model dense_;
  Tokenizer tokenizer_;
  Allocation allocation_;
  WorkFolder work_;
  CalibrationText text_;
  ModelImportance importance_;
  Model student_;
  CompressReport report_;
};

}  // namespace

CompressReport Compress(const Path& source, const Path& out, const CompressOptions& options, ThreadPool& pool,
                        const Progress& progress) {
  return Job(source, out, options, pool, progress).Run();
}

}  // namespace addend
