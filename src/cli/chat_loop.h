// The conversation of `addend chat`: reads lines, answers them, does what /commands say.
#pragma once
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "cli/chat_input.h"
#include "cli/history_file.h"
#include "cli/line_input.h"
#include "generate/conversation.h"

namespace addend {

struct ChatLoopOptions {
  GenerateOptions generate;
  size_t context = 0;       // in tokens
  bool interactive = true;  // somebody sits there: ask, explain, and go on after an error or Ctrl-C
  bool notes = true;        // when something is lost
  bool statistics = true;   // a line after each answer
};

class ChatLoop {
 public:
  // Keeps references to all, which must outlive it. `history` may be null.
  ChatLoop(Conversation& conversation, LineInput& input, HistoryFile* history, ChatLoopOptions options);

  // Until /quit or the end of the input. Answers go to standard output, all else to standard error. Throws
  // Interrupted when asked to end; when not interactive, also at Ctrl-C, and Error when a line fails.
  void Run();

 private:
  struct Command {
    std::string_view name;
    std::string_view argument;  // "FILE", "[TEXT]" for one that may be missing, or none
    std::string_view help;
    void (ChatLoop::*run)(const std::string& argument);
  };
  struct Totals {
    size_t read = 0, reused = 0, written = 0;  // tokens
    GenerateStatistics decoding;               // only what decoding takes
    size_t in_context = 0;                     // tokens, after the last answer
  };
  static std::span<const Command> Commands();

  std::optional<std::string> ReadMessage();
  bool GoesOnAfterInterrupt(bool nothing_typed);
  void TakeInterrupt();
  void Remember(const std::string& message);
  void Obey(const std::string& message);
  void RunCommand(const ChatInput& input);
  void Respond(const std::function<Answer(const TextSink&)>& generate);
  void Count(const Answer& answer);
  void Comment(const Answer& answer) const;

  void Help(const std::string&);
  void Reset(const std::string&);
  void System(const std::string& text);
  void Save(const std::string& file);
  void Load(const std::string& file);
  void Statistics(const std::string&);
  void Regenerate(const std::string&);
  void Quit(const std::string&);

  Conversation& conversation_;
  LineInput& input_;
  HistoryFile* history_;
  const ChatLoopOptions options_;
  Totals totals_;
  bool quit_ = false;
  bool interrupted_before_ = false;  // at an empty prompt, by the last line read
};

}  // namespace addend
