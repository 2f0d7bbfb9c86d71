#include "model/transformer.h"

#include <algorithm>

#include "base/error.h"
#include "kernels/attention.h"
#include "kernels/vector_ops.h"

namespace addend {
namespace {

// Rows that go through the blocks together: enough that decoding or repacking a weight is cheap beside its
// product, few enough that the activations stay small whatever the length of a prompt.
constexpr size_t kBatchRows = 512;

// Queries of a prompt that attend together, so that many threads share a long one.
constexpr size_t kAttentionRows = 64;
// Products of fewer multiply-adds run side by side: dividing each of them among the threads would cost more
// in hand-offs than it brings.
constexpr size_t kSmallProduct = size_t{1} << 22;

}  // namespace

Transformer::RunnableBlock::RunnableBlock(const Block& block, WeightMemory& memory, ThreadPool& pool)
    : norms(block),
      q(block[LinearKind::kQ], memory, pool),
      k(block[LinearKind::kK], memory, pool),
      v(block[LinearKind::kV], memory, pool),
      o(block[LinearKind::kO], memory, pool),
      gate(block[LinearKind::kGate], memory, pool),
      up(block[LinearKind::kUp], memory, pool),
      down(block[LinearKind::kDown], memory, pool) {}

Transformer::Transformer(const Model& model, ThreadPool& pool, Precision precision)
    : model_(model),
      config_(model.config),
      pool_(pool),
      precision_(precision),
      embedding_(model.embedding),
      head_(model.HeadMatrix(), weights_, pool),
      rope_(config_, RopeKind::kFull),
      sliding_rope_(config_, RopeKind::kSliding) {
  blocks_.resize(model.blocks.size());
  pool.For(blocks_.size(),
           [&](size_t i) { blocks_[i] = std::make_unique<RunnableBlock>(model.blocks[i], weights_, pool); });
}

void Transformer::Forward(std::span<const TokenId> tokens, KvCache& cache, LogitRows rows, Matrix& logits) {
  ForwardHidden(tokens, cache, hidden_);
  const size_t wanted = rows == LogitRows::kNone   ? 0
                        : rows == LogitRows::kLast ? std::min<size_t>(1, tokens.size())
                                                   : tokens.size();
  logits.Reshape(wanted, config_.vocabulary);
  Logits(hidden_.view().Rows(tokens.size() - wanted, wanted), logits);
}

void Transformer::ForwardHidden(std::span<const TokenId> tokens, KvCache& cache, Matrix& hidden) {
  const SequenceTokens sequence{tokens, &cache};
  ForwardHidden({&sequence, 1}, hidden);
}

void Transformer::ForwardHidden(std::span<const SequenceTokens> sequences, Matrix& hidden) {
  Check(sequences);
  std::vector<TokenId> batch;
  std::vector<Run> runs;
  size_t total = 0, done = 0;
  for (const SequenceTokens& sequence : sequences) total += sequence.tokens.size();
  hidden.Reshape(total, config_.hidden);

  const auto run_batch = [&] {
    RunBatch(batch, runs, hidden.view().Rows(done, batch.size()));
    done += batch.size();
    batch.clear();
    runs.clear();
  };
  for (const auto& [tokens, cache] : sequences) {
    for (size_t taken = 0; taken < tokens.size();) {
      const auto part = tokens.subspan(taken, std::min(tokens.size() - taken, kBatchRows - batch.size()));
      runs.push_back({cache, batch.size(), part.size(), cache->length()});
      batch.insert(batch.end(), part.begin(), part.end());
      taken += part.size();
      if (batch.size() == kBatchRows) run_batch();
    }
  }
  if (!batch.empty()) run_batch();
}

void Transformer::Check(std::span<const SequenceTokens> sequences) const {
  for (const auto& [tokens, cache] : sequences) {
    cache->CheckRoom(tokens.size());
    for (const TokenId token : tokens) {
      if (token >= config_.vocabulary) {
        throw Error("token id ", token, " is outside of the model's vocabulary of ", config_.vocabulary);
      }
    }
  }
}

void Transformer::RunBatch(std::span<const TokenId> tokens, std::span<const Run> runs, MatrixView hidden) {
  for (const Run& run : runs) {
    rope_.Extend(run.first_position + run.rows);
    sliding_rope_.Extend(run.first_position + run.rows);
  }
  Embed(tokens);
  for (size_t i = 0; i < blocks_.size(); ++i) ForwardBlock(i, runs);
  Norm(stream_, model_.final_norm, hidden);
  for (const Run& run : runs) run.cache->Advance(run.rows);
}

void Transformer::Logits(ConstMatrixView hidden, MatrixView logits) {
  if (hidden.rows == 0) return;
  const OperationTimer timer(times_, Operation::kHead);
  head_.Apply(hidden, logits, pool_, precision_);
  if (config_.logit_softcap == 0) return;
  pool_.For(logits.rows, [&](size_t r) { Softcap(config_.logit_softcap, logits.Row(r)); });
}

void Transformer::Embed(std::span<const TokenId> tokens) {
  const OperationTimer timer(times_, Operation::kEmbedding);
  stream_.Reshape(tokens.size(), config_.hidden);
  embedding_.Rows(tokens, stream_, pool_, precision_);
  if (config_.embedding_scale == 1) return;
  for (size_t t = 0; t < tokens.size(); ++t) Scale(config_.embedding_scale, stream_.Row(t));
}

void Transformer::ForwardBlock(size_t index, std::span<const Run> runs) {
  const RunnableBlock& block = *blocks_[index];
  normed_.Reshape(stream_.rows(), stream_.cols());
  Norm(stream_, block.norms.attention_norm, normed_);
  ProjectQueriesKeysValues(block);
  if (config_.qk_norm) {
    NormHeads(block.norms.q_norm, q_);
    NormHeads(block.norms.k_norm, k_);
  }
  RotateAndStore(index, runs);
  Attend(index, runs);
  Apply(Operation::kOutput, attended_, {{block.o, update_}});
  AddUpdate(block.norms.post_attention_norm);

  Norm(stream_, block.norms.feed_forward_norm, normed_);
  FeedForward(block);
  AddUpdate(block.norms.post_feed_forward_norm);
}

void Transformer::ProjectQueriesKeysValues(const RunnableBlock& block) {
  Apply(Operation::kQueriesKeysValues, normed_, {{block.q, q_}, {block.k, k_}, {block.v, v_}});
}

void Transformer::NormHeads(std::span<const float> gain, Matrix& rows) {
  const size_t heads = rows.cols() / config_.head_dim;
  const MatrixView by_head{rows.data(), rows.rows() * heads, config_.head_dim, config_.head_dim};
  Norm(by_head, gain, by_head);
}

void Transformer::RotateAndStore(size_t index, std::span<const Run> runs) {
  const OperationTimer timer(times_, Operation::kCache);
  const RopeTable& rope = config_.slides[index] ? sliding_rope_ : rope_;
  for (const Run& run : runs) {
    pool_.For(run.rows, [&](size_t i) {
      const size_t row = run.first_row + i, position = run.first_position + i;
      rope.Rotate(q_.Row(row), position);
      rope.Rotate(k_.Row(row), position);
      run.cache->Store(index, position, k_.Row(row), v_.Row(row));
    });
  }
}

void Transformer::Attend(size_t index, std::span<const Run> runs) {
  const OperationTimer timer(times_, Operation::kAttention);
  attended_.Reshape(q_.rows(), q_.cols());
  for (const Run& run : runs) {
    switch (run.cache->type()) {
      case DType::kF32:
        AttendRun<float>(index, run);
        break;
      case DType::kQ8_0:
        AttendRun<ggml::BlockQ8_0>(index, run);
        break;
      default:
        AttendRun<uint16_t>(index, run);
    }
  }
}

template <typename T>
void Transformer::AttendRun(size_t index, const Run& run) {
  const AttentionOptions options{.scale = config_.attention_scale,
                                 .softcap = config_.attention_softcap,
                                 .window = config_.slides[index] ? config_.sliding_window : 0};
  // Columns of the query heads that share a key-value head.
  const size_t group = config_.heads / config_.kv_heads * config_.head_dim;
  const size_t parts = (run.rows + kAttentionRows - 1) / kAttentionRows;
  pool_.For(config_.kv_heads * parts, [&](size_t item) {
    const size_t head = item / parts, first = item % parts * kAttentionRows;
    const size_t rows = std::min(kAttentionRows, run.rows - first);
    const auto tile = [&](Matrix& m) {
      return m.view().Rows(run.first_row + first, rows).Cols(head * group, group);
    };
    Attention(run.cache->Head<T>(index, head), tile(q_), run.first_position + first, options,
              tile(attended_));
  });
}

// update = down(activation(gate(x)) * up(x))
void Transformer::FeedForward(const RunnableBlock& block) {
  Apply(Operation::kGateUp, normed_, {{block.gate, gate_}, {block.up, up_}});
  MultiplyByGate();
  Apply(Operation::kDown, gate_, {{block.down, update_}});
}

void Transformer::MultiplyByGate() {
  const OperationTimer timer(times_, Operation::kActivation);
  const auto gated = config_.activation == Activation::kSilu ? SiluGate : GeluTanhGate;
  pool_.For(gate_.rows(), [&](size_t r) { gated(gate_.Row(r), up_.Row(r), gate_.Row(r)); });
}

void Transformer::AddUpdate(std::span<const float> post_norm) {
  if (config_.post_norms) Norm(update_, post_norm, update_);
  const OperationTimer timer(times_, Operation::kActivation);
  pool_.For(stream_.rows(), [&](size_t r) { Axpy(1, update_.Row(r), stream_.Row(r)); });
}

void Transformer::Apply(Operation operation, const Matrix& x, std::initializer_list<Product> products) {
  const OperationTimer timer(times_, operation);
  size_t most = 0;  // multiply-adds of one product
  for (const Product& product : products) {
    product.y.Reshape(x.rows(), product.linear.outputs());
    most = std::max(most, x.rows() * x.cols() * product.linear.outputs());
  }
  const auto apply = [&](size_t i) {
    const Product& product = products.begin()[i];
    product.linear.Apply(x, product.y, pool_, precision_);
  };
  if (most < kSmallProduct) {
    pool_.For(products.size(), apply);
  } else {
    for (size_t i = 0; i < products.size(); ++i) apply(i);
  }
}

void Transformer::Norm(ConstMatrixView x, std::span<const float> gain, MatrixView y) {
  const OperationTimer timer(times_, Operation::kNorms);
  pool_.For(x.rows, [&](size_t r) { RmsNorm(x.Row(r), gain, config_.norm_epsilon, y.Row(r)); });
}

}  // namespace addend
