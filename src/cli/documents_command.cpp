// `addend documents FOLDER`: what a build runs, for `cmake --install`.
#include <memory>

#include "cli/commands.h"
#include "cli/completions.h"
#include "cli/manual.h"

namespace addend {
namespace {

void Write(const Path& path, std::string_view text) {
  std::filesystem::create_directories(path.parent_path());
  AtomicFile file(path);
  file.Write(text);
  file.Commit();
}

void Run(const Path& folder) {
  Write(folder / "man1/addend.1", ProgramPage());
  for (const CommandText& command : DescribeCommands())
    Write(folder / "man1" / ("addend-" + command.name + ".1"), CommandPage(command));
  Write(folder / "bash/addend", BashCompletions());
  Write(folder / "zsh/_addend", ZshCompletions());
}

}  // namespace

CommandRun SetUpDocuments(CLI::App& app) {
  const auto folder = std::make_shared<Path>();
  app.option_defaults()->group("Files");
  AddPath(app, "FOLDER", *folder, "made where it is not there")->required();
  app.option_defaults()->group("General");
  app.footer("Examples:\n  addend documents build/documents");
  return [folder] { Run(*folder); };
}

}  // namespace addend
