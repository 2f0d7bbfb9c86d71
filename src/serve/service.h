// What the server can do, without sockets: the body of a request in, a reply out.
#pragma once
#include <chrono>
#include <ctime>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "chat/chat_prompt.h"
#include "generate/batch_engine.h"
#include "serve/api_request.h"
#include "serve/api_response.h"
#include "tokenizer/tokenizer.h"

namespace addend {

struct ServiceOptions {
  std::string model_name;                // what clients call it
  size_t context = 0;                    // tokens of prompt and answer together
  size_t vocabulary = 0;                 // token ids below this
  SamplingOptions sampling;              // for what a request does not say
  std::chrono::milliseconds patience{};  // how long an answer may take, waiting included
  std::optional<ChatPrompt> chat;        // none: the model has no chat template
};

// Asked now and then while an answer is made; true ends it.
using ClientGone = std::function<bool()>;
// Sends a piece of a stream; false: nobody listens any more.
using Send = std::function<bool(std::string_view piece)>;

struct Reply {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::function<void(const Send& send)> stream;  // in place of a body: sends one event after the other
};

// The client closed the connection: nobody is there to get a reply.
class ClientLeft : public Error {
 public:
  using Error::Error;
};

// All functions may be called from several threads, and throw ApiError for what the client did wrong or must
// be told, ClientLeft, and Error for what went wrong here.
class Service {
 public:
  // Keeps a reference to the engine, which must outlive it.
  Service(BatchEngine& engine, const Tokenizer& tokenizer, ServiceOptions options);

  Reply Complete(std::string_view body, const ClientGone& gone);
  Reply Chat(std::string_view body, const ClientGone& gone);
  Reply Tokenize(std::string_view body) const;
  Reply Detokenize(std::string_view body) const;
  Reply TokenizerInfo() const;
  Reply Models() const;
  Reply ModelCard() const;  // the one model's
  Reply Health() const;
  Reply Metrics() const;  // of the engine, in Prometheus's text format

  const std::string& model_name() const { return options_.model_name; }

 private:
  struct Job;

  Json Card() const;
  void CheckModel(const std::optional<std::string>& model) const;
  std::vector<TokenId> Encode(const CompletionRequest::Prompt& prompt, bool add_special) const;
  std::vector<TokenId> EncodeChat(const ChatRequest& request) const;
  Reply Answer(const AnswerRequest& asked, ResponseWriter::Kind kind, std::vector<BatchRequest> requests,
               std::vector<Choice> choices, const ClientGone& gone);
  Json WholeAnswer(Job& job, const ClientGone& gone) const;
  void StreamAnswer(Job& job, const ClientGone& gone, const Send& send) const;

  BatchEngine& engine_;
  Tokenizer tokenizer_;
  ServiceOptions options_;
  std::time_t started_;
};

}  // namespace addend
