// The chat templates that --chat-template NAME picks.
#pragma once
#include <span>
#include <string_view>

namespace addend {

struct BuiltInTemplate {
  std::string_view name;
  std::string_view source;  // Jinja
};

std::span<const BuiltInTemplate> BuiltInTemplates();

}  // namespace addend
