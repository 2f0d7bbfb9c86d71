// The decoder of a tokenizer.json: the text of a row of tokens.
#pragma once
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/json.h"
#include "tokenizer/regex.h"

namespace addend {

class Decoder {
 public:
  struct ByteLevel {};     // the token texts spell bytes (byte_alphabet.h)
  struct ByteFallback {};  // "<0xE2>" is a byte
  struct Fuse {};          // from here on the steps see one text
  struct Replace {
    Regex pattern;
    std::string content;
  };
  struct Strip {  // up to `start` and `stop` times `content` (one character) from the ends
    std::string content;
    size_t start;
    size_t stop;
  };
  struct Metaspace {
    std::string mark;
    bool drops_first;  // the marks of the first token, which stand for a space that encoding put in front of
                       // the text
  };
  using Step = std::variant<ByteLevel, ByteFallback, Fuse, Replace, Strip, Metaspace>;

  Decoder() = default;  // joins the tokens with spaces, as the reference does for want of a decoder
  explicit Decoder(std::vector<Step> steps) : steps_(std::move(steps)) {}
  // The types above, Sequence, or null; Error for other types.
  static Decoder FromJson(const Json& json, std::string_view origin);

  std::string Decode(std::vector<std::string> tokens) const;
  // The bytes of one token somewhere inside a text.
  std::string Piece(std::string token) const;

 private:
  std::vector<Step> steps_;
};

}  // namespace addend
