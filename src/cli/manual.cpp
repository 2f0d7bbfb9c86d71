#include "cli/manual.h"

#include <algorithm>
#include <cctype>

#include "base/version.h"

namespace addend {
namespace {

// Text that roff shows as it is: none of it is a command, and nothing becomes a typographic sign.
std::string Roff(std::string_view text) {
  std::string roff;
  for (const char c : text) {
    switch (c) {
      case '\\':
        roff += "\\e";
        break;
      case '-':
        roff += "\\-";
        break;
      case '\'':
        roff += "\\(aq";
        break;
      case '`':
        roff += "\\(ga";
        break;
      case '^':
        roff += "\\(ha";
        break;
      case '~':
        roff += "\\(ti";
        break;
      case '\n':
        roff += ' ';
        break;
      default:
        roff += c;
    }
  }
  // At the beginning of a line, which any text may come to, a dot begins a command and a space a new line.
  return roff.starts_with('.') || roff.starts_with(' ') ? "\\&" + roff : roff;
}

std::string Bold(std::string_view text) {
  return "\\fB" + Roff(text) + "\\fR";
}

std::string Italic(std::string_view text) {
  return "\\fI" + Roff(text) + "\\fR";
}

std::string Heading(std::string_view name) {
  return ".SH " + std::string(name) + "\n";
}

std::string Title(const std::string& page) {
  std::string upper = page;
  std::ranges::transform(upper, upper.begin(), [](unsigned char c) { return std::toupper(c); });
  // No date: the same program gives the same bytes.
  return ".\\\" Made by addend from the definitions of its options.\n.TH " + Roff(upper) +
         " 1 \"\" \"addend " + kVersion + "\" \"addend manual\"\n";
}

std::string Name(const std::string& page, std::string_view summary) {
  return Heading("NAME") + Roff(page) + " \\- " + Roff(summary) + "\n";
}

// Lines as they are.
std::string Verbatim(const std::vector<std::string>& lines) {
  std::string text = ".nf\n.RS 4\n";
  for (const std::string& line : lines) text += (line.empty() ? "\\&" : Roff(line)) + "\n";
  return text + ".RE\n.fi\n";
}

// Paragraphs are filled, but for the lines in them that are indented.
std::string Notes(const std::string& notes) {
  std::string text, paragraph;
  std::vector<std::string> kept;
  const auto end_paragraph = [&] {
    if (!paragraph.empty()) text += ".PP\n" + Roff(paragraph) + "\n";
    paragraph.clear();
  };
  const auto end_kept = [&] {
    if (!kept.empty()) text += Verbatim(kept);
    kept.clear();
  };
  for (size_t at = 0; at < notes.size();) {
    const size_t end = std::min(notes.find('\n', at), notes.size());
    const std::string line = notes.substr(at, end - at);
    at = end + 1;
    if (line.starts_with(' ')) {
      end_paragraph();
      kept.push_back(line.substr(line.find_first_not_of(' ')));
      continue;
    }
    end_kept();
    if (line.empty()) {
      end_paragraph();
    } else {
      paragraph += (paragraph.empty() ? "" : " ") + line;
    }
  }
  end_paragraph();
  end_kept();
  return text;
}

std::string Option(const OptionText& option) {
  std::string names;
  const auto add = [&](const std::string& name) { names += (names.empty() ? "" : ", ") + name; };
  if (!option.positional.empty()) add(Italic(option.positional));
  for (const std::string& name : option.names) add(Bold(name));
  if (!option.value.empty() && !option.names.empty()) names += " " + Italic(option.value);
  return ".TP\n" + names + "\n" + Roff(option.Explanation()) + "\n";
}

// "continue a text" -> "Continue a text."
std::string Sentence(std::string text) {
  text.front() = static_cast<char>(std::toupper(static_cast<unsigned char>(text.front())));
  return text + ".";
}

std::string ExitStatus() {
  return Heading("EXIT STATUS") + Roff(kExitCodes) + ".\n";
}

std::string Examples(const std::vector<std::string>& lines) {
  return lines.empty() ? "" : Heading("EXAMPLES") + Verbatim(lines);
}

std::string Reference(const std::string& page) {
  return "\\%" + Bold(page) + "(1)";  // without hyphens of roff's own
}

}  // namespace

std::string ProgramPage() {
  const std::vector<CommandText> commands = DescribeCommands();
  std::string text = Title("addend") + Name("addend", "compress language models and run them on CPUs");
  text += Heading("SYNOPSIS") + Bold("addend") + " " + Italic("COMMAND") + " [" + Italic("arguments") +
          "]\n.br\n" + Bold("addend") + " " + Italic("COMMAND") + " " + Bold("--help") + "\n.br\n" +
          Bold("addend --version") + "\n";
  text += Heading("DESCRIPTION") + Roff("addend " + std::string(kProgramSummary)) + "\n";
  text += Heading("COMMANDS");
  for (const CommandText& command : commands)
    text += ".TP\n" + Reference("addend-" + command.name) + "\n" + Roff(command.summary) + "\n";
  text += ExitStatus() + Examples(ProgramExamples());
  text += Heading("SEE ALSO");
  for (const CommandText& command : commands)
    text += Reference("addend-" + command.name) + (&command == &commands.back() ? "\n" : ",\n");
  return text;
}

std::string CommandPage(const CommandText& command) {
  const std::string page = "addend-" + command.name;
  std::string text = Title(page) + Name(page, command.summary);
  text += Heading("SYNOPSIS") + Bold("addend " + command.name) + " " + Roff(command.arguments) + "\n";
  text += Heading("DESCRIPTION") + Roff(Sentence(command.summary)) + "\n";
  text += Notes(command.notes);
  text += Heading("OPTIONS") + Roff("A value in [brackets] is the default.") + "\n";
  for (const OptionGroup& group : command.groups) {
    text += ".SS " + Roff(group.name) + "\n";
    for (const OptionText& option : group.options) text += Option(option);
  }
  return text + Examples(command.examples) + ExitStatus() + Heading("SEE ALSO") + Reference("addend") + "\n";
}

}  // namespace addend
