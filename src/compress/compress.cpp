#include "compress/compress.h"

#include <algorithm>
#include <optional>

#include "base/hash.h"
#include "base/version.h"
#include "calibrate/calibration_text.h"
#include "compress/compressed_start.h"
#include "compress/dense_source.h"
#include "compress/model_factorizer.h"
#include "compress/stored_results.h"
#include "compress/work_folder.h"
#include "evaluate/perplexity.h"
#include "model/transformer.h"
#include "tokenizer/tokenizer.h"
#include "tune/distill.h"

namespace addend {
namespace {

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
        start_(options.start.empty() ? std::nullopt : std::optional(LoadStart(options.start, dense_))),
        work_(options.work_folder.empty() ? Path(out.string() + ".work") : options.work_folder, Settings()) {}

  CompressReport Run() {
    if (!start_) UniformAllocation(dense_, options_.bits);  // rates that cannot be are told at once
    Stage("text", [&] { text_ = Text(); });
    if (start_) {
      student_ = std::move(*start_).model;
      report_.linears = start_->linears;
    } else {
      Stage("statistics", [&] { importance_ = Importance(); });
      Stage("allocate", [&] { allocation_ = Factorizer().Allocate(); });
      Stage("factorize", [&] { FactorizeAll(); });
    }
    Stage("distil", [&] { TuneModel(); });
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

  template <typename T>
  static Json OrNull(const std::optional<T>& value) {
    return value ? Json(*value) : Json();
  }

  // Everything that the result depends on; two jobs with equal settings may share a work folder.
  Json Settings() const {
    Json files = Json::array();
    for (const Path& file : options_.calibration) files.push_back(HashText(Hash64(ReadTextFile(file))));
    Json settings = {{"addend", kVersion}, {"model", HashText(HashOf(dense_))}};
    settings.update(start_ ? Json{{"start", start_->recipe}} : FactorizationSettings());
    settings.update({{"effort", Name(options_.effort)},
                     {"calibration", files},
                     {"calibration_length", options_.calibration_length},
                     {"distill_steps", OrNull(options_.distill_steps)},
                     {"distill_seconds", OrNull(options_.distill_seconds)},
                     {"seconds", OrNull(options_.seconds)},
                     {"seed", options_.seed}});
    return settings;
  }

  Json FactorizationSettings() const {
    return {{"bits", options_.bits},
            {"allocation", Name(options_.allocation)},
            {"method", options_.method},
            {"statistics_sequences", options_.statistics_sequences},
            {"embedding_type", Info(options_.embedding_type).name}};
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

  ModelFactorizer Factorizer() {
    return ModelFactorizer(dense_, importance_, StatisticsSequences(), options_, work_, pool_, progress_);
  }

  void FactorizeAll() {
    FactorizedModel factorized = Factorizer().Factorize(allocation_);
    student_ = std::move(factorized.model);
    report_.linears = std::move(factorized.linears);
    student_.embedding = Narrowed(dense_.embedding, options_.embedding_type);
    if (dense_.head) student_.head = Narrowed(*dense_.head, options_.embedding_type);
  }

  void TuneModel() {
    constexpr const char* kName = "distillation";
    DistillOptions options;
    if (options_.distill_seconds) {
      options.seconds = *options_.distill_seconds;
    } else if (options_.seconds) {
      options.seconds = std::max(0.0, *options_.seconds - (WallSeconds() - begin_));
    } else {
      options.steps = settings_.distill_steps;
    }
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
    if (!start_) recipe["statistics_sequences"] = StatisticsSequences().size();
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

  const double begin_ = WallSeconds();
  Path out_;
  CompressOptions options_;
  EffortSettings settings_;
  ThreadPool& pool_;
  const Progress& progress_;
  Model dense_;
  Tokenizer tokenizer_;
  std::optional<CompressedStart> start_;
  WorkFolder work_;
  CalibrationText text_;
  ModelImportance importance_;
  Allocation allocation_;
  Model student_;
  CompressReport report_;
};

}  // namespace

CompressReport Compress(const Path& source, const Path& out, const CompressOptions& options, ThreadPool& pool,
                        const Progress& progress) {
  return Job(source, out, options, pool, progress).Run();
}

}  // namespace addend
