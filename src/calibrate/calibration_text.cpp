#include "calibrate/calibration_text.h"

#include <algorithm>
#include <functional>
#include <iterator>

#include "base/error.h"
#include "base/hash.h"
#include "base/interrupt.h"
#include "base/random.h"
#include "generate/sampler.h"
#include "model/transformer.h"

namespace addend {
namespace {

using Sequences = std::vector<std::vector<TokenId>>;

constexpr size_t kSampledTogether = 32;  // share each pass over the weights

template <typename T>
void Shuffle(std::vector<T>& values, Rng& rng) {
  for (size_t i = values.size(); i > 1; --i) std::swap(values[i - 1], values[rng.Below(i)]);
}

// BOS where the tokenizer's own rule puts it in front of a text.
std::vector<TokenId> Prefix(const Tokenizer& tokenizer) {
  return tokenizer.Encode("", {.add_special = true});
}

Sequences CutFile(const Path& file, const Tokenizer& tokenizer, size_t length) {
  const std::vector<TokenId> prefix = Prefix(tokenizer);
  const std::vector<TokenId> tokens = tokenizer.Encode(ReadPlainText(file));
  if (prefix.size() >= length) throw Error("calibration sequences of ", length, " tokens are too short");
  const size_t step = length - prefix.size();
  Sequences sequences;
  for (size_t at = 0; at + step <= tokens.size(); at += step) {
    std::vector<TokenId>& sequence = sequences.emplace_back(prefix);
    sequence.insert(sequence.end(), tokens.begin() + static_cast<ptrdiff_t>(at),
                    tokens.begin() + static_cast<ptrdiff_t>(at + step));
  }
  return sequences;
}

size_t CountOf(const std::vector<Sequences>& sources) {
  size_t count = 0;
  for (const Sequences& source : sources) count += source.size();
  return count;
}

// Takes from the sources in proportion to what each has left, so that every prefix of the result has the mix
// of the whole.
Sequences Interleave(std::vector<Sequences> sources) {
  const size_t total = CountOf(sources);
  std::vector<size_t> taken(sources.size());
  Sequences result;
  while (result.size() < total) {
    size_t next = 0;
    double least = 2;
    for (size_t i = 0; i < sources.size(); ++i) {
      if (taken[i] == sources[i].size()) continue;
      const double share = (static_cast<double>(taken[i]) + 0.5) / static_cast<double>(sources[i].size());
      if (share < least) {
        least = share;
        next = i;
      }
    }
    result.push_back(std::move(sources[next][taken[next]++]));
  }
  return result;
}

// Takes `count` sequences away from a source, spread evenly over it: one part alone, such as the end of a
// file that is sorted, is often unlike the rest. Every other one comes first.
Sequences TakeSpread(Sequences& source, size_t count) {
  Sequences taken[2], rest;
  size_t next = 0;
  for (size_t i = 0; i < source.size(); ++i) {
    const bool wanted = next < count && i == (2 * next + 1) * source.size() / (2 * count);
    (wanted ? taken[next++ % 2] : rest).push_back(std::move(source[i]));
  }
  source = std::move(rest);
  std::ranges::move(taken[1], std::back_inserter(taken[0]));
  return std::move(taken[0]);
}

// Takes `count` sequences away from the sources, in proportion to their lengths, and mixes them.
Sequences TakeSpread(std::vector<Sequences>& sources, size_t count) {
  const size_t total = CountOf(sources);
  std::vector<Sequences> apart;
  size_t passed = 0;  // of `total`
  for (Sequences& source : sources) {
    const size_t begin = passed * count / total;
    passed += source.size();
    apart.push_back(TakeSpread(source, passed * count / total - begin));
  }
  return Interleave(std::move(apart));
}

// Without a BOS the model needs some first token; a random one gives varied text (as in LLM-QAT, arXiv
// 2305.17888).
std::vector<TokenId> RandomStart(const Tokenizer& tokenizer, uint64_t seed, size_t index) {
  Rng rng(seed, "self-generated " + std::to_string(index));
  TokenId id;
  do {
    id = static_cast<TokenId>(rng.Below(tokenizer.vocabulary_size()));
  } while (tokenizer.IsSpecial(id) || tokenizer.Piece(id).empty());
  return {id};
}

// Extends all sequences to `length` tokens by sampling from the model's own distribution, one token of each
// at a time.
void SampleBatch(Transformer& transformer, size_t length, uint64_t seed,
                 std::span<std::vector<TokenId>> sequences, const std::function<void(double share)>& report) {
  std::vector<KvCache> caches;
  std::vector<Sampler> samplers;
  std::vector<SequenceTokens> step;
  for (size_t i = 0; i < sequences.size(); ++i) {
    caches.emplace_back(transformer.config(), length);
    samplers.emplace_back(
        SamplingOptions{.top_k = 0, .top_p = 1, .min_p = 0, .temperature = 1, .seed = seed + i});
  }
  for (size_t i = 0; i < sequences.size(); ++i) step.push_back({sequences[i], &caches[i]});
  Matrix hidden, logits;
  while (sequences.front().size() < length) {
    ThrowIfInterrupted();
    transformer.ForwardHidden(step, hidden);
    const size_t rows =
        hidden.rows() / sequences.size();  // of each sequence; only the last one's logits are needed
    Matrix last(sequences.size(), hidden.cols());
    for (size_t i = 0; i < sequences.size(); ++i) {
      std::ranges::copy(hidden.Row((i + 1) * rows - 1), last.Row(i).begin());
    }
    logits.Reshape(sequences.size(), transformer.config().vocabulary);
    transformer.Logits(last, logits);
    for (size_t i = 0; i < sequences.size(); ++i) {
      sequences[i].push_back(samplers[i].Sample(logits.Row(i), {}));
      step[i].tokens = std::span(sequences[i]).last(1);
    }
    report(static_cast<double>(sequences.front().size()) / static_cast<double>(length));
  }
}

uint64_t HashOf(const CalibrationText& text) {
  std::string bytes;
  for (const Sequences* part : {&text.training, &text.held_out, &text.test}) {
    for (const auto& sequence : *part) {
      bytes.append(reinterpret_cast<const char*>(sequence.data()), sequence.size() * sizeof(TokenId));
    }
  }
  return Hash64(bytes);
}

}  // namespace

CalibrationText ReadCalibrationText(std::span<const Path> files, const Tokenizer& tokenizer,
                                    const CalibrationOptions& options) {
  CalibrationText text;
  text.length = options.length;
  std::vector<Sequences> sources;
  for (const Path& file : files) {
    sources.push_back(CutFile(file, tokenizer, options.length));
    text.sources.push_back(file.filename().string());
    ThrowIfInterrupted();
  }
  const size_t total = CountOf(sources);
  if (total < 3) {
    throw Error("calibration text: ", total, " sequences of ", options.length,
                " tokens, at least 3 are needed; give more text or a smaller --calibration-length");
  }
  // Both parts together are never more than a quarter of the whole.
  const size_t size = std::clamp<size_t>(total / 8, 1, options.held_out);
  Sequences apart = TakeSpread(sources, 2 * size);
  const auto middle = std::make_move_iterator(apart.begin() + static_cast<ptrdiff_t>(size));
  text.test.assign(std::make_move_iterator(apart.begin()), middle);
  text.held_out.assign(middle, std::make_move_iterator(apart.end()));
  for (size_t i = 0; i < sources.size(); ++i) {
    Rng rng(options.seed, "calibration " + std::to_string(i + 1));
    Shuffle(sources[i], rng);
  }
  text.training = Interleave(std::move(sources));
  text.training.resize(std::min(text.training.size(), options.max_sequences));
  text.hash = HashOf(text);
  return text;
}

CalibrationText GenerateCalibrationText(const Model& model, const Tokenizer& tokenizer,
                                        const CalibrationOptions& options, ThreadPool& pool,
                                        const Progress& progress) {
  const size_t count = options.max_sequences + 2 * options.held_out;
  Sequences sequences(count, Prefix(tokenizer));
  Transformer transformer(model, pool);
  for (size_t first = 0; first < count; first += kSampledTogether) {
    const std::span<std::vector<TokenId>> batch(sequences.data() + first,
                                                std::min(kSampledTogether, count - first));
    for (size_t i = 0; i < batch.size(); ++i) {
      if (batch[i].empty()) batch[i] = RandomStart(tokenizer, options.seed, first + i);
    }
    SampleBatch(transformer, options.length, options.seed + first, batch, [&](double share) {
      Report(progress, {"text", static_cast<double>(first) + share * static_cast<double>(batch.size()),
                        static_cast<double>(count), "sequences that the model writes itself"});
    });
  }
  CalibrationText text;
  text.length = options.length;
  text.sources = {"generated by the model"};
  const auto held_out = sequences.begin() + static_cast<ptrdiff_t>(options.max_sequences);
  const auto test = held_out + static_cast<ptrdiff_t>(options.held_out);
  text.training.assign(sequences.begin(), held_out);
  text.held_out.assign(held_out, test);
  text.test.assign(test, sequences.end());
  text.hash = HashOf(text);
  return text;
}

}  // namespace addend
