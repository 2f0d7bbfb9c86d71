#include "tokenizer/gguf_pre_tokenizers.h"

#include <algorithm>

namespace addend {
namespace {

constexpr std::string_view kDigit = R"(\p{N})";
constexpr std::string_view kUpToThreeDigits = R"(\p{N}{1,3})";

constexpr std::string_view kLlama3 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kQwen2 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kGpt4o =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
    R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
    R"(|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kTekken =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)"
    R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)"
    R"(|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

constexpr std::string_view kDeepSeekCjk = "[一-龥\u3040-ゟ゠-ヿ]+";
// Three times a real carriage return and newline, not an escape: the pattern must equal the one of the
// model's own file.
constexpr std::string_view kDeepSeek3 =
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+"
    "|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*"
    "|\\s*[\r\n]+|\\s+(?!\\S)|\\s+";

const std::vector<GgufPreTokenizer>& Table() {
  static const std::vector<GgufPreTokenizer> kTable = [] {
    std::vector<GgufPreTokenizer> table;
    // All names for the same thing, the one to write first.
    const auto add = [&](std::initializer_list<std::string_view> names, GgufPreTokenizer what) {
      for (const std::string_view name : names) {
        what.name = name;
        table.push_back(what);
      }
    };
    add({"gpt-2", "phi-2", "mpt", "olmo", "exaone4", "gigachat", "mellum", "a.x-4.0"},
        {.name = {}, .patterns = {kGpt2Pattern}});
    // SmolLM's own tokenizer keeps " ②" and " ½" whole, so its digits are decimal ones only.
    add({"smollm"}, {.name = {}, .patterns = {R"(\d)", kGpt2Pattern}});
    add({"starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b", "mellum2"},
        {.name = {}, .patterns = {kDigit, kGpt2Pattern}});
    add({"llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2"},
        {.name = {}, .patterns = {kLlama3}, .ignore_merges = true, .add_bos = true});
    add({"dbrx", "smaug-bpe", "chatglm-bpe", "glm4"}, {.name = {}, .patterns = {kLlama3}});
    add({"qwen2", "deepseek-r1-qwen"}, {.name = {}, .patterns = {kQwen2}, .nfc = true});
    add({"stablelm2", "megrez", "hunyuan", "solar-open", "grok-2"}, {.name = {}, .patterns = {kQwen2}});
    add({"deepseek-v3", "hunyuan-dense", "joyai-llm"},
        {.name = {}, .patterns = {kUpToThreeDigits, kDeepSeekCjk, kDeepSeek3}});
    add({"gpt-4o", "llama4", "kanana2", "minimax-m2"}, {.name = {}, .patterns = {kGpt4o}});
    add({"tekken"}, {.name = {}, .patterns = {kTekken}, .ignore_merges = true, .add_bos = true});
    // What llama.cpp falls back to for a file that has no name.
    add({"default"},
        {.name = {}, .patterns = {R"([\p{P}\$\+<=>\^~\|]+)", kGpt2Pattern, R"(\p{N}+)", "[0-9][0-9][0-9]"}});
    return table;
  }();
  return kTable;
}

// The patterns, if that is all that the steps are: each of them leaves every part of a word as a word.
std::vector<std::string_view> Patterns(const PreTokenizer& pre_tokenizer) {
  std::vector<std::string_view> patterns;
  for (const PreTokenizer::Step& step : pre_tokenizer.steps()) {
    const auto* split = std::get_if<PreTokenizer::Split>(&step);
    if (split == nullptr) return {};
    // A pattern that matches all text leaves nothing between its matches to be removed.
    const bool keeps_all = split->behavior == PreTokenizer::Behavior::kIsolated ||
                           (split->behavior == PreTokenizer::Behavior::kRemoved && split->invert);
    if (!keeps_all) return {};
    patterns.push_back(split->pattern.pattern());
  }
  return patterns;
}

}  // namespace

const GgufPreTokenizer* FindGgufPreTokenizer(std::string_view name) {
  const auto& table = Table();
  const auto found =
      std::find_if(table.begin(), table.end(), [&](const auto& entry) { return entry.name == name; });
  return found == table.end() ? nullptr : &*found;
}

std::string_view GgufPreTokenizerName(const PreTokenizer& pre_tokenizer, bool ignore_merges, bool nfc) {
  const std::vector<std::string_view> patterns = Patterns(pre_tokenizer);
  for (const GgufPreTokenizer& entry : Table())
    if (entry.patterns == patterns && entry.ignore_merges == ignore_merges && entry.nfc == nfc)
      return entry.name;
  return {};
}

PreTokenizer MakePreTokenizer(const GgufPreTokenizer& named) {
  std::vector<PreTokenizer::Step> steps;
  steps.reserve(named.patterns.size());
  for (const std::string_view pattern : named.patterns)
    steps.emplace_back(PreTokenizer::Split{Regex(pattern, named.name)});
  return PreTokenizer(std::move(steps), /*byte_level=*/true);
}

}  // namespace addend
