// The tokenizer files of a Hugging Face folder, from a model's tokenizer.* keys.
#pragma once
#include <string>

#include "formats/gguf.h"

namespace addend {

// tokenizer.json: the whole one under "tokenizer.huggingface.json", or one made from the vocabulary and
// merges of a byte-level tokenizer ("gpt2"). Empty when there is neither: SentencePiece vocabularies have no
// merges in GGUF. Throws Error when the keys are there, but are not what they should be.
std::string TokenizerJsonText(const GgufMetadata& metadata);

// tokenizer_config.json: names of BOS and EOS, chat template.
std::string TokenizerConfigText(const GgufMetadata& metadata);

}  // namespace addend
