// What the forms of the embedding cost: the original with only its embedding (and head) in another form.
//   env -u OPENBLAS_CORETYPE build/release/bench/bench_embedding DENSE --text a.txt b.txt
//     [--types q8_0 q4_0 ...] [--bits 1 1.5 ...] [--effort fast] [--sequences 32] [--test-sequences 8]
//     [--length 512] [-t THREADS]
// Importance is measured on `sequences` of the training part of the text; columns: form, bits a weight, MB,
// relative squared error of the matrix, the same weighted as for the head (rows by their logits, inputs by
// their covariance), KL divergence and agreement of the top token on the test part, the divergence with the
// head alone and with the embedding alone in this form, seconds of making it.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "base/progress.h"
#include "calibrate/calibration_text.h"
#include "compress/dense_source.h"
#include "compress/embedding_factorizer.h"
#include "evaluate/perplexity.h"
#include "factorize/errors.h"
#include "model/transformer.h"

namespace addend {
namespace {

struct Arguments {
  std::string dense, effort = "default";
  std::vector<std::string> texts, types;
  std::vector<double> bits;
  CalibrationOptions calibration;
  size_t sequences = 32, test_sequences = 8, threads = 0;
};

DType TypeNamed(const std::string& name) {
  for (uint32_t number = 0; number < 31; ++number) {
    if (IsKnownDType(number) && Info(static_cast<DType>(number)).name == name)
      return static_cast<DType>(number);
  }
  throw Error("no type ", name);
}

double Square(ConstMatrixView m) {
  double sum = 0;
  for (size_t r = 0; r < m.rows; ++r) {
    for (const float value : m.Row(r)) sum += static_cast<double>(value) * value;
  }
  return sum;
}

class Bench {
 public:
  explicit Bench(const Arguments& arguments)
      : arguments_(arguments),
        pool_(arguments.threads),
        dense_(LoadDenseModel(arguments.dense)),
        text_(ReadText()),
        weight_(dense_.HeadMatrix().ToDense()) {}

  void Run() {
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    const double begin = WallSeconds();
    importance_ = MeasureEmbeddingImportance(
        dense_, SequenceSpan(text_.training).first(std::min(arguments_.sequences, text_.training.size())),
        pool_, {});
    std::printf("importance: %.1f s\n", WallSeconds() - begin);
    for (const std::string& name : arguments_.types) {
      const double start = WallSeconds();
      Show({.type = TypeNamed(name)}, WithNarrowEmbedding(dense_, TypeNamed(name), pool_), start);
    }
    for (const double bits : arguments_.bits) {
      const double start = WallSeconds();
      Model model = dense_;
      model.embedding.weight = Factored(bits, dense_.head ? EmbeddingUse::kEmbedding : EmbeddingUse::kTied);
      if (dense_.head) model.head->weight = Factored(bits, EmbeddingUse::kHead);
      Show({.bits = bits}, model, start);
    }
  }

 private:
  CalibrationText ReadText() const {
    const std::vector<Path> paths(arguments_.texts.begin(), arguments_.texts.end());
    return ReadCalibrationText(paths, LoadTokenizer(arguments_.dense), arguments_.calibration);
  }

  FactoredWeight Factored(double bits, EmbeddingUse use) {
    const Effort effort = arguments_.effort == "fast"   ? Effort::kFast
                          : arguments_.effort == "best" ? Effort::kBest
                                                        : Effort::kDefault;
    const Linear& linear = use == EmbeddingUse::kHead ? *dense_.head : dense_.embedding;
    return FactorizeEmbedding(linear, use, importance_, bits, effort, 1, pool_).weight;
  }

  void Show(const EmbeddingForm& form, const Model& model, double start) {
    const double seconds = WallSeconds() - start;
    Matrix difference = model.HeadMatrix().ToDense();
    for (size_t i = 0; i < difference.size(); ++i) difference.values()[i] -= weight_.values()[i];
    Model head_only = dense_, embedding_only = dense_;
    head_only.head = model.HeadMatrix();
    embedding_only.head = dense_.HeadMatrix();
    embedding_only.embedding = model.embedding;
    const ProtocolDivergence result = DivergenceOf(model);
    std::printf("%-18s %7.3f %8.2f  %.5f %.5f  %.4f %.4f  %.4f %.4f  %7.1f\n", NameOf(form).c_str(),
                model.HeadMatrix().Bits() / static_cast<double>(model.HeadMatrix().size()),
                model.HeadMatrix().Bits() / 8e6, Square(difference) / Square(weight_),
                Weighted(difference) / Weighted(weight_), result.kl.mean(), result.same_top.mean(),
                DivergenceOf(head_only).kl.mean(), DivergenceOf(embedding_only).kl.mean(), seconds);
  }

  ProtocolDivergence DivergenceOf(const Model& model) {
    Transformer original(dense_, pool_), other(model, pool_);
    return Divergence(
               original, other,
               Flatten(
                   SequenceSpan(text_.test).first(std::min(text_.test.size(), arguments_.test_sequences))),
               {.window = text_.length}, {})
        .hf;
  }

  // tr(M^T diag(logits) M H)
  double Weighted(ConstMatrixView m) {
    double sum = 0;
    std::vector<double> image(m.cols);
    for (size_t i = 0; i < m.rows; i += 16) {  // a sample of the rows
      for (size_t j = 0; j < m.cols; ++j) {
        double value = 0;
        for (size_t k = 0; k < m.cols; ++k)
          value += static_cast<double>(importance_.covariance(j, k)) * m(i, k);
        sum += static_cast<double>(importance_.logits[i]) * value * m(i, j);
      }
    }
    return sum;
  }

  const Arguments& arguments_;
  ThreadPool pool_;
  Model dense_;
  CalibrationText text_;
  Matrix weight_;
  EmbeddingImportance importance_;
};

}  // namespace
}  // namespace addend

int main(int argc, char** argv) {
  addend::Arguments arguments;
  CLI::App app;
  app.add_option("dense", arguments.dense)->required();
  app.add_option("--text", arguments.texts)->required();
  app.add_option("--types", arguments.types);
  app.add_option("--bits", arguments.bits);
  app.add_option("--effort", arguments.effort);
  app.add_option("--sequences", arguments.sequences);
  app.add_option("--test-sequences", arguments.test_sequences);
  app.add_option("--length", arguments.calibration.length);
  app.add_option("-t,--threads", arguments.threads);
  CLI11_PARSE(app, argc, argv);
  addend::Bench(arguments).Run();
}
