// What the commands that write text share.
#pragma once
#include "cli/options.h"
#include "generate/session.h"

namespace addend {

inline constexpr long kMostTokens = 1L << 30;

struct GenerateArguments {
  long tokens = -1;  // -1 = until the context is full
  size_t context = 0;
  DType kv_type = DType::kF16;
  GenerateOptions generate;

  // Completes `generate`. Throws UsageError when values do not fit together.
  void Check();
};

// Each adds to the option group that is current. The helps differ in what 0 and the default mean.
void AddLengthOptions(CLI::App& app, GenerateArguments& arguments, Range<long> tokens,
                      const std::string& tokens_help, const std::string& context_help);
void AddStopOption(CLI::App& app, std::vector<std::string>& stop);
CLI::Option* AddTemplateOption(CLI::App& app, std::optional<std::string>& name);
void AddSamplingOptions(CLI::App& app, SamplingOptions& sampling);

}  // namespace addend
