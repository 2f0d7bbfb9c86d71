#include "cli/command_text.h"

#include <algorithm>
#include <utility>

#include "base/format.h"

namespace addend {
namespace {

std::vector<std::string> Lines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
  }
  return lines;
}

OptionText Describe(const CLI::Option& option) {
  OptionText text;
  if (option.get_positional()) text.positional = option.get_name(/*positional=*/true);
  for (const std::string& name : option.get_snames()) text.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) text.names.push_back("--" + name);
  if (option.get_items_expected_max() > 0) text.value = ValueName(option);
  text.description = option.get_description();
  text.choices = ChoicesOf(option);
  text.default_value = option.get_default_str();
  text.list = text.value.ends_with("...") && text.value.find(',') == std::string::npos;
  text.repeats = option.get_items_expected_max() > 1;
  return text;
}

// "What is worth knowing.\n\nExamples:\n  addend ...\n  addend ...": the shape of every footer.
void DescribeFooter(const std::string& footer, CommandText& text) {
  constexpr std::string_view kExamples = "Examples:\n";
  const size_t at = footer.find(kExamples);
  text.notes = footer.substr(0, at);
  while (text.notes.ends_with('\n')) text.notes.pop_back();
  if (at == footer.npos) return;
  for (const std::string& line : Lines(std::string_view(footer).substr(at + kExamples.size())))
    text.examples.push_back(line.substr(std::min<size_t>(line.find_first_not_of(' '), 2)));
}

}  // namespace

std::string OptionText::Explanation() const {
  return description + (choices.empty() ? "" : ": " + Joined(choices)) +
         (default_value.empty() ? "" : " [" + default_value + "]");
}

std::vector<OptionText> CommandText::AllOptions() const {
  std::vector<OptionText> options;
  for (const OptionGroup& group : groups)
    options.insert(options.end(), group.options.begin(), group.options.end());
  return options;
}

CommandText Describe(const Command& command) {
  CLI::App app;
  SetUp(command, app);
  CommandText text{.name = std::string(command.name),
                   .arguments = std::string(command.arguments),
                   .summary = std::string(command.summary)};
  for (const std::string& name : app.get_groups()) {
    OptionGroup group{.name = name};
    const auto in_group = [&](const CLI::Option* option) { return option->get_group() == name; };
    for (const CLI::Option* option : std::as_const(app).get_options(in_group))
      group.options.push_back(Describe(*option));
    if (!group.options.empty()) text.groups.push_back(std::move(group));
  }
  DescribeFooter(app.get_footer(), text);
  return text;
}

std::vector<CommandText> DescribeCommands() {
  std::vector<CommandText> texts;
  for (const Command& command : Commands()) {
    if (!command.hidden) texts.push_back(Describe(command));
  }
  return texts;
}

std::vector<std::string> ProgramExamples() {
  return {"addend compress SmolLM2-135M-Instruct --bits 1.0 -o model.gguf", "addend chat model.gguf",
          "addend run model.gguf -p \"The capital of France is\""};
}

}  // namespace addend
