#include <optional>

#include "base/error.h"
#include "base/threads.h"
#include "base/version.h"
#include "chat/chat_prompt.h"
#include "evaluate/perplexity.h"
#include "generate/session.h"
#include "library/addend.h"
#include "model/transformer.h"
#include "tokenizer/tokenizer.h"

namespace addend {
namespace {

GenerateOptions ToGenerateOptions(const WriteOptions& options) {
  GenerateOptions generate{.max_tokens = options.max_tokens, .stop = options.stop};
  generate.sampling.repetition_penalty = options.repetition_penalty;
  generate.sampling.top_k = options.top_k;
  generate.sampling.top_p = options.top_p;
  generate.sampling.min_p = options.min_p;
  generate.sampling.temperature = options.temperature;
  generate.sampling.seed = options.seed;
  return generate;
}

Ending ToEnding(FinishReason reason) {
  switch (reason) {
    case FinishReason::kEndToken:
      return Ending::kEndOfText;
    case FinishReason::kStopString:
      return Ending::kStopText;
    case FinishReason::kMaxTokens:
      return Ending::kMaxTokens;
    case FinishReason::kContextFull:
      return Ending::kContextFull;
    case FinishReason::kInterrupted:
      return Ending::kStopped;
  }
  return Ending::kStopped;
}

}  // namespace

const char* Version() {
  return kVersion;
}

struct LanguageModel::State {
  State(const Path& path, const LoadOptions& options)
      : origin(path.string()),
        model(LoadCheckedModel(path)),
        tokenizer(LoadTokenizer(path)),
        pool(options.threads),
        transformer(model, pool),
        session(transformer, tokenizer, ContextOrDefault(options.context, model.config)) {
    if (!options.chat_template.empty()) chat.emplace(tokenizer, options.chat_template);
  }

  // The model's own template is parsed when it is first needed: one that is broken is no reason not to go on
  // from texts.
  const ChatPrompt& Chat() {
    if (chat) return *chat;
    return *WithContext(origin, [&] { return &chat.emplace(tokenizer); });
  }

  Written Write(std::span<const TokenId> prompt, const WriteOptions& options, const WriteSink& sink) {
    Generation generation = session.Generate(prompt, ToGenerateOptions(options), sink);
    return {.text = std::move(generation.text),
            .tokens = std::move(generation.tokens),
            .prompt_tokens = generation.statistics.prompt_tokens,
            .ending = ToEnding(generation.finish)};
  }

  const std::string origin;
  const Model model;
  const Tokenizer tokenizer;
  ThreadPool pool;
  Transformer transformer;
  Session session;
  std::optional<ChatPrompt> chat;
};

LanguageModel::LanguageModel(const std::filesystem::path& path, const LoadOptions& options)
    : state_(std::make_unique<State>(path, options)) {}
LanguageModel::~LanguageModel() = default;
LanguageModel::LanguageModel(LanguageModel&&) noexcept = default;
LanguageModel& LanguageModel::operator=(LanguageModel&&) noexcept = default;

Written LanguageModel::Continue(std::string_view text, const WriteOptions& options, const WriteSink& sink) {
  return state_->Write(state_->tokenizer.Encode(text, {.add_special = true}), options, sink);
}

Written LanguageModel::Answer(const std::vector<Message>& messages, const WriteOptions& options,
                              const WriteSink& sink) {
  std::vector<ChatMessage> conversation;
  conversation.reserve(messages.size());
  for (const Message& message : messages) {
    conversation.push_back({.role = message.role, .content = message.content});
  }
  return state_->Write(state_->Chat().Encode(conversation), options, sink);
}

std::vector<uint32_t> LanguageModel::Encode(std::string_view text) const {
  return state_->tokenizer.Encode(text);
}

std::string LanguageModel::Decode(std::span<const uint32_t> tokens) const {
  return state_->tokenizer.Decode(tokens);
}

double LanguageModel::Perplexity(std::string_view text, size_t window) {
  const std::vector<TokenId> ids = state_->tokenizer.Encode(text);
  return addend::Perplexity(state_->transformer, ids, {.window = window}, {}).hf.Perplexity();
}

size_t LanguageModel::context() const {
  return state_->session.context();
}

size_t LanguageModel::vocabulary() const {
  return state_->model.config.vocabulary;
}

}  // namespace addend
