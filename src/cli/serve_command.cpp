// `addend serve MODEL`
#include <chrono>
#include <cmath>
#include <cstdio>
#include <memory>
#include <sstream>
#include <thread>

#include "base/interrupt.h"
#include "cli/commands.h"
#include "cli/generate_options.h"
#include "cli/output.h"
#include "model/model.h"
#include "serve/http_server.h"

namespace addend {
namespace {

using std::chrono::milliseconds;

// Beside those that wait for an answer: for questions that are answered at once.
constexpr size_t kSpareConnections = 16;

struct Arguments {
  Path model;
  std::optional<std::string> alias, chat_template, api_key;
  Path api_key_file;
  std::string host = "127.0.0.1";
  int port = 8080;
  BatchOptions batch{.context = 0};
  std::optional<double> max_body, receive_timeout, timeout, drain;
  CommonOptions common;
};

milliseconds Seconds(double seconds) {
  return milliseconds(std::llround(1000 * seconds));
}

// One in each line; empty lines and those that begin with # are none.
std::vector<std::string> ApiKeys(const Arguments& arguments) {
  std::vector<std::string> keys;
  if (arguments.api_key) keys.push_back(*arguments.api_key);
  if (!arguments.api_key_file.empty()) {
    std::istringstream lines(ReadTextFile(arguments.api_key_file));
    for (std::string line; std::getline(lines, line);) {
      if (!line.empty() && line[0] != '#') keys.push_back(line);
    }
    if (keys.empty()) throw Error(arguments.api_key_file.string(), ": holds no key");
  }
  for (const std::string& key : keys) {
    if (key.empty()) throw UsageError("--api-key: the key is empty");
  }
  return keys;
}

// "models/name.gguf" -> "name"
std::string ModelName(const Arguments& arguments) {
  if (arguments.alias) return *arguments.alias;
  const Path path = arguments.model.has_filename() ? arguments.model : arguments.model.parent_path();
  return path.extension() == ".gguf" ? path.stem().string() : path.filename().string();
}

// None when the model has no template and none is asked for; or with a note, when the model's is broken.
std::optional<ChatPrompt> MakeChatPrompt(const Arguments& arguments, const Tokenizer& tokenizer) {
  if (arguments.chat_template) return ChatPrompt(tokenizer, arguments.chat_template);
  if (tokenizer.chat_template().empty()) return std::nullopt;
  try {
    return ChatPrompt(tokenizer);
  } catch (const Error& error) {
    PrintNote(std::string("no chats: the model's ") + error.what() + " (--chat-template gives another)");
    return std::nullopt;
  }
}

void PrintLogLine(const HttpLogEntry& entry) {
  std::fprintf(stderr, "%s %s %d %.3f s\n", OneLine(entry.method).c_str(),
               Shortened(OneLine(entry.path), 200).c_str(), entry.status, entry.seconds);
}

HttpOptions MakeHttpOptions(const Arguments& arguments) {
  HttpOptions options{.host = arguments.host, .port = arguments.port, .api_keys = ApiKeys(arguments)};
  if (arguments.max_body) options.limits.body_bytes = static_cast<size_t>(*arguments.max_body);
  if (arguments.receive_timeout) options.limits.request = Seconds(*arguments.receive_timeout);
  options.connections = arguments.batch.slots + arguments.batch.queue + kSpareConnections;
  if (!arguments.common.quiet) options.log = PrintLogLine;
  return options;
}

void Run(Arguments& arguments) {
  const HttpOptions http = MakeHttpOptions(arguments);
  CatchInterrupts();
  const Model model = LoadCheckedModel(arguments.model);
  const Tokenizer tokenizer = LoadTokenizer(arguments.model);
  arguments.batch.context = ContextOrDefault(arguments.batch.context, model.config);
  if (!arguments.common.quiet) NoteLongContext(arguments.batch.context, model.config.context);
  ThreadPool pool(arguments.common.threads);
  Transformer transformer(model, pool);
  BatchEngine engine(transformer, tokenizer, arguments.batch);
  Service service(engine, tokenizer,
                  {.model_name = ModelName(arguments),
                   .context = arguments.batch.context,
                   .vocabulary = model.config.vocabulary,
                   .patience = Seconds(arguments.timeout.value_or(600)),
                   .chat = MakeChatPrompt(arguments, tokenizer)});
  HttpServer server(service, http);
  Print(Format("listening on http://%s:%d\n",
               arguments.host.find(':') == std::string::npos ? arguments.host.c_str()
                                                             : ("[" + arguments.host + "]").c_str(),
               server.port()));

  while (!InterruptRequested() && server.listening()) std::this_thread::sleep_for(milliseconds(100));
  if (!server.listening()) throw Error("the system ended the listening on port ", server.port());
  if (!arguments.common.quiet) PrintNote("stopping; answers on their way may finish (again: at once)");
  engine.Stop(Seconds(arguments.drain.value_or(10)));
  server.Stop();
}

}  // namespace

CommandRun SetUpServe(CLI::App& app) {
  const auto arguments = std::make_shared<Arguments>();

  app.option_defaults()->group("Model");
  AddModel(app, arguments->model, "any model: compressed, GGUF or Hugging Face folder");
  AddText(app, "--alias", arguments->alias, "the model's name for clients; the file's if not given");
  AddTemplateOption(app, arguments->chat_template);

  app.option_defaults()->group("Network");
  app.add_option("--host", arguments->host, "the address to listen on; 0.0.0.0 = all of this machine")
      ->type_name("ADDRESS")
      ->capture_default_str();
  AddNumber(app, "--port", arguments->port, {0, 65535}, "0 = one that is free");
  AddText(app, "--api-key", arguments->api_key, "clients must send this key");
  AddPath(app, "--api-key-file", arguments->api_key_file, "or one of those in the file, one in a line");

  app.option_defaults()->group("Limits");
  AddNumber(app, "--parallel", arguments->batch.slots, {1, 256}, "answers written side by side");
  AddNumber(
      app, "-c,--ctx-size", arguments->batch.context, {0, 1 << 28},
      Format("tokens of prompt and answer, for each; 0 = the model's, at most %zu", kLongestDefaultContext));
  AddKvType(app, arguments->batch.kv_type);
  AddNumber(app, "--queue", arguments->batch.queue, {0, 512}, "requests that may wait; others get a 429");
  AddDuration(app, "--receive-timeout", arguments->receive_timeout, "for a request to arrive [30s]");
  AddDuration(app, "--timeout", arguments->timeout, "for an answer, waiting included [10m]");
  AddSize(app, "--max-body", arguments->max_body, "of a request [16MB]");
  AddDuration(app, "--drain", arguments->drain, "for running answers when the server is stopped [10s]");

  AddCommonOptions(app, arguments->common);
  app.footer(
      "Examples:\n"
      "  addend serve model.gguf\n"
      "  curl http://127.0.0.1:8080/v1/chat/completions \\\n"
      "    -d '{\"messages\": [{\"role\": \"user\", \"content\": \"Hello\"}]}'\n"
      "  addend serve model.gguf --host 0.0.0.0 --api-key-file keys.txt --parallel 8");
  return [arguments] { Run(*arguments); };
}

}  // namespace addend
