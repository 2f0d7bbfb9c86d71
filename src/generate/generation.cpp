#include "generate/generation.h"

namespace addend {
namespace {

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

}  // namespace addend
