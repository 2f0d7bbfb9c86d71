#include "tokenizer/normalizer.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/error.h"
#include "tokenizer/sequence.h"

namespace addend {
namespace {

using CodePoints = std::vector<int32_t>;

// A cheap sufficient sign: no character below U+0300 combines with another or has a canonical composition to
// make, and ASCII has no decomposition of any kind.
bool IsAlreadyNormal(std::string_view text, UnicodeForm form) {
  const uint8_t first_suspect = form == UnicodeForm::kNfc ? 0xCC : 0x80;  // 0xCC leads U+0300
  return std::all_of(text.begin(), text.end(), [&](char c) {
    const auto byte = static_cast<uint8_t>(c);
    return byte < first_suspect;
  });
}

CodePoints Decompose(std::string_view text, bool compatibility) {
  const auto options = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE |
                                                      (compatibility ? UTF8PROC_COMPAT : 0));
  CodePoints points;
  points.reserve(text.size());
  std::array<int32_t, 32> parts{};  // Unicode's longest decomposition has 18
  for (size_t at = 0; at < text.size();) {
    const auto code_point = static_cast<int32_t>(NextCodePoint(text, at));
    const auto count = utf8proc_decompose_char(code_point, parts.data(), parts.size(), options, nullptr);
    if (count < 0 || count > static_cast<utf8proc_ssize_t>(parts.size())) {
      points.push_back(code_point);
    } else {
      points.insert(points.end(), parts.begin(), parts.begin() + count);
    }
  }
  return points;
}

int CombiningClass(int32_t code_point) {
  return utf8proc_get_property(code_point)->combining_class;
}

// Sorts each run of combining marks by class. (utf8proc's own reordering takes quadratic time on long runs.)
void OrderMarks(CodePoints& points) {
  const auto is_starter = [](int32_t point) { return CombiningClass(point) == 0; };
  for (auto run = points.begin(); run != points.end();) {
    run = std::find_if_not(run, points.end(), is_starter);
    const auto end = std::find_if(run, points.end(), is_starter);
    std::stable_sort(run, end, [](int32_t a, int32_t b) { return CombiningClass(a) < CombiningClass(b); });
    run = end;
  }
}

void Compose(CodePoints& points) {
  const auto options = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE);
  const auto count =
      utf8proc_normalize_utf32(points.data(), static_cast<utf8proc_ssize_t>(points.size()), options);
  points.resize(static_cast<size_t>(count));
}

Normalizer::Step StepFromJson(const Json& json, const std::string& type, std::string_view origin) {
  if (type == "NFC") return UnicodeForm::kNfc;
  if (type == "NFD") return UnicodeForm::kNfd;
  if (type == "NFKC") return UnicodeForm::kNfkc;
  if (type == "NFKD") return UnicodeForm::kNfkd;
  if (type == "Prepend") return Normalizer::Prepend{JsonField<std::string>(json, "prepend", origin)};
  if (type == "Replace") {
    return Normalizer::Replace{Regex::FromJson(JsonField<Json>(json, "pattern", origin), origin),
                               JsonField<std::string>(json, "content", origin)};
  }
  if (type == "Strip") {
    return Normalizer::Strip{JsonField<bool>(json, "strip_left", origin),
                             JsonField<bool>(json, "strip_right", origin)};
  }
  throw Error(origin, ": a normalizer of type '", type, "' is not supported");
}

struct StepRunner {
  std::string text;

  void operator()(UnicodeForm form) { text = NormalizeUnicode(std::move(text), form); }
  void operator()(const Normalizer::Prepend& step) {
    if (!text.empty()) text.insert(0, step.text);
  }
  void operator()(const Normalizer::Replace& step) { text = step.pattern.ReplaceAll(text, step.content); }
  void operator()(const Normalizer::Strip& step) { text = TrimWhiteSpace(text, step.left, step.right); }
};

}  // namespace

std::string NormalizeUnicode(std::string text, UnicodeForm form) {
  if (IsAlreadyNormal(text, form)) return text;
  CodePoints points = Decompose(text, form == UnicodeForm::kNfkc || form == UnicodeForm::kNfkd);
  OrderMarks(points);
  if (form == UnicodeForm::kNfc || form == UnicodeForm::kNfkc) Compose(points);
  text.clear();
  for (const int32_t point : points) AppendUtf8(static_cast<char32_t>(point), text);
  return text;
}

Normalizer Normalizer::FromJson(const Json& json, std::string_view origin) {
  std::vector<Step> steps;
  ForEachInSequence(json, "normalizers", origin, [&](const Json& step, const std::string& type) {
    steps.push_back(StepFromJson(step, type, origin));
  });
  return Normalizer(std::move(steps));
}

std::string Normalizer::Apply(std::string_view text) const {
  StepRunner runner{std::string(text)};
  for (const Step& step : steps_) std::visit(runner, step);
  return std::move(runner.text);
}

}  // namespace addend
