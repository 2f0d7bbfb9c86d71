#include "tokenizer/pre_tokenizer.h"

#include <algorithm>

#include "base/error.h"
#include "tokenizer/sequence.h"

namespace addend {

namespace {

using Behavior = PreTokenizer::Behavior;
using Prefix = PreTokenizer::Prefix;
using Split = PreTokenizer::Split;
using Words = PreTokenizer::Words;

// ---- Reading ----

Behavior BehaviorFromName(const std::string& name, std::string_view origin) {
  if (name == "Isolated") return Behavior::kIsolated;
  if (name == "Removed") return Behavior::kRemoved;
  if (name == "Contiguous") return Behavior::kContiguous;
  if (name == "MergedWithPrevious") return Behavior::kMergedWithPrevious;
  if (name == "MergedWithNext") return Behavior::kMergedWithNext;
  throw Error(origin, ": the split behavior '", name, "' is not known");
}

Prefix::Scheme SchemeFromJson(const Json& json, std::string_view origin) {
  const auto name = JsonField<std::string>(json, "prepend_scheme", origin, "always");
  // Files from before prepend_scheme have add_prefix_space.
  if (!JsonField<bool>(json, "add_prefix_space", origin, true) || name == "never")
    return Prefix::Scheme::kNever;
  if (name == "always") return Prefix::Scheme::kAlways;
  if (name == "first") return Prefix::Scheme::kFirst;
  throw Error(origin, ": the prepend_scheme '", name, "' is not known");
}

// Collects the steps of one pre-tokenizer.
class Reader {
 public:
  explicit Reader(std::string_view origin) : origin_(origin) {}

  void Add(const Json& json, const std::string& type) {
    // ByteLevel turns text into its byte alphabet. We keep the bytes, so nothing may look at that alphabet.
    if (byte_level_)
      throw Error(origin_, ": a pre-tokenizer ('", type, "') behind ByteLevel is not supported");
    if (type == "Split") {
      steps_.emplace_back(Split{Regex::FromJson(JsonField<Json>(json, "pattern", origin_), origin_),
                                BehaviorFromName(JsonField<std::string>(json, "behavior", origin_), origin_),
                                JsonField<bool>(json, "invert", origin_, false)});
    } else if (type == "ByteLevel") {
      AddByteLevel(json);
    } else if (type == "Metaspace") {
      AddMetaspace(json);
    } else if (type == "Digits") {
      const bool single = JsonField<bool>(json, "individual_digits", origin_, false);
      AddSplit(R"(\p{N})", single ? Behavior::kIsolated : Behavior::kContiguous);
    } else if (type == "Punctuation") {
      AddSplit(R"([\p{P}!-/:-@\[-`{-~])",
               BehaviorFromName(JsonField<std::string>(json, "behavior", origin_, "Isolated"), origin_));
    } else if (type == "WhitespaceSplit") {
      AddSplit(R"(\s)", Behavior::kRemoved);
    } else {
      throw Error(origin_, ": a pre-tokenizer of type '", type, "' is not supported");
    }
  }

  PreTokenizer Done() { return PreTokenizer(std::move(steps_), byte_level_); }

 private:
  void AddSplit(std::string_view pattern, Behavior behavior) {
    steps_.emplace_back(Split{Regex(pattern, origin_), behavior});
  }

  void AddByteLevel(const Json& json) {
    byte_level_ = true;
    if (JsonField<bool>(json, "add_prefix_space", origin_, true)) steps_.emplace_back(Prefix{" "});
    if (JsonField<bool>(json, "use_regex", origin_, true)) AddSplit(kGpt2Pattern, Behavior::kIsolated);
  }

  void AddMetaspace(const Json& json) {
    const auto mark = JsonField<std::string>(json, "replacement", origin_);
    if (mark.empty()) throw Error(origin_, ": Metaspace has an empty 'replacement'");
    steps_.emplace_back(Prefix{mark, /*replaces_spaces=*/true, SchemeFromJson(json, origin_)});
    if (JsonField<bool>(json, "split", origin_, true))
      steps_.emplace_back(Split{Regex::Literal(mark), Behavior::kMergedWithNext});
  }

  std::string_view origin_;
  std::vector<PreTokenizer::Step> steps_;
  bool byte_level_ = false;
};

// ---- Splitting ----

struct Part {
  Span span;
  bool is_match;
};

// The matches (a pattern of lookarounds has empty ones) and what lies between them, relative to the start of
// `text`.
void FindParts(const Split& split, std::string_view text, std::vector<Span>& matches,
               std::vector<Part>& parts) {
  split.pattern.FindAll(text, matches);
  parts.clear();
  size_t end = 0;
  const auto add_gap = [&](Span gap) {
    if (gap.begin != gap.end) parts.push_back({gap, split.invert});
  };
  for (const Span& match : matches) {
    add_gap({end, match.begin});
    parts.push_back({match, !split.invert});
    end = match.end;
  }
  add_gap({end, text.size()});
}

// Joins part i to part i - 1 wherever joins(i) says so.
template <typename Joins>
void JoinParts(const std::vector<Part>& parts, size_t offset, std::vector<Span>& out, const Joins& joins) {
  for (size_t i = 0; i < parts.size(); ++i) {
    const Span span = {parts[i].span.begin + offset, parts[i].span.end + offset};
    if (i > 0 && joins(i)) {
      out.back().end = span.end;
    } else {
      out.push_back(span);
    }
  }
}

void AppendWords(const std::vector<Part>& parts, Behavior behavior, size_t offset, std::vector<Span>& out) {
  switch (behavior) {
    case Behavior::kIsolated:
      return JoinParts(parts, offset, out, [](size_t) { return false; });
    case Behavior::kContiguous:
      return JoinParts(parts, offset, out,
                       [&](size_t i) { return parts[i].is_match == parts[i - 1].is_match; });
    case Behavior::kMergedWithPrevious:  // only one match of a row of them
      return JoinParts(parts, offset, out,
                       [&](size_t i) { return parts[i].is_match && !parts[i - 1].is_match; });
    case Behavior::kMergedWithNext:
      return JoinParts(parts, offset, out,
                       [&](size_t i) { return !parts[i].is_match && parts[i - 1].is_match; });
    case Behavior::kRemoved:
      for (const Part& part : parts)
        if (!part.is_match) out.push_back({part.span.begin + offset, part.span.end + offset});
  }
}

struct StepRunner {
  Words& words;
  bool at_start;
  std::vector<Span> matches;
  std::vector<Part> parts;
  std::vector<Span> spans;

  void operator()(const Split& split) {
    spans.clear();
    for (const Span& word : words.spans) {
      FindParts(split, word.In(words.text), matches, parts);
      AppendWords(parts, split.behavior, word.begin, spans);
    }
    std::erase_if(spans, [](const Span& span) { return span.begin == span.end; });
    words.spans.swap(spans);
  }

  void operator()(const Prefix& prefix) {
    std::string text;
    text.reserve(words.text.size() + words.spans.size() * prefix.mark.size());
    for (Span& word : words.spans) {
      const bool is_first = at_start && word.begin == 0;
      const size_t begin = text.size();
      AppendPrefixed(prefix, word.In(words.text), is_first, text);
      word = {begin, text.size()};
    }
    words.text.swap(text);
  }

  static void AppendPrefixed(const Prefix& prefix, std::string_view word, bool is_first, std::string& text) {
    const bool wants =
        prefix.scheme == Prefix::Scheme::kAlways || (prefix.scheme == Prefix::Scheme::kFirst && is_first);
    const bool has = word.starts_with(prefix.mark) || (prefix.replaces_spaces && word.starts_with(' '));
    if (wants && !has) text += prefix.mark;
    if (!prefix.replaces_spaces) {
      text += word;
      return;
    }
    for (const char c : word) {
      if (c == ' ') {
        text += prefix.mark;
      } else {
        text += c;
      }
    }
  }
};

}  // namespace

PreTokenizer PreTokenizer::FromJson(const Json& json, std::string_view origin) {
  Reader reader(origin);
  ForEachInSequence(json, "pretokenizers", origin,
                    [&](const Json& step, const std::string& type) { reader.Add(step, type); });
  return reader.Done();
}

void PreTokenizer::Apply(std::string text, bool at_start, Words& words) const {
  words.spans.clear();
  if (!text.empty()) words.spans.push_back({0, text.size()});
  words.text = std::move(text);
  StepRunner runner{words, at_start, {}, {}, {}};
  for (const Step& step : steps_) std::visit(runner, step);
}

}  // namespace addend
