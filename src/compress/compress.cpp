#include "compress/compress.h"

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "base/hash.h"
#include "base/version.h"
#include "calibrate/calibration_text.h"
#include "compress/block_tuner.h"
#include "compress/compressed_start.h"
#include "compress/dense_source.h"
#include "compress/embedding_stage.h"
#include "compress/model_factorizer.h"
#include "compress/recipe.h"
#include "compress/size_choice.h"
#include "compress/stored_results.h"
#include "compress/work_folder.h"
#include "evaluate/perplexity.h"
#include "kernels/target.h"
#include "linalg/gemm.h"
#include "model/compressed_format.h"
#include "model/transformer.h"
#include "tokenizer/tokenizer.h"
#include "tune/distill.h"

namespace addend {
namespace {

Path WorkFolderOf(const Path& out, const CompressOptions& options) {
  return options.work_folder.empty() ? Path(out.string() + ".work") : options.work_folder;
}

bool IsIn(const Path& path, const Path& folder) {
  std::error_code failure;  // with paths that are no good; whoever uses them tells better
  const Path way = std::filesystem::relative(std::filesystem::absolute(path, failure), folder, failure);
  return !way.empty() && *way.begin() != "..";
}

std::vector<std::string> Checksums(const Path& compressed) {
  return GgufFile(compressed).metadata().Array<std::string>(compressed_format::kChecksumsKey);
}

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
        text_(options.calibration.empty() ? CalibrationText() : GivenText()),
        work_(WorkFolderOf(out, options), Settings()) {}

  CompressReport Run() {
    for (const std::string& name : work_.damaged()) {
      Report(progress_, {"resume", 1, 1, name + " was damaged and is made again"});
    }
    if (!options_.calibration.empty()) RecordText();
    if (!start_) {
      // Sizes and rates that cannot be, and values that the embedding's type cannot hold, are told at once.
      if (options_.file_bytes) guess_ = GuessForSize(dense_, options_);
      UniformAllocation(dense_, guess_ ? guess_->bits : options_.bits);
      CheckEmbedding(dense_, options_.Embedding(), pool_);
    }
    Stage("text", [&] {
      if (options_.calibration.empty()) {
        text_ = WrittenText();
        RecordText();
      }
      CheckOriginal();
    });
    if (!start_ || options_.block_epochs > 0) Stage("statistics", [&] { importance_ = Importance(); });
    if (start_) {
      student_ = std::move(*start_).model;
      report_.linears = start_->linears;
    } else {
      EmbeddingStage embeddings(dense_, StatisticsSequences(), options_, work_, pool_, progress_);
      if (guess_) Stage("size", [&] { Split(embeddings); });
      Stage("embedding", [&] { EmbeddingToItsForm(embeddings); });
      Stage("allocate", [&] { allocation_ = Factorizer().Allocate(); });
      Stage("factorize", [&] { FactorizeAll(); });
    }
    if (options_.block_epochs > 0) Stage("tune blocks", [&] { TuneAllBlocks(); });
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
    Json settings = {{"addend", kVersion}, {"model", HashText(HashOf(dense_))}};
    settings.update(start_ ? Json{{"start", start_->recipe}} : FactorizationSettings());
    settings.update({{"effort", Name(options_.effort)},
                     {"calibration_length", options_.calibration_length},
                     {"train", Name(settings_.train)},
                     {"block_epochs", options_.block_epochs},
                     {"distill_steps", OrNull(options_.distill_steps)},
                     {"distill_seconds", OrNull(options_.distill_seconds)},
                     {"seconds", OrNull(options_.seconds)},
                     {"seed", options_.seed},
                     // The last: length and seed are part of it.
                     {"calibration", options_.calibration.empty() ? Json() : Json(HashText(text_.hash))}});
    return settings;
  }

  Json FactorizationSettings() const {
    const EmbeddingForm embedding = options_.Embedding();
    const bool open = options_.file_bytes && !split_;  // then the job finds out what stands there
    return {{"size", OrNull(options_.file_bytes)},
            {"bits", open ? Json() : Json(options_.bits)},
            {"allocation", Name(options_.allocation)},
            {"method", options_.method},
            {"prefix", Name(options_.prefix)},
            {"statistics_sequences", options_.statistics_sequences},
            {"embedding_type",
             options_.ChoosesEmbedding() || embedding.factored() ? Json() : Json(Info(embedding.type).name)},
            {"embedding_bits", embedding.factored() ? Json(embedding.bits) : Json()}};
  }

  CalibrationText GivenText() const {
    return ReadCalibrationText(options_.calibration, tokenizer_, options_.TextOptions());
  }

  template <typename Work>
  auto WithOriginal(Work&& work) const {
    return WithContext(dense_.metadata.origin + ": the original model fails", std::forward<Work>(work));
  }

  CalibrationText WrittenText() {
    constexpr const char* kName = "text";
    if (work_.Has(kName)) return TextFrom(work_.Load(kName));
    CalibrationText text = WithOriginal([&] {
      return GenerateCalibrationText(dense_, tokenizer_, options_.TextOptions(), pool_, progress_);
    });
    work_.Save(kName, ToCheckpoint(text));
    return text;
  }

  // In the metadata of the model that the file will be made from. Of a start that does not say what it was
  // made with, not all is known: then nothing is better than half of it.
  void RecordText() {
    TextFingerprint fingerprint = FingerprintOf(text_, tokenizer_);
    if (fingerprint.values().empty()) return;  // sequences of a few words: not known is not the same as none
    if (!start_) {
      SetFingerprint(fingerprint, dense_);
    } else if (const std::optional<TextFingerprint> before = FingerprintOf(start_->model)) {
      fingerprint.Add(*before);
      SetFingerprint(fingerprint, start_->model);
    }
  }

  // Finite weights can still overflow on the way; better told now than after hours.
  void CheckOriginal() {
    Transformer original(dense_, pool_);
    WithOriginal([&] { Perplexity(original, text_.test.front(), {.window = text_.length}, {}); });
  }

  SequenceSpan StatisticsSequences() const {
    return SequenceSpan(text_.training)
        .first(std::min(text_.training.size(), settings_.statistics_sequences));
  }

  ModelImportance Importance() {
    constexpr const char* kName = "importance";
    if (work_.Has(kName)) return ImportanceFrom(work_.Load(kName), dense_);
    const SequenceSpan sequences = StatisticsSequences();
    ModelImportance importance =
        MeasureImportance(dense_, sequences.first(ImportanceSequences(sequences.size())), pool_, progress_);
    work_.Save(kName, ToCheckpoint(importance));
    return importance;
  }

  // Sets rate and embedding to the best that the size allows.
  void Split(EmbeddingStage& embeddings) {
    constexpr const char* kName = "size";
    if (!work_.Has(kName)) {
      options_.bits = guess_->bits;
      const ModelLoss losses = Factorizer().PilotLosses();
      const std::vector<EmbeddingCandidate> candidates =
          options_.ChoosesEmbedding() ? embeddings.Candidates(text_.held_out)
                                      : std::vector<EmbeddingCandidate>{{options_.Embedding(), 0}};
      work_.Save(kName, ToCheckpoint(ChooseForSize(dense_, candidates, losses, text_.length - 1,
                                                   options_.allocation, *options_.file_bytes)));
    }
    const SizeChoice choice = SizeChoiceFrom(work_.Load(kName));
    options_.bits = choice.bits;
    options_.SetEmbedding(choice.embedding);
    split_ = true;
  }

  // embedded_: the dense model with embedding and head as the file will have them.
  void EmbeddingToItsForm(EmbeddingStage& embeddings) {
    EmbeddedModel embedded = embeddings.ToForm(options_.Embedding());
    embedded_ = std::move(embedded.model);
    report_.embeddings = std::move(embedded.embeddings);
  }

  ModelFactorizer Factorizer() {
    return ModelFactorizer(dense_, embedded_, importance_, StatisticsSequences(), options_, work_, pool_,
                           progress_);
  }

  void FactorizeAll() {
    FactorizedModel factorized = Factorizer().Factorize(allocation_);
    student_ = std::move(factorized.model);
    report_.linears = std::move(factorized.linears);
  }

  void TuneAllBlocks() {
    const BlockTuningPlan plan{.epochs = options_.block_epochs,
                               .trains_signs = settings_.train == Training::kAll,
                               .seed = options_.seed};
    report_.blocks = TuneBlocks(student_, dense_, importance_, FreshText(), plan, work_, pool_, progress_);
  }

  void TuneModel() {
    constexpr const char* kName = "distillation";
    DistillOptions options{.trains_signs = settings_.train == Training::kAll};
    if (options_.distill_seconds) {
      options.seconds = *options_.distill_seconds;
    } else if (options_.seconds) {
      options.seconds = std::max(0.0, *options_.seconds - (WallSeconds() - begin_));
    } else {
      options.steps = settings_.distill_steps;
    }
    if (work_.Has(kName)) options.resume = DistillStateFrom(work_.Load(kName));
    options.save = [&](const DistillState& state) { work_.Save(kName, ToCheckpoint(state)); };
    report_.distill = Distill(student_, dense_, FreshText(), options, pool_, progress_);
  }

  // What the weights were fitted to already comes last: there the student is better than elsewhere, which
  // would mislead its tuning (docs/results.md).
  CalibrationText FreshText() const {
    size_t fitted = start_ ? 0 : StatisticsSequences().size();
    fitted += std::min(report_.blocks.empty() ? 0 : kBlockTuningSequences, text_.training.size() - fitted);
    CalibrationText text = text_;
    std::ranges::rotate(text.training, text.training.begin() + static_cast<ptrdiff_t>(fitted));
    return text;
  }

  // Quality is measured on a file, but is also part of the file, in front of the weights. So the model is
  // written twice, and the weights of both files must be the same.
  void Save() {
    const Path candidate = work_.Scratch("candidate");
    SaveModel(student_, candidate);
    Model measured = LoadModel(candidate);
    report_.quality = MeasureQuality(measured);
    // File names need not be UTF-8, JSON must be.
    measured.metadata.Set(kRecipeKey, Recipe().dump(-1, ' ', false, Json::error_handler_t::replace));
    SaveModel(measured, out_);
    const Model delivered = LoadCheckedModel(out_);  // also compares its checksums
    if (Checksums(out_) != Checksums(candidate)) {
      throw Error(out_.string(), ": the weights read back are not those that were measured");
    }
    std::filesystem::remove(candidate);
    report_.file = out_;
    report_.file_bytes = std::filesystem::file_size(out_);
    report_.size = CountBits(delivered);
  }

  QualityReport MeasureQuality(const Model& compressed) {
    Transformer original(dense_, pool_), other(compressed, pool_);
    const std::vector<TokenId> tokens = Flatten(text_.test);
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
    recipe["calibration"] = {{"sources", text_.sources}, {"hash", HashText(text_.hash)}};
    if (!start_) recipe["statistics_sequences"] = StatisticsSequences().size();
    recipe["distill_steps"] = report_.distill.steps;
    // Other kernels round otherwise: the file comes out the same bit for bit only with these.
    recipe["kernels"] = {{"target", Name(CurrentTarget())}, {"openblas", BlasKernels()}};
    recipe["tuning"] = TuningCurve();
    recipe["test"] = {{"protocol", "hf"},
                      {"window", text_.length},
                      {"tokens", report_.quality.tokens},
                      {"dense_perplexity", report_.quality.dense_perplexity},
                      {"perplexity", report_.quality.perplexity},
                      {"kl_divergence", report_.quality.divergence},
                      {"top1_agreement", report_.quality.top1_agreement}};
    recipe[kRecipeLinears] = Json::object();
    const auto add = [&](const LinearReport& linear) {
      recipe[kRecipeLinears][linear.name] = {{"rank", linear.rank},
                                             {"bits", linear.bits},
                                             {"weighted_error", linear.weighted_error},
                                             {"output_error", linear.output_error}};
    };
    std::ranges::for_each(report_.embeddings, add);
    std::ranges::for_each(report_.linears, add);
    return recipe;
  }

  Json TuningCurve() const {
    Json curve = {{"steps", Json::array()}, {"held_out_kl", Json::array()}};
    for (const DistillPoint& point : report_.distill.curve) {
      curve["steps"].push_back(point.step);
      curve["held_out_kl"].push_back(point.held_out);
    }
    return curve;
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
  CalibrationText text_;  // before the work folder: a text that is no good leaves none behind
  WorkFolder work_;
  ModelImportance importance_;
  std::optional<SizeChoice> guess_;  // with a size: before anything is measured
  bool split_ = false;               // and whether what it leaves open is decided
  Model embedded_;
  Allocation allocation_;
  Model student_;
  CompressReport report_;
};

}  // namespace

void CheckWorkFolder(const Path& out, const CompressOptions& options) {
  const Path folder = WorkFolderOf(out, options);
  WorkFolder::Check(folder);
  if (IsIn(out, folder)) {
    throw Error(out.string(), ": is in the work folder ", folder.string(), ", which takes nothing else");
  }
}

CompressReport Compress(const Path& source, const Path& out, const CompressOptions& options, ThreadPool& pool,
                        const Progress& progress) {
  CheckWorkFolder(out, options);
  return Job(source, out, options, pool, progress).Run();
}

}  // namespace addend
