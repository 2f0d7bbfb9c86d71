#include "cli/commands.h"

namespace addend {

std::span<const Command> Commands() {
  static constexpr Command kCommands[] = {
      {"compress", "MODEL -o OUT.gguf [options]", "compress a model to a few bits, or less, per weight",
       SetUpCompress},
      {"refine", "FILE --reference MODEL -o OUT.gguf [options]", "go on tuning a compressed model",
       SetUpRefine},
      {"run", "MODEL TEXT [options]", "continue a text", SetUpRun},
      {"chat", "MODEL [options]", "talk with a model in the terminal", SetUpChat},
      {"serve", "MODEL [options]", "answer over HTTP, as OpenAI's API does", SetUpServe},
      {"eval", "MODEL -f TEXT [options]", "measure a model: perplexity, divergence, questions, answers",
       SetUpEval},
      {"bench", "MODEL [options]", "measure the speed of reading and of writing text", SetUpBench},
      {"inspect", "MODEL [options]", "show what is inside a model and how it was made", SetUpInspect},
      {"compare", "MODEL... [options]", "set quality against size for several models", SetUpCompare},
      {"export", "MODEL -o OUT [options]", "write a dense model that other programs run", SetUpExport},
      {"tokenize", "MODEL TEXT [options]", "turn text into the model's token ids", SetUpTokenize},
      {"selftest", "[options]", "check every kernel that this CPU runs", SetUpSelftest},
      {"completions", "bash|zsh", "print what lets a shell complete command lines", SetUpCompletions},
      {"documents", "FOLDER", "write the manual pages and completions that are installed", SetUpDocuments,
       /*hidden=*/true},
  };
  return kCommands;
}

CommandRun SetUp(const Command& command, CLI::App& app) {
  CommandRun run = command.set_up(app);
  app.set_help_flag("-h,--help", "show this help; [x] is the default")->group("General");
  return run;
}

}  // namespace addend
