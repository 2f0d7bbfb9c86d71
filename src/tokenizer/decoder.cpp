#include "tokenizer/decoder.h"

#include <optional>

#include "base/error.h"
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/sequence.h"
#include "tokenizer/utf8.h"

namespace addend {
namespace {

using Tokens = std::vector<std::string>;

// A character outside of the byte alphabet: a token like "<｜end▁of▁sentence｜>", which stands for itself.
std::string BytesOrSelf(const std::string& token) {
  return UnspellBytes(token).value_or(token);
}

std::optional<char> FallbackByte(std::string_view token) {
  const auto digit = [](char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
  };
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return std::nullopt;
  const int high = digit(token[3]);
  const int low = digit(token[4]);
  if (high < 0 || low < 0) return std::nullopt;
  return static_cast<char>(high * 16 + low);
}

std::string_view StripEnds(std::string_view text, const Decoder::Strip& strip) {
  for (size_t i = 0; i < strip.start && text.starts_with(strip.content); ++i)
    text.remove_prefix(strip.content.size());
  for (size_t i = 0; i < strip.stop && text.ends_with(strip.content); ++i)
    text.remove_suffix(strip.content.size());
  return text;
}

std::string ReplaceText(std::string_view text, const std::string& from, std::string_view to) {
  return Regex::Literal(from).ReplaceAll(text, to);
}

std::string Joined(const Tokens& tokens, std::string_view separator) {
  std::string text;
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (i > 0) text += separator;
    text += tokens[i];
  }
  return text;
}

// Runs the steps over all tokens of a text.
struct ChainRunner {
  Tokens tokens;

  void operator()(const Decoder::ByteLevel&) {
    std::string bytes;
    for (const std::string& token : tokens) bytes += BytesOrSelf(token);
    tokens.assign(1, ReplaceInvalidUtf8(bytes));
  }
  void operator()(const Decoder::ByteFallback&) {
    Tokens result;
    std::string bytes;
    const auto flush = [&] {
      if (bytes.empty()) return;
      if (IsValidUtf8(bytes)) {
        result.push_back(bytes);
      } else {  // one for each byte, unlike elsewhere
        result.insert(result.end(), bytes.size(), Utf8(0xFFFD));
      }
      bytes.clear();
    };
    for (std::string& token : tokens) {
      if (const auto byte = FallbackByte(token)) {
        bytes += *byte;
      } else {
        flush();
        result.push_back(std::move(token));
      }
    }
    flush();
    tokens.swap(result);
  }
  void operator()(const Decoder::Fuse&) { tokens.assign(1, Joined(tokens, "")); }
  void operator()(const Decoder::Replace& step) {
    for (std::string& token : tokens) token = step.pattern.ReplaceAll(token, step.content);
  }
  void operator()(const Decoder::Strip& step) {
    for (std::string& token : tokens) token = StripEnds(token, step);
  }
  void operator()(const Decoder::Metaspace& step) {
    for (size_t i = 0; i < tokens.size(); ++i)
      tokens[i] = ReplaceText(tokens[i], step.mark, i == 0 && step.drops_first ? "" : " ");
  }
};

// Runs the steps over a token that stands inside a text. True: go on with the next step.
struct PieceRunner {
  std::string piece;

  bool operator()(const Decoder::ByteLevel&) {
    piece = BytesOrSelf(piece);
    return true;
  }
  bool operator()(const Decoder::ByteFallback&) {
    if (const auto byte = FallbackByte(piece)) piece.assign(1, *byte);
    return true;
  }
  bool operator()(const Decoder::Fuse&) { return false; }  // what follows is about the whole text
  bool operator()(const Decoder::Replace& step) {
    piece = step.pattern.ReplaceAll(piece, step.content);
    return true;
  }
  bool operator()(const Decoder::Strip& step) {
    piece = StripEnds(piece, step);
    return true;
  }
  bool operator()(const Decoder::Metaspace& step) {
    piece = ReplaceText(piece, step.mark, " ");
    return true;
  }
};

std::string OneCharacter(const Json& json, const char* key, std::string_view origin) {
  auto text = JsonField<std::string>(json, key, origin);
  if (text.empty() || LastCharacter(text) != 0)
    throw Error(origin, ": '", key, "' of a decoder is not one character");
  return text;
}

Decoder::Step StepFromJson(const Json& json, const std::string& type, std::string_view origin) {
  if (type == "ByteLevel") return Decoder::ByteLevel{};
  if (type == "ByteFallback") return Decoder::ByteFallback{};
  if (type == "Fuse") return Decoder::Fuse{};
  if (type == "Replace") {
    return Decoder::Replace{Regex::FromJson(JsonField<Json>(json, "pattern", origin), origin),
                            JsonField<std::string>(json, "content", origin)};
  }
  if (type == "Strip") {
    return Decoder::Strip{OneCharacter(json, "content", origin), JsonField<uint32_t>(json, "start", origin),
                          JsonField<uint32_t>(json, "stop", origin)};
  }
  if (type == "Metaspace") {
    const bool adds = JsonField<bool>(json, "add_prefix_space", origin, true);
    const bool drops_first =
        adds && JsonField<std::string>(json, "prepend_scheme", origin, "always") != "never";
    return Decoder::Metaspace{OneCharacter(json, "replacement", origin), drops_first};
  }
  throw Error(origin, ": a decoder of type '", type, "' is not supported");
}

}  // namespace

Decoder Decoder::FromJson(const Json& json, std::string_view origin) {
  std::vector<Step> steps;
  ForEachInSequence(json, "decoders", origin, [&](const Json& step, const std::string& type) {
    steps.push_back(StepFromJson(step, type, origin));
  });
  return Decoder(std::move(steps));
}

std::string Decoder::Decode(std::vector<std::string> tokens) const {
  if (steps_.empty()) return Joined(tokens, " ");
  ChainRunner runner{std::move(tokens)};
  for (const Step& step : steps_) std::visit(runner, step);
  return Joined(runner.tokens, "");
}

std::string Decoder::Piece(std::string token) const {
  PieceRunner runner{std::move(token)};
  for (const Step& step : steps_)
    if (!std::visit(runner, step)) break;
  return std::move(runner.piece);
}

}  // namespace addend
