#include "serve/service.h"

#include <memory>
#include <random>
#include <span>
#include <utility>
#include <vector>

#include "serve/api_error.h"
#include "serve/metrics.h"
#include "tokenizer/utf8.h"

namespace addend {
namespace {

using std::chrono::steady_clock;

// Between two looks at whether the client is still there.
constexpr std::chrono::milliseconds kLook{100};

Reply JsonReply(const Json& json) {
  return {.body = ToText(json)};
}

uint64_t RandomSeed() {
  std::random_device random;
  return uint64_t{random()} << 32 | random();
}

Json TextOf(const std::optional<TokenId>& token, const Tokenizer& tokenizer) {
  return token ? Json(ReplaceInvalidUtf8(tokenizer.Piece(*token))) : Json(nullptr);
}

}  // namespace

// A request on its way: what was submitted, and how its answers are written down.
struct Service::Job {
  ResponseWriter writer;
  std::unique_ptr<BatchAnswers> answers;
  std::vector<Choice> choices;  // what is already known: index, and with `echo` the prompt
  size_t choices_per_prompt;
  steady_clock::time_point deadline;
  bool begins_with_role, usage_at_end;  // of a stream
  Usage usage;

  // The next part; nullopt when none came for a while. Throws when the time is up, or the client is gone.
  std::optional<AnswerPart> Next(const ClientGone& gone);
  // Takes a part into `choice` (which is its answer, whole or what is to be sent of it) and into the usage.
  void Add(AnswerPart part, Choice& choice);
};

std::optional<AnswerPart> Service::Job::Next(const ClientGone& gone) {
  if (gone()) throw ClientLeft("the client left");
  if (steady_clock::now() > deadline)
    throw ApiError(504, "the answer took longer than this server allows", "", "timeout");
  std::optional<AnswerPart> part = answers->Next(kLook);
  if (part && part->finish == FinishReason::kInterrupted)
    throw ApiError(503, "the server shut down before the answer was complete", "", "shutting_down");
  return part;
}

void Service::Job::Add(AnswerPart part, Choice& choice) {
  choice.text += part.text;
  choice.scores.insert(choice.scores.end(), part.prompt_scores.begin(), part.prompt_scores.end());
  choice.scores.insert(choice.scores.end(), part.scores.begin(), part.scores.end());
  choice.finish = part.finish;
  if (!part.finish) return;
  usage.completion_tokens += part.written_tokens;
  if (part.index % choices_per_prompt != 0) return;  // a prompt counts once
  usage.prompt_tokens += part.statistics.prompt_tokens;
  usage.cached_tokens += part.statistics.reused_tokens;
}

Service::Service(BatchEngine& engine, const Tokenizer& tokenizer, ServiceOptions options)
    : engine_(engine), tokenizer_(tokenizer), options_(std::move(options)), started_(std::time(nullptr)) {}

// ---- Answers ----

namespace {

// The requests for all choices of one prompt. Choices differ by their seeds.
void AddRequests(const AnswerRequest& asked, std::vector<TokenId> prompt, bool score_prompt, uint64_t seed,
                 std::vector<BatchRequest>& requests) {
  BatchRequest request{
      .prompt = std::move(prompt), .generate = asked.generate, .reuse_prefix = asked.reuse_prefix};
  if (asked.likeliest) request.scores = ScoreOptions{.likeliest = *asked.likeliest, .prompt = score_prompt};
  for (size_t i = 0; i < asked.choices; ++i) {
    request.generate.sampling.seed = seed + i;
    requests.push_back(request);
  }
}

uint64_t SeedOf(const AnswerRequest& asked) {
  return asked.has_seed ? asked.generate.sampling.seed : RandomSeed();
}

// Before the prompt is copied for every choice.
void CheckLength(std::span<const TokenId> prompt, size_t context) {
  if (prompt.size() <= context) return;
  throw ApiError(400,
                 "the prompt has " + std::to_string(prompt.size()) + " tokens, the context holds " +
                     std::to_string(context),
                 "", "context_length_exceeded");
}

// What the engine says, in the API's words.
std::unique_ptr<BatchAnswers> Submit(BatchEngine& engine, std::vector<BatchRequest> requests) {
  try {
    return engine.Submit(std::move(requests));
  } catch (const QueueFull& error) {
    throw ApiError(429, error.what(), "", "queue_full");
  } catch (const ShuttingDown& error) {
    throw ApiError(503, error.what(), "", "shutting_down");
  } catch (const Error& error) {
    throw ApiError(400, error.what(), "", "invalid_prompt");
  }
}

}  // namespace

Reply Service::Complete(std::string_view body, const ClientGone& gone) {
  const CompletionRequest asked = ParseCompletionRequest(body, options_.sampling);
  CheckModel(asked.model);
  std::vector<BatchRequest> requests;
  std::vector<Choice> choices;
  const uint64_t seed = SeedOf(asked);
  for (const CompletionRequest::Prompt& prompt : asked.prompts) {
    const std::vector<TokenId> ids = Encode(prompt, asked.add_special_tokens);
    CheckLength(ids, options_.context);
    const std::string* const text = std::get_if<std::string>(&prompt);
    const std::string echo = !asked.echo ? "" : text != nullptr ? *text : tokenizer_.Decode(ids);
    for (size_t i = 0; i < asked.choices; ++i) choices.push_back({.index = choices.size(), .text = echo});
    AddRequests(asked, ids, asked.echo, seed, requests);
  }
  return Answer(asked, ResponseWriter::Kind::kCompletion, std::move(requests), std::move(choices), gone);
}

Reply Service::Chat(std::string_view body, const ClientGone& gone) {
  const ChatRequest asked = ParseChatRequest(body, options_.sampling);
  CheckModel(asked.model);
  const std::vector<TokenId> prompt = EncodeChat(asked);
  CheckLength(prompt, options_.context);
  std::vector<BatchRequest> requests;
  AddRequests(asked, prompt, false, SeedOf(asked), requests);
  std::vector<Choice> choices;
  for (size_t i = 0; i < asked.choices; ++i) choices.push_back({.index = i});
  return Answer(asked, ResponseWriter::Kind::kChat, std::move(requests), std::move(choices), gone);
}

void Service::CheckModel(const std::optional<std::string>& model) const {
  if (!model || *model == options_.model_name) return;
  throw ApiError(404,
                 "there is no model of that name here; this server has '" + options_.model_name +
                     "' (a request may also leave 'model' out)",
                 "model", "model_not_found");
}

std::vector<TokenId> Service::Encode(const CompletionRequest::Prompt& prompt, bool add_special) const {
  if (const auto* ids = std::get_if<std::vector<TokenId>>(&prompt)) return *ids;
  return tokenizer_.Encode(std::get<std::string>(prompt),
                           {.parse_special = true, .add_special = add_special});
}

std::vector<TokenId> Service::EncodeChat(const ChatRequest& request) const {
  if (!options_.chat) {
    throw ApiError(400, "the model has no chat template, and the server was started without --chat-template",
                   "messages", "no_chat_template");
  }
  try {
    return options_.chat->Encode(request.messages, {.variables = request.template_variables});
  } catch (const Error& error) {
    throw ApiError(400, error.what(), "messages", "chat_template");
  }
}

Reply Service::Answer(const AnswerRequest& asked, ResponseWriter::Kind kind,
                      std::vector<BatchRequest> requests, std::vector<Choice> choices,
                      const ClientGone& gone) {
  const ResponseWriter::Settings settings{.kind = kind,
                                          .model = options_.model_name,
                                          .log_probabilities = asked.likeliest.has_value(),
                                          .usage_at_end = asked.include_usage};
  // Shared, for a std::function must be copyable.
  const auto job = std::make_shared<Job>(Job{.writer = {settings, tokenizer_},
                                             .answers = Submit(engine_, std::move(requests)),
                                             .choices = std::move(choices),
                                             .choices_per_prompt = asked.choices,
                                             .deadline = steady_clock::now() + options_.patience,
                                             .begins_with_role = kind == ResponseWriter::Kind::kChat,
                                             .usage_at_end = asked.include_usage});
  if (!asked.stream) return JsonReply(WholeAnswer(*job, gone));
  return {.content_type = "text/event-stream",
          .stream = [this, job, gone](const Send& send) { StreamAnswer(*job, gone, send); }};
}

Json Service::WholeAnswer(Job& job, const ClientGone& gone) const {
  while (!job.answers->done()) {
    if (auto part = job.Next(gone)) {
      Choice& choice = job.choices[part->index];
      job.Add(std::move(*part), choice);
    }
  }
  return job.writer.Whole(job.choices, job.usage);
}

// The status was sent before: what goes wrong now is an event of its own.
void Service::StreamAnswer(Job& job, const ClientGone& gone, const Send& send) const {
  const auto send_event = [&](const Json& json) {
    if (!send(ServerSentEvent(json))) throw ClientLeft("the client left");
  };
  try {
    if (job.begins_with_role) {
      for (const Choice& choice : job.choices) send_event(job.writer.Begin(choice.index));
    }
    while (!job.answers->done()) {
      auto part = job.Next(gone);
      if (!part) continue;
      Choice& rest = job.choices[part->index];  // what is to be sent
      job.Add(std::move(*part), rest);
      if (rest.text.empty() && rest.scores.empty() && !rest.finish) continue;
      send_event(job.writer.Chunk(rest));
      rest = {.index = rest.index,
              .first_character = rest.first_character + CountCharacters(rest.scores, tokenizer_)};
    }
    if (job.usage_at_end) send_event(job.writer.UsageAtEnd(job.usage));
    send(LastServerSentEvent());
  } catch (const ClientLeft&) {
  } catch (const ApiError& error) {
    send(ServerSentEvent(error.ToJson()));
  } catch (const std::exception& error) {
    send(ServerSentEvent(ApiError(500, error.what()).ToJson()));
  }
  job.answers.reset();
}

// ---- Everything else ----

// As vLLM's: special tokens in the text are read as such.
Reply Service::Tokenize(std::string_view body) const {
  const TokenizeRequest asked = ParseTokenizeRequest(body);
  CheckModel(asked.model);
  const std::vector<TokenId> ids = Encode(asked.text, asked.add_special_tokens);
  return JsonReply({{"tokens", ids}, {"count", ids.size()}, {"max_model_len", options_.context}});
}

Reply Service::Detokenize(std::string_view body) const {
  const DetokenizeRequest asked = ParseDetokenizeRequest(body);
  CheckModel(asked.model);
  for (const TokenId id : asked.tokens) {
    if (id >= options_.vocabulary) {
      throw ApiError(400,
                     "token id " + std::to_string(id) + " is outside of the vocabulary of " +
                         std::to_string(options_.vocabulary),
                     "tokens");
    }
  }
  return JsonReply({{"prompt", tokenizer_.Decode(asked.tokens)}});
}

Reply Service::TokenizerInfo() const {
  const std::string& chat_template = tokenizer_.chat_template();
  return JsonReply({{"model", options_.model_name},
                    {"bos_token", TextOf(tokenizer_.bos(), tokenizer_)},
                    {"eos_token", TextOf(tokenizer_.eos(), tokenizer_)},
                    {"pad_token", nullptr},
                    {"vocab_size", options_.vocabulary},
                    {"model_max_length", options_.context},
                    {"chat_template", chat_template.empty() ? Json(nullptr) : Json(chat_template)}});
}

Json Service::Card() const {
  return {{"id", options_.model_name},
          {"object", "model"},
          {"created", started_},
          {"owned_by", "addend"},
          {"max_model_len", options_.context}};
}

Reply Service::Models() const {
  return JsonReply({{"object", "list"}, {"data", Json::array({Card()})}});
}

Reply Service::ModelCard() const {
  return JsonReply(Card());
}

Reply Service::Health() const {
  if (engine_.Statistics().stopping) throw ApiError(503, "the server is shutting down", "", "shutting_down");
  return JsonReply({{"status", "ok"}});
}

Reply Service::Metrics() const {
  return {.content_type = "text/plain; version=0.0.4", .body = MetricsText(engine_.Statistics(), started_)};
}

}  // namespace addend
