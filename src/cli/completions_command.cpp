// `addend completions bash`
#include <memory>

#include "cli/commands.h"
#include "cli/completions.h"
#include "cli/output.h"

namespace addend {

CommandRun SetUpCompletions(CLI::App& app) {
  using Script = std::string (*)();
  const auto script = std::make_shared<Script>(BashCompletions);
  app.option_defaults()->group("Shell");
  AddChoiceInto<Script, Script>(app, "SHELL", *script, {{"bash", BashCompletions}, {"zsh", ZshCompletions}},
                                "which one")
      ->required();
  app.option_defaults()->group("General");
  app.footer(
      "Of commands, options, their values and names of files. An installed addend\n"
      "brings both along. For this shell alone: source <(addend completions bash)\n\n"
      "Examples:\n"
      "  addend completions bash > ~/.local/share/bash-completion/completions/addend\n"
      "  addend completions zsh > ~/.zfunc/_addend    # where $fpath has ~/.zfunc");
  return [script] { Print((*script)()); };
}

}  // namespace addend
