// Embedding and head on their way into the file: the forms that they could have, what these cost, and the one
// that they get.
#pragma once
#include <optional>
#include <vector>

#include "base/progress.h"
#include "base/threads.h"
#include "compress/embedding_factorizer.h"
#include "compress/report.h"
#include "compress/size_choice.h"
#include "compress/work_folder.h"

namespace addend {

// Throws Error when embedding or head cannot have that form. Quick.
void CheckEmbedding(const Model& dense, const EmbeddingForm& form, ThreadPool& pool);

struct EmbeddedModel {
  Model model;  // shares everything but embedding and head with what it was made from
  std::vector<LinearReport> embeddings;  // of those that were factored
};

class EmbeddingStage {
 public:
  // All of them must outlive this. `sequences`: what importance is measured on, when it is needed.
  EmbeddingStage(const Model& dense, SequenceSpan sequences, const CompressOptions& options,
                 const WorkFolder& work, ThreadPool& pool, const Progress& progress);

  // Every form that --size may choose, tried in the original on the first few of `held_out`.
  std::vector<EmbeddingCandidate> Candidates(SequenceSpan held_out);
  // What is factored for it is kept in the work folder.
  EmbeddedModel ToForm(const EmbeddingForm& form);

 private:
  const EmbeddingImportance& Importance();
  Model Factored(double bits);
  double Divergence(const Model& embedded, SequenceSpan held_out) const;
  LinearReport Factor(EmbeddingUse use, double bits, Linear& linear);

  const Model& dense_;
  SequenceSpan sequences_;
  const CompressOptions& options_;
  const WorkFolder& work_;
  ThreadPool& pool_;
  const Progress& progress_;
  std::optional<EmbeddingImportance> importance_;
};

}  // namespace addend
