// Finds the command, parses its options, runs it; and is the only place that prints errors.
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <new>
#include <string>
#include <vector>

#include "base/version.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "cli/output.h"
#include "cli/suggest.h"

namespace addend {
namespace {

enum ExitCode { kDone = 0, kFailed = 1, kBadUsage = 2, kInterrupted = 130 };

std::string DidYouMean(const std::string& word, const std::vector<std::string>& candidates) {
  const std::optional<std::string> nearest = Nearest(word, candidates);
  return nearest ? "; did you mean '" + *nearest + "'?" : "";
}

const Command& FindCommand(const std::string& name) {
  std::vector<std::string> names;
  for (const Command& command : Commands()) {
    if (command.name == name) return command;
    if (!command.hidden) names.emplace_back(command.name);
  }
  throw UsageError("there is no command '", name, "'", DidYouMean(name, names), " (see addend --help)");
}

// What is missing, by the name that the usage line has for it.
std::string MissingOption(const CLI::App& app) {
  std::string missing, list;
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_required() && option->count() == 0 && missing.empty()) {
      missing = option->get_name(/*positional=*/option->get_positional());
    }
    if (option->get_items_expected_max() > 1 && option->count() > 0) list = option->get_name();
  }
  const bool positional = !missing.starts_with('-');
  const std::string hint = positional && !list.empty() ? "; " + list + " may have taken it" : "";
  return missing + " is required" + hint;
}

// What is wrong, in our words. An argument that nothing takes goes first: it explains what then is missing.
std::string ParseProblem(const CLI::App& app, const CLI::ParseError& error) {
  const std::vector<std::string> unknown = app.remaining();
  if (unknown.empty()) {
    for (const CLI::Option* option : app.get_options()) {
      const auto most = static_cast<size_t>(option->get_items_expected_max());
      if (most > 0 && option->count() > most) return option->get_name() + " is given more than once";
    }
    return error.get_name() == "RequiredError" ? MissingOption(app) : error.what();
  }
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return "unexpected argument '" + unknown.front() + "'" + DidYouMean(unknown.front(), names);
}

void RunCommand(const Command& command, std::vector<std::string> arguments) {
  const std::string name(command.name);
  CLI::App app;
  const CommandRun run = SetUp(command, app);
  try {
    std::reverse(arguments.begin(), arguments.end());  // as CLI11 wants them
    app.parse(arguments);
    run();
  } catch (const CLI::CallForHelp&) {
    Print(CommandHelp(Describe(command)));
  } catch (const CLI::ParseError& error) {
    throw UsageError(name, ": ", ParseProblem(app, error), " (see addend ", name, " --help)");
  } catch (const UsageError& error) {
    throw UsageError(name, ": ", error.what(), " (see addend ", name, " --help)");
  }
}

void RunProgram(std::vector<std::string> arguments) {
  if (arguments.empty()) throw UsageError("no command (see addend --help)");
  const std::string first = arguments.front();
  arguments.erase(arguments.begin());
  if (first == "--help" || first == "-h" || first == "help") {
    if (arguments.empty()) {
      Print(ProgramHelp());
    } else {
      RunCommand(FindCommand(arguments.front()), {"--help"});
    }
  } else if (first == "--version") {
    Print(std::string("addend ") + kVersion + "\n");
  } else {
    RunCommand(FindCommand(first), std::move(arguments));
  }
}

int Fail(ExitCode code, const std::string& message) {
  std::fprintf(stderr, "addend: %s\n", Shortened(OneLine(message), kLongestError).c_str());
  return code;
}

// A mapped file became shorter, or cannot be read any more, in the middle of some read from memory: there is
// nothing that could go on. Calls only what a signal handler may.
void EndOnBusError(int) {
  constexpr std::string_view kMessage =
      "addend: a model file was cut off, or cannot be read any more, while it was in use\n";
  [[maybe_unused]] const ssize_t told = write(STDERR_FILENO, kMessage.data(), kMessage.size());
  _exit(kFailed);
}

}  // namespace
}  // namespace addend

int main(int argc, char** argv) {
  using namespace addend;
  ReserveStandardStreams();
  std::signal(SIGPIPE, SIG_IGN);  // writing to a closed pipe is an error like others
  std::signal(SIGBUS, EndOnBusError);
  try {
    RunProgram({argv + std::min(argc, 1), argv + argc});
    return kDone;
  } catch (const OutputClosed&) {
    return kDone;
  } catch (const UsageError& error) {
    return Fail(kBadUsage, error.what());
  } catch (const Interrupted& error) {
    return Fail(kInterrupted, error.what());
  } catch (const std::bad_alloc&) {
    return Fail(kFailed, "not enough memory");
  } catch (const std::exception& error) {
    return Fail(kFailed, error.what());
  }
}
