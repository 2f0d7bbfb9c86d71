// The parts of docs/format.md that its reader (model/load_compressed.cpp) and its writer (model/save.cpp)
// share.
#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

#include "formats/gguf.h"
#include "model/config.h"

namespace addend::compressed_format {

inline constexpr std::string_view kArchitecture = "addend";
inline constexpr uint32_t kVersion = 2;
inline constexpr uint32_t kFirstWithMetadataChecksum = 2;

inline constexpr std::string_view kArchitectureKey = "general.architecture";
inline constexpr std::string_view kNameKey = "general.name";
inline constexpr std::string_view kVersionKey = "addend.format_version";
inline constexpr std::string_view kChecksumsKey = "addend.checksums";
inline constexpr std::string_view kMetadataChecksumKey = "addend.metadata_checksum";

// A factored linear's tensors, after the name of the linear.
inline constexpr std::string_view kSignsA = ".A", kSignsB = ".B";
inline constexpr std::string_view kScalesA = ".a", kScalesMid = ".mid", kScalesB = ".b";

// A tensor's entry under kChecksumsKey.
std::string ChecksumEntry(std::string_view tensor_name, std::span<const std::byte> bytes);
// The value of kMetadataChecksumKey beside these pairs; one that is there already does not count.
std::string MetadataChecksum(const GgufMetadata& metadata);

void WriteConfig(const ModelConfig& config, GgufMetadata& metadata);  // what differs from its default
// Everything but tied_head, which is a matter of tensors. Throws Error.
ModelConfig ReadConfig(const GgufMetadata& metadata);

// Is the key about the model (tokenizer, recipe, author, ...) and copied from file to file, or is it about
// this file or its config and made anew for each?
bool TravelsWithModel(std::string_view key);

}  // namespace addend::compressed_format
