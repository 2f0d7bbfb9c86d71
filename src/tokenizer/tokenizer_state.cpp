#include "tokenizer/tokenizer_state.h"

#include <algorithm>
#include <array>

#include "base/error.h"

namespace addend {
namespace {

// Special tokens that end a text or a turn, whatever the files say.
constexpr std::array<std::string_view, 11> kEndNames = {
    "<|im_end|>", "<|eot_id|>",    "<|eom_id|>", "<|end|>", "<|endoftext|>",        "<|end_of_text|>",
    "<|return|>", "<end_of_turn>", "</s>",       "<eos>",   "<｜end▁of▁sentence｜>"};

void CheckId(std::optional<TokenId> id, const char* what, const Vocabulary& vocabulary,
             std::string_view origin) {
  if (id && !vocabulary.Has(*id))
    throw Error(origin, ": the ", what, " token has id ", *id, ", which is no token");
}

void SetAffix(std::optional<bool> wanted, std::optional<TokenId> id, bool at_front,
              std::vector<TokenId>& affix) {
  if (!wanted || !id) return;
  const auto found = std::find(affix.begin(), affix.end(), *id);
  if (!*wanted && found != affix.end()) affix.erase(found);
  if (*wanted && found == affix.end()) affix.insert(at_front ? affix.begin() : affix.end(), *id);
}

std::vector<TokenId> EndTokens(const TokenizerState& state) {
  std::vector<TokenId> ids = state.settings.end_tokens;
  if (state.settings.eos) ids.insert(ids.begin(), *state.settings.eos);
  for (const std::string_view name : kEndNames) {
    const auto id = state.vocabulary.Find(name);
    const AddedToken* token = id ? state.added_tokens.Find(*id) : nullptr;
    if (token != nullptr && token->special) ids.push_back(*id);
  }
  std::vector<TokenId> unique;
  for (const TokenId id : ids)
    if (std::find(unique.begin(), unique.end(), id) == unique.end()) unique.push_back(id);
  return unique;
}

}  // namespace

void ApplySettings(TokenizerSettings settings, std::string_view origin, TokenizerState& state) {
  CheckId(settings.bos, "BOS", state.vocabulary, origin);
  CheckId(settings.eos, "EOS", state.vocabulary, origin);
  for (const TokenId id : settings.end_tokens) CheckId(id, "end", state.vocabulary, origin);
  // A template that puts one token in front of a text names BOS where no configuration does.
  if (!settings.bos && state.prefix.size() == 1) settings.bos = state.prefix.front();
  state.settings = std::move(settings);
  SetAffix(state.settings.add_bos, state.settings.bos, /*at_front=*/true, state.prefix);
  SetAffix(state.settings.add_eos, state.settings.eos, /*at_front=*/false, state.suffix);
  state.end_tokens = EndTokens(state);
}

Vocabulary JoinedVocabulary(TokenList model_tokens, const std::vector<AddedToken>& added,
                            std::string_view origin) {
  // Many files list their added tokens in the model's vocabulary as well.
  std::unordered_map<TokenId, const std::string*> added_texts;
  for (const AddedToken& token : added) added_texts.emplace(token.id, &token.content);
  std::erase_if(model_tokens, [&](const auto& token) {
    const auto found = added_texts.find(token.second);
    return found != added_texts.end() && *found->second == token.first;
  });
  for (const AddedToken& token : added) model_tokens.emplace_back(token.content, token.id);
  return Vocabulary(std::move(model_tokens), origin);
}

std::vector<bool> PlainTokens(const TokenList& model_tokens, const std::vector<AddedToken>& added) {
  std::vector<bool> plain;
  for (const auto& token : model_tokens) {
    if (token.second >= plain.size()) plain.resize(token.second + size_t{1});
    plain[token.second] = true;
  }
  for (const AddedToken& token : added)
    if (token.special && token.id < plain.size()) plain[token.id] = false;
  return plain;
}

std::vector<MergeRule> RulesFromMerges(const Vocabulary& vocabulary,
                                       const std::vector<std::pair<std::string, std::string>>& merges,
                                       std::string_view origin) {
  std::vector<MergeRule> rules;
  rules.reserve(merges.size());
  const auto find = [&](const std::string& text) {
    const auto id = vocabulary.Find(text);
    if (!id)
      throw Error(origin, ": merge ", rules.size(), " needs the token '", Shown(text),
                  "', which does not exist");
    return *id;
  };
  for (const auto& [left, right] : merges) {
    if (left.empty() || right.empty()) throw Error(origin, ": merge ", rules.size(), " has an empty token");
    const TokenId left_id = find(left);
    const TokenId right_id = find(right);
    rules.push_back({left_id, right_id, find(left + right), static_cast<uint32_t>(rules.size())});
  }
  return rules;
}

}  // namespace addend
