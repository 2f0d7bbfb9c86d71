// "Did you mean ...?"
#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace addend {

// The candidate that `word` was most likely meant to be: the fewest letters to insert, delete, replace or
// swap with their neighbour. Nothing when none is near, that is within a third of the word's length.
std::optional<std::string> Nearest(std::string_view word, std::span<const std::string> candidates);

}  // namespace addend
