#include "cli/commands.h"

namespace addend {

std::span<const Command> Commands() {
  static constexpr Command kCommands[] = {
      {"compress", "MODEL -o OUT.gguf [options]", "compress a model to a few bits, or less, per weight",
       SetUpCompress},
      {"run", "FILE -p TEXT [options]", "continue a text", SetUpRun},
      {"eval", "FILE -f TEXT [options]", "measure perplexity, and how far a model is from its original",
       SetUpEval},
      {"bench", "FILE [options]", "measure the speed of reading and of writing text", SetUpBench},
      {"inspect", "FILE [options]", "show what is inside a model and how it was made", SetUpInspect},
      {"export", "FILE -o OUT [options]", "write a dense model that other programs run", SetUpExport},
      {"tokenize", "MODEL TEXT [options]", "turn text into the model's token ids", SetUpTokenize},
      {"selftest", "[options]", "check every kernel that this CPU runs against a reference", SetUpSelftest},
  };
  return kCommands;
}

}  // namespace addend
