// addend as a C++ library: a model from a file, and the text that it writes.
//
// This header is all of it: what is installed, and kept stable. It needs nothing but the standard library. In
// CMake: find_package(addend REQUIRED) and target_link_libraries(program addend::addend).
//
// Whatever throws, throws std::runtime_error with one line for a person, or std::bad_alloc. Nothing is
// printed, and no signal is handled.
#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace addend {

const char* Version();  // "1.2.3"

struct LoadOptions {
  size_t threads = 0;              // 0 = one for each CPU
  size_t context = 0;              // tokens of prompt and answer together; 0 = the model's, at most 8192
  std::string chat_template = {};  // a built-in one by name ("chatml", ...); empty = the model's own
};

// The defaults are those of `addend run`. Filters apply in this order, as in llama.cpp.
struct WriteOptions {
  size_t max_tokens = 128;
  std::vector<std::string> stop = {};  // the text ends before the first of these
  float repetition_penalty = 1;        // of the last 64 tokens; 1 = off
  size_t top_k = 40;                   // only the k most likely tokens; 0 = off
  float top_p = 0.95f;                 // only the fewest that together have this probability; 1 = off
  float min_p = 0.05f;                 // only those with this share of the best one's probability; 0 = off
  float temperature = 0.8f;            // 0 = always the most likely token
  uint64_t seed = 1;                   // equal seeds give equal texts
};

enum class Ending {
  kEndOfText,    // the model ended it
  kStopText,     // one of WriteOptions::stop
  kMaxTokens,    // WriteOptions::max_tokens
  kContextFull,  // LoadOptions::context
  kStopped,      // the sink wanted no more
};

struct Written {
  std::string text;
  std::vector<uint32_t> tokens;  // with the end token, if that is how it ended
  size_t prompt_tokens = 0;
  Ending ending = Ending::kMaxTokens;
};

struct Message {
  std::string role;  // "system", "user", "assistant"; the model's template decides which it knows
  std::string content;
};

// Called with each piece of text as it comes (never empty, whole UTF-8 characters); false ends the writing.
using WriteSink = std::function<bool(std::string_view piece)>;

// A model and one conversation with it: keys and values of the last call are kept, so a text that begins as
// that one did costs only what is new. One call at a time; Encode and Decode may be called from any thread.
class LanguageModel {
 public:
  // A compressed or other GGUF file, or a Hugging Face folder. Throws when it cannot be read, is damaged, or
  // holds weights that are not finite.
  explicit LanguageModel(const std::filesystem::path& path, const LoadOptions& options = {});
  ~LanguageModel();
  LanguageModel(LanguageModel&&) noexcept;
  LanguageModel& operator=(LanguageModel&&) noexcept;

  // Goes on from a text. Throws when it is longer than the context, or empty for a model that needs some.
  Written Continue(std::string_view text, const WriteOptions& options = {}, const WriteSink& sink = {});

  // The answer to the last message. Special tokens that are spelled out in a message stay text. Throws when
  // the model has no chat template and LoadOptions names none, when the template refuses the messages, and
  // when they are longer than the context: unlike `addend chat`, this forgets none.
  Written Answer(const std::vector<Message>& messages, const WriteOptions& options = {},
                 const WriteSink& sink = {});

  // Text and token ids. Encode reads special tokens as text and adds none.
  std::vector<uint32_t> Encode(std::string_view text) const;
  std::string Decode(std::span<const uint32_t> tokens) const;

  // Of a text, in windows of so many tokens that do not overlap, where all predictions count (the protocol
  // "hf" of `addend eval`). Throws when the text is shorter than a window. Keeps keys and values as they are.
  double Perplexity(std::string_view text, size_t window = 512);

  size_t context() const;     // LoadOptions::context, or what it stood for
  size_t vocabulary() const;  // ids are below it

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace addend
