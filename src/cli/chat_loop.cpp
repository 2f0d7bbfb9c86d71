#include "cli/chat_loop.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <vector>

#include "base/error.h"
#include "base/interrupt.h"
#include "chat/conversation_file.h"
#include "cli/output.h"
#include "cli/suggest.h"
#include "tokenizer/utf8.h"

namespace addend {
namespace {

void Say(const std::string& text) {
  std::fprintf(stderr, "%s\n", text.c_str());
}

std::string Turns(size_t count) {
  return Format("%zu turn%s", count, count == 1 ? "" : "s");
}

std::string WithSlash(std::string_view command) {
  return std::string("/").append(command);
}

}  // namespace

ChatLoop::ChatLoop(Conversation& conversation, LineInput& input, HistoryFile* history,
                   ChatLoopOptions options)
    : conversation_(conversation), input_(input), history_(history), options_(std::move(options)) {}

void ChatLoop::Run() {
  while (!quit_) {
    const std::optional<std::string> message = ReadMessage();
    if (!message) return;
    try {
      Obey(*message);
    } catch (const OutputClosed&) {
      throw;
    } catch (const Interrupted&) {
      throw;
    } catch (const Error& error) {
      if (!options_.interactive) throw;
      PrintError(error.what());
    }
  }
}

// Nothing at the end of the input.
std::optional<std::string> ChatLoop::ReadMessage() {
  std::string message;
  bool goes_on = false;  // from the line before
  while (true) {
    InputLine line = input_.Read(goes_on ? ". " : "> ");
    if (line.kind == InputLine::Kind::kInterrupt) {
      if (!GoesOnAfterInterrupt(!goes_on && line.text.empty())) return std::nullopt;
      goes_on = false;
      message.clear();
      continue;
    }
    interrupted_before_ = false;
    if (line.kind == InputLine::Kind::kEnd) return goes_on ? std::optional(message) : std::nullopt;
    if (goes_on) message += '\n';
    goes_on = TakeContinuation(line.text);
    message += line.text;
    if (!goes_on) return message;
  }
}

// At the prompt.
bool ChatLoop::GoesOnAfterInterrupt(bool nothing_typed) {
  TakeInterrupt();
  if (nothing_typed && interrupted_before_) return false;
  interrupted_before_ = nothing_typed;
  if (nothing_typed) PrintRemark("Ctrl-C again ends the chat, as do Ctrl-D and /quit");
  return true;
}

// A Ctrl-C that has done its work, unless it is to end the program.
void ChatLoop::TakeInterrupt() {
  if (!InterruptRequested()) return;
  if (!options_.interactive || InterruptSignal() != SIGINT) throw Interrupted("interrupted");
  ClearInterrupt();
}

void ChatLoop::Remember(const std::string& message) {
  input_.Remember(message);
  if (history_ == nullptr) return;
  try {
    history_->Add(message);
  } catch (const Error& error) {
    history_ = nullptr;
    PrintNote(error.what());
  }
}

void ChatLoop::Obey(const std::string& message) {
  if (TrimWhiteSpace(message, true, false).empty()) return;
  Remember(message);
  const ChatInput input = ParseChatInput(message);
  if (!input.command.empty()) return RunCommand(input);
  Respond([&](const TextSink& sink) { return conversation_.Ask(input.text, options_.generate, sink); });
}

void ChatLoop::RunCommand(const ChatInput& input) {
  std::vector<std::string> names;
  for (const Command& command : Commands()) {
    names.push_back(WithSlash(command.name));
    if (command.name != input.command) continue;
    if (command.argument.empty() && !input.text.empty())
      throw Error(names.back(), " takes nothing behind it");
    if (command.argument.starts_with("FILE") && input.text.empty())
      throw Error(names.back(), " needs the name of a file");
    return (this->*command.run)(input.text);
  }
  const std::string name = WithSlash(input.command);
  const std::optional<std::string> nearest = Nearest(name, names);
  throw Error("there is no command '", name, "'", nearest ? "; did you mean '" + *nearest + "'?" : "",
              " (/help lists them; // begins a message with a slash)");
}

void ChatLoop::Respond(const std::function<Answer(const TextSink&)>& generate) {
  TakeInterrupt();  // one that came after the last answer
  const Answer answer = generate([](std::string_view piece) {
    PrintText(piece);
    return true;
  });
  if (!answer.generation.text.ends_with('\n')) Print("\n");
  Count(answer);
  Comment(answer);
  TakeInterrupt();
}

void ChatLoop::Count(const Answer& answer) {
  const GenerateStatistics& statistics = answer.generation.statistics;
  totals_.read += statistics.prompt_tokens;
  totals_.reused += statistics.reused_tokens;
  totals_.written += answer.generation.tokens.size();
  totals_.decoding.decoded_tokens += statistics.decoded_tokens;
  totals_.decoding.decode_seconds += statistics.decode_seconds;
  totals_.in_context = statistics.prompt_tokens + answer.generation.tokens.size();
}

void ChatLoop::Comment(const Answer& answer) const {
  const Generation& generation = answer.generation;
  if (options_.notes && answer.forgotten > 0)
    PrintNote("the conversation outgrew the context: the model no longer sees the oldest " +
              Turns(conversation_.forgotten()));
  if (options_.notes && generation.finish == FinishReason::kContextFull)
    PrintNote("the context is full: the answer is cut off");
  if (options_.notes && generation.finish == FinishReason::kInterrupted && generation.text.empty())
    PrintNote("interrupted before the answer began: the question is not kept");
  if (!options_.statistics) return;
  std::string remark = Format("%zu tokens, %.1f tokens/s", generation.tokens.size(),
                              generation.statistics.DecodeTokensPerSecond());
  if (generation.finish != FinishReason::kEndToken) remark += "; " + std::string(Name(generation.finish));
  PrintRemark(remark);
}

// ---- Commands ----

std::span<const ChatLoop::Command> ChatLoop::Commands() {
  static constexpr Command kCommands[] = {
      {"help", "", "show this", &ChatLoop::Help},
      {"reset", "", "begin a new conversation; the system prompt stays", &ChatLoop::Reset},
      {"system", "[TEXT]", "set the system prompt; without a text, remove it", &ChatLoop::System},
      {"regenerate", "", "answer the last question again", &ChatLoop::Regenerate},
      {"save", "FILE", "write the conversation as JSON", &ChatLoop::Save},
      {"load", "FILE", "go on with a saved conversation", &ChatLoop::Load},
      {"stats", "", "show what was read and written so far", &ChatLoop::Statistics},
      {"quit", "", "end", &ChatLoop::Quit},
  };
  return kCommands;
}

void ChatLoop::Help(const std::string&) {
  for (const Command& command : Commands()) {
    const std::string usage =
        Format("/%s %s", std::string(command.name).c_str(), std::string(command.argument).c_str());
    Say(Format("  %-16s %s", usage.c_str(), std::string(command.help).c_str()));
  }
  Say("A line that ends with \\ goes on with the next one. // begins a message with a slash.\n"
      "Ctrl-C stops an answer. Ctrl-D ends the chat.");
}

void ChatLoop::Reset(const std::string&) {
  conversation_.Reset();
  totals_.in_context = 0;
  Say("a new conversation");
}

void ChatLoop::System(const std::string& text) {
  conversation_.SetSystem(text);
  Say(text.empty() ? "no system prompt" : "system prompt set");
}

void ChatLoop::Regenerate(const std::string&) {
  Respond([&](const TextSink& sink) { return conversation_.AskAgain(options_.generate, sink); });
}

void ChatLoop::Save(const std::string& file) {
  SaveConversation(ExpandHome(file), conversation_.messages());
  Say(OneLine("saved " + Turns(conversation_.turns()) + " to " + file));
}

void ChatLoop::Load(const std::string& file) {
  conversation_.Replace(LoadConversation(ExpandHome(file)));
  totals_.in_context = 0;
  Say(OneLine("loaded " + Turns(conversation_.turns()) + " from " + file));
}

void ChatLoop::Statistics(const std::string&) {
  Say(Format("  turns    %zu, of which the model sees %zu", conversation_.turns(),
             conversation_.turns() - conversation_.forgotten()));
  Say(Format("  context  %zu of %zu tokens", totals_.in_context, options_.context));
  Say(Format("  read     %zu tokens, %zu of them known from the turn before", totals_.read, totals_.reused));
  Say(Format("  written  %zu tokens, %.1f tokens/s", totals_.written,
             totals_.decoding.DecodeTokensPerSecond()));
}

void ChatLoop::Quit(const std::string&) {
  quit_ = true;
}

}  // namespace addend
