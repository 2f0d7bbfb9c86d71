#include "tokenizer/tokenizer_json.h"

#include "base/error.h"
#include "tokenizer/vocabulary.h"

namespace addend {
namespace {

constexpr size_t kMaxDepth = 32;
constexpr size_t kMaxMembers = 10'000;  // of an object: its keys are searched one by one

// Called by the parser for each element of the text; returns true to go on, as its interface wants.
class Reader : public nlohmann::json_sax<Json> {
 public:
  Reader(std::string_view origin, size_t size) : origin_(origin), size_(size) {}

  TokenizerJson Done() { return std::move(result_); }

  bool null() override { return Value(nullptr); }
  bool boolean(bool value) override { return Value(value); }
  bool number_integer(number_integer_t value) override { return Value(value); }
  bool number_float(number_float_t value, const string_t&) override { return Value(value); }
  bool binary(binary_t&) override { return false; }  // not in text
  bool number_unsigned(number_unsigned_t value) override {
    if (list_ != List::kVocabulary) return Value(value);
    if (value > Vocabulary::kMaxId) throw Error(origin_, ": token '", Shown(key_), "' has the id ", value);
    result_.vocabulary.emplace_back(std::move(key_), static_cast<TokenId>(value));
    return true;
  }
  bool string(string_t& value) override {
    if (list_ == List::kMerges) {
      if (!value.starts_with("#version")) result_.merges.push_back(SplitMerge(value, origin_));
    } else if (list_ == List::kMergePair) {
      pair_.push_back(std::move(value));
    } else {
      return Value(std::move(value));
    }
    return true;
  }

  bool key(string_t& key) override {
    key_ = std::move(key);
    return true;
  }
  bool start_object(size_t) override {
    if (!IsModelMember("vocab")) return Open(Json::object());
    list_ = List::kVocabulary;
    return true;
  }
  bool start_array(size_t) override {
    if (list_ == List::kMerges) {
      list_ = List::kMergePair;
      pair_.clear();
    } else if (IsModelMember("merges")) {
      list_ = List::kMerges;
      result_.has_merges = true;
    } else {
      return Open(Json::array());
    }
    return true;
  }
  bool end_object() override { return Close(); }
  bool end_array() override {
    if (list_ != List::kMergePair) return Close();
    if (pair_.size() != 2) throw Error(origin_, ": a merge has ", pair_.size(), " tokens, 2 are needed");
    result_.merges.emplace_back(std::move(pair_[0]), std::move(pair_[1]));
    list_ = List::kMerges;
    return true;
  }

  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception&) override {
    throw Error(origin_, ": not valid JSON: byte ", position, " of ", size_);
  }

 private:
  enum class List { kNone, kVocabulary, kMerges, kMergePair };
  struct Container {
    Json* json;
    std::string key;  // under which it stands in the one outside of it
  };

  bool IsModelMember(std::string_view name) const {
    return list_ == List::kNone && open_.size() == 2 && open_[0].json->is_object() &&
           open_[1].key == "model" && open_[1].json->is_object() && key_ == name;
  }

  Json* Place(Json value) {
    if (list_ != List::kNone)
      throw Error(origin_, ": model.vocab or model.merges holds something else than tokens");
    if (open_.empty()) {
      result_.parts = std::move(value);
      return &result_.parts;
    }
    Json& outside = *open_.back().json;
    if (outside.is_array()) {
      outside.push_back(std::move(value));
      return &outside.back();
    }
    if (outside.size() == kMaxMembers)
      throw Error(origin_, ": '", Shown(open_.back().key), "' has too many members");
    return &(outside[key_] = std::move(value));
  }
  bool Value(Json value) {
    Place(std::move(value));
    return true;
  }
  bool Open(Json container) {
    if (open_.size() == kMaxDepth) throw Error(origin_, ": nested more than ", kMaxDepth, " deep");
    Json* json = Place(std::move(container));
    open_.push_back({json, key_});
    return true;
  }
  bool Close() {
    if (list_ == List::kNone) {
      open_.pop_back();
    } else {
      list_ = List::kNone;
    }
    return true;
  }

  std::string_view origin_;
  size_t size_;
  TokenizerJson result_;
  std::vector<Container> open_;
  std::string key_;
  List list_ = List::kNone;
  std::vector<std::string> pair_;
};

}  // namespace

TokenizerJson ReadTokenizerJson(std::string_view text, std::string_view origin) {
  Reader reader(origin, text.size());
  Json::sax_parse(text, &reader);
  return reader.Done();
}

std::pair<std::string, std::string> SplitMerge(std::string_view line, std::string_view origin) {
  const size_t space = line.find(' ');
  if (space == line.npos || line.find(' ', space + 1) != line.npos)
    throw Error(origin, ": the merge '", Shown(line), "' is not two tokens with a space between them");
  return {std::string(line.substr(0, space)), std::string(line.substr(space + 1))};
}

}  // namespace addend
