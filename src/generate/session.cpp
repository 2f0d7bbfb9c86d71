#include "generate/session.h"

#include <algorithm>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/progress.h"

namespace addend {
namespace {

// Between two parts of a long prompt an interrupt is noticed.
constexpr size_t kPromptPart = 512;

double Rate(size_t count, double seconds) {
  return seconds > 0 ? static_cast<double>(count) / seconds : 0;
}

}  // namespace

std::string_view Name(FinishReason reason) {
  switch (reason) {
    case FinishReason::kEndToken:
      return "end of text";
    case FinishReason::kStopString:
      return "stop string";
    case FinishReason::kMaxTokens:
      return "token limit";
    case FinishReason::kContextFull:
      return "context full";
    case FinishReason::kInterrupted:
      return "interrupted";
  }
  return "unknown";
}

double GenerateStatistics::PromptTokensPerSecond() const {
  return Rate(prompt_tokens - reused_tokens, prompt_seconds);
}
double GenerateStatistics::DecodeTokensPerSecond() const {
  return Rate(decoded_tokens, decode_seconds);
}

Session::Session(Transformer& transformer, const Tokenizer& tokenizer, size_t context, DType kv_type)
    : transformer_(transformer), tokenizer_(tokenizer), cache_(transformer.config(), context, kv_type) {}

Generation Session::Generate(std::span<const TokenId> prompt, const GenerateOptions& options,
                             const TextSink& sink) {
  Generation result;
  Sampler sampler(options.sampling);
  TextStream stream(options.stop);
  bool wanted = true;  // by the sink
  const auto emit = [&](const std::string& text) {
    result.text += text;
    if (!text.empty() && sink) wanted = sink(text) && wanted;
  };

  if (!ReadPrompt(prompt, result.statistics)) {
    result.finish = FinishReason::kInterrupted;
    return result;
  }
  if (options.max_tokens == 0) return result;
  std::vector<TokenId> sequence(prompt.begin(), prompt.end());
  const double start = WallSeconds();
  while (true) {
    const TokenId token = sampler.Sample(logits_.Row(0), sequence);
    sequence.push_back(token);
    result.tokens.push_back(token);
    if (!tokenizer_.IsSpecial(token)) emit(stream.Push(tokenizer_.Piece(token)));
    if (const auto finish = Finished(token, stream, wanted, options, result)) {
      result.finish = *finish;
      break;
    }
    Append({&token, 1}, LogitRows::kLast);
    ++result.statistics.decoded_tokens;
    result.statistics.decode_seconds = WallSeconds() - start;
  }
  emit(stream.Finish());
  return result;
}

// Why to stop after `token`, if so.
std::optional<FinishReason> Session::Finished(TokenId token, const TextStream& stream, bool wanted,
                                              const GenerateOptions& options,
                                              const Generation& result) const {
  const auto& ends = tokenizer_.end_tokens();
  if (!options.ignore_end && std::find(ends.begin(), ends.end(), token) != ends.end())
    return FinishReason::kEndToken;
  if (stream.stopped()) return FinishReason::kStopString;
  if (!wanted || InterruptRequested()) return FinishReason::kInterrupted;
  if (result.tokens.size() == options.max_tokens) return FinishReason::kMaxTokens;
  if (cache_.length() == cache_.capacity()) return FinishReason::kContextFull;
  return std::nullopt;
}

// Leaves the logits of the prompt's last token in logits_. False when interrupted.
bool Session::ReadPrompt(std::span<const TokenId> prompt, GenerateStatistics& statistics) {
  if (prompt.empty()) throw Error("the prompt is empty; it needs at least one token");
  if (prompt.size() > context()) {
    throw Error("the prompt has ", prompt.size(), " tokens, the context holds ", context());
  }
  const auto differs = std::mismatch(prompt.begin(), prompt.end(), cached_.begin(), cached_.end()).first;
  // The last token always runs: its logits are wanted.
  const size_t reused = std::min<size_t>(differs - prompt.begin(), prompt.size() - 1);
  cached_.resize(reused);
  cache_.Truncate(reused);
  statistics.prompt_tokens = prompt.size();
  statistics.reused_tokens = reused;

  const double start = WallSeconds();
  for (size_t done = reused; done < prompt.size();) {
    if (InterruptRequested()) return false;
    const size_t count = std::min(kPromptPart, prompt.size() - done);
    done += count;
    Append(prompt.subspan(done - count, count), done == prompt.size() ? LogitRows::kLast : LogitRows::kNone);
  }
  statistics.prompt_seconds = WallSeconds() - start;
  return true;
}

void Session::Append(std::span<const TokenId> tokens, LogitRows rows) {
  transformer_.Forward(tokens, cache_, rows, logits_);
  cached_.insert(cached_.end(), tokens.begin(), tokens.end());
}

}  // namespace addend
