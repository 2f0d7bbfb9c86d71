#include "generate/session.h"

#include <algorithm>

#include "base/interrupt.h"
#include "base/progress.h"
#include "generate/answer_writer.h"

namespace addend {
namespace {

// Between two parts of a long prompt an interrupt is noticed.
constexpr size_t kPromptPart = 512;

}  // namespace

Session::Session(Transformer& transformer, const Tokenizer& tokenizer, size_t context, DType kv_type)
    : transformer_(transformer), tokenizer_(tokenizer), sequence_(transformer.config(), context, kv_type) {}

Generation Session::Generate(std::span<const TokenId> prompt, const GenerateOptions& options,
                             const TextSink& sink) {
  AnswerWriter writer(tokenizer_, prompt, options, context());
  Generation result;
  bool wanted = true;  // by the sink
  const auto emit = [&](const std::string& text) {
    result.text += text;
    if (!text.empty() && sink) wanted = sink(text) && wanted;
  };

  if (!ReadPrompt(prompt, result.statistics)) writer.Interrupt();
  const double start = WallSeconds();
  while (!writer.finish()) {
    emit(writer.Write(logits_.Row(0)));
    if (writer.finish()) break;
    if (!wanted || InterruptRequested()) {
      emit(writer.Interrupt());
      break;
    }
    Append(writer.sequence().last(1), LogitRows::kLast);
    ++result.statistics.decoded_tokens;
    result.statistics.decode_seconds = WallSeconds() - start;
  }
  result.tokens.assign(writer.written().begin(), writer.written().end());
  result.finish = *writer.finish();
  return result;
}

// Leaves the logits of the prompt's last token in logits_. False when interrupted.
bool Session::ReadPrompt(std::span<const TokenId> prompt, GenerateStatistics& statistics) {
  const size_t reused = sequence_.Reusable(prompt);
  sequence_.Truncate(reused);
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
  transformer_.Forward(tokens, sequence_.cache(), rows, logits_);
  sequence_.Append(tokens);
}

}  // namespace addend
