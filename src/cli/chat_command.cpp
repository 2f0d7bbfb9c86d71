// `addend chat MODEL`
#include <unistd.h>

#include <memory>

#include "base/interrupt.h"
#include "chat/conversation_file.h"
#include "cli/chat_loop.h"
#include "cli/commands.h"
#include "cli/generate_options.h"
#include "cli/output.h"
#include "model/model.h"

namespace addend {
namespace {

struct Arguments {
  Path model, conversation;
  std::optional<std::string> system, chat_template;
  Json template_arguments = nullptr;
  GenerateArguments generate;
  bool no_history = false, no_statistics = false;
  CommonOptions common;
};

// What to go on from.
std::vector<ChatMessage> LoadMessages(const Arguments& arguments) {
  return arguments.conversation.empty() ? std::vector<ChatMessage>()
                                        : LoadConversation(arguments.conversation);
}

// The last part of its path, also of a folder with a slash behind it.
std::string NameOf(const Path& model) {
  return (model / "").parent_path().filename().string();
}

// None when it is not wanted, has no place, or cannot be written.
std::optional<HistoryFile> OpenHistory(const Arguments& arguments) {
  const Path path = DefaultHistoryPath();
  if (arguments.no_history || path.empty()) return std::nullopt;
  try {
    return HistoryFile(path);
  } catch (const Error& error) {
    if (!arguments.common.quiet) PrintNote(error.what());
    return std::nullopt;
  }
}

void Talk(const Arguments& arguments, Conversation& conversation, size_t context) {
  ChatLoopOptions options{.generate = arguments.generate.generate,
                          .context = context,
                          .interactive = isatty(STDIN_FILENO) != 0 && isatty(STDERR_FILENO) != 0,
                          .notes = !arguments.common.quiet,
                          .statistics = !arguments.no_statistics && !arguments.common.quiet};
  if (!options.interactive) {
    const auto input = PlainLineInput();
    ChatLoop(conversation, *input, nullptr, options).Run();
    return;
  }
  std::optional<HistoryFile> history = OpenHistory(arguments);
  const auto input = TerminalLineInput(history ? history->entries() : std::vector<std::string>());
  if (!arguments.common.quiet)
    PrintRemark(Format("%s; context %zu tokens; /help lists commands, Ctrl-D ends",
                       NameOf(arguments.model).c_str(), context));
  ChatLoop(conversation, *input, history ? &*history : nullptr, options).Run();
}

void Run(Arguments& arguments) {
  arguments.generate.Check();
  if (arguments.generate.tokens == 0) throw UsageError("-n: an answer of 0 tokens is none");
  CatchInterrupts();
  const std::vector<ChatMessage> messages = LoadMessages(arguments);
  const Tokenizer tokenizer = LoadTokenizer(arguments.model);
  ChatPrompt prompt =
      WithContext(arguments.model.string(), [&] { return ChatPrompt(tokenizer, arguments.chat_template); });
  const Model model = LoadCheckedModel(arguments.model);
  const size_t context = ContextOrDefault(arguments.generate.context, model.config);
  if (!arguments.common.quiet) NoteLongContext(context, model.config.context);
  ThreadPool pool(arguments.common.threads);
  Transformer transformer(model, pool);
  Session session(transformer, tokenizer, context, arguments.generate.kv_type);
  Conversation conversation(session, std::move(prompt), arguments.template_arguments);
  conversation.Replace(messages);
  if (arguments.system) conversation.SetSystem(*arguments.system);
  Talk(arguments, conversation, context);
}

// "enable_thinking=false" -> a variable of the template.
void SetTemplateArgument(const std::string& text, Json& variables) {
  const size_t sign = text.find('=');
  if (sign == std::string::npos || sign == 0)
    throw UsageError("--template-arg: '", text, "' is not of the form NAME=JSON");
  AsUsage(
      [&] { variables[text.substr(0, sign)] = ParseJson(text.substr(sign + 1), "--template-arg: " + text); });
}

void AddTemplateArguments(CLI::App& app, Arguments& arguments) {
  const auto set = [&arguments](const std::vector<std::string>& texts) {
    for (const std::string& text : texts) SetTemplateArgument(text, arguments.template_arguments);
  };
  app.add_option_function<std::vector<std::string>>(
         "--template-arg", set, "a variable of the template (may be repeated), as enable_thinking=false")
      ->type_name("NAME=JSON")
      ->allow_extra_args(false);
}

}  // namespace

CommandRun SetUpChat(CLI::App& app) {
  const auto arguments = std::make_shared<Arguments>();
  GenerateArguments& generate = arguments->generate;

  app.option_defaults()->group("Model and conversation");
  AddModel(app, arguments->model, "any model: compressed, GGUF or Hugging Face folder");
  AddText(app, "--system", arguments->system, "the system prompt");
  AddPath(app, "--load", arguments->conversation, "go on with what /save has written");
  AddTemplateOption(app, arguments->chat_template);
  AddTemplateArguments(app, *arguments);
  AddLengthOptions(app, generate, {-1, kMostTokens},
                   "tokens of an answer at most; -1 = what the context holds",
                   Format("context in tokens; 0 = the model's, at most %zu", kLongestDefaultContext));
  AddStopOption(app, generate.generate.stop);
  AddFlag(app, "--no-history", arguments->no_history, "do not keep what is typed for later chats");

  app.option_defaults()->group("Sampling");
  AddSamplingOptions(app, generate.generate.sampling);

  AddCommonOptions(app, arguments->common);
  AddFlag(app, "--no-stats", arguments->no_statistics, "no statistics behind the answers");
  app.footer(
      "Each line is a message; /help tells the rest. Without a terminal: the same.\n\n"
      "Examples:\n"
      "  addend chat model.gguf --system \"Answer in one sentence.\"\n"
      "  addend chat model.gguf --no-stats < questions.txt > answers.txt");
  return [arguments] { Run(*arguments); };
}

}  // namespace addend
