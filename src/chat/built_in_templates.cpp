#include "chat/built_in_templates.h"

namespace addend {
namespace {

// Whole, short templates for text conversations. Special tokens that differ between models with one format
// are bos_token and eos_token; the others are the format.

// Qwen, SmolLM, Yi and many fine-tuned models.
constexpr std::string_view kChatMl =
    R"({% for message in messages %}
{{ '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}
{%- endfor %}
{% if add_generation_prompt %}
{{ '<|im_start|>assistant\n' }}
{%- endif %})";

// DeepSeek V3: no line breaks anywhere; system texts first, joined.
constexpr std::string_view kDeepSeek =
    R"({{ bos_token }}
{%- for message in messages if message.role == 'system' %}
{{ message.content if loop.first else '\n\n' + message.content }}
{%- endfor %}
{% for message in messages %}
{% if message.role == 'user' %}
{{ '<｜User｜>' + message.content }}
{%- elif message.role == 'assistant' %}
{{ '<｜Assistant｜>' + message.content + '<｜end▁of▁sentence｜>' }}
{%- endif %}
{% endfor %}
{% if add_generation_prompt %}
{{ '<｜Assistant｜>' }}
{%- endif %})";

// A model without a system role sees the system text at the beginning of the first user message.
constexpr std::string_view kGemma =
    R"({{ bos_token }}
{%- set ns = namespace(prefix='') %}
{% for message in messages %}
{% if message.role == 'system' %}
{% set ns.prefix = ns.prefix + message.content + '\n\n' %}
{% else %}
{% set role = 'model' if message.role == 'assistant' else message.role %}
{{ '<start_of_turn>' + role + '\n' + ns.prefix + message.content|trim + '<end_of_turn>\n' }}
{%- set ns.prefix = '' %}
{% endif %}
{% endfor %}
{% if add_generation_prompt %}
{{ '<start_of_turn>model\n' }}
{%- endif %})";

constexpr std::string_view kLlama2 =
    R"({% set ns = namespace(prefix='') %}
{% for message in messages %}
{% if message.role == 'system' %}
{% set ns.prefix = '<<SYS>>\n' + message.content + '\n<</SYS>>\n\n' %}
{% elif message.role == 'user' %}
{{ bos_token + '[INST] ' + (ns.prefix + message.content)|trim + ' [/INST]' }}
{%- set ns.prefix = '' %}
{% elif message.role == 'assistant' %}
{{ ' ' + message.content|trim + ' ' + eos_token }}
{%- else %}
{{ raise_exception('llama2 knows no role ' + message.role) }}
{%- endif %}
{% endfor %})";

constexpr std::string_view kLlama3 =
    R"({{ bos_token }}
{%- for message in messages %}
{{ '<|start_header_id|>' + message.role + '<|end_header_id|>\n\n' + message.content|trim + '<|eot_id|>' }}
{%- endfor %}
{% if add_generation_prompt %}
{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}
{%- endif %})";

// Mistral 7B v0.1 and v0.2; later ones differ in spaces.
constexpr std::string_view kMistral =
    R"({{ bos_token }}
{%- set ns = namespace(prefix='') %}
{% for message in messages %}
{% if message.role == 'system' %}
{% set ns.prefix = message.content + '\n\n' %}
{% elif message.role == 'user' %}
{{ '[INST] ' + ns.prefix + message.content + ' [/INST]' }}
{%- set ns.prefix = '' %}
{% elif message.role == 'assistant' %}
{{ message.content + eos_token }}
{%- else %}
{{ raise_exception('mistral knows no role ' + message.role) }}
{%- endif %}
{% endfor %})";

constexpr std::string_view kPhi3 =
    R"({% for message in messages %}
{{ '<|' + message.role + '|>\n' + message.content + '<|end|>\n' }}
{%- endfor %}
{% if add_generation_prompt %}
{{ '<|assistant|>\n' }}
{%- endif %})";

constexpr std::string_view kZephyr =
    R"({% for message in messages %}
{{ '<|' + message.role + '|>\n' + message.content + eos_token + '\n' }}
{%- endfor %}
{% if add_generation_prompt %}
{{ '<|assistant|>\n' }}
{%- endif %})";

constexpr BuiltInTemplate kTemplates[] = {
    {"chatml", kChatMl}, {"deepseek", kDeepSeek}, {"gemma", kGemma}, {"llama2", kLlama2},
    {"llama3", kLlama3}, {"mistral", kMistral},   {"phi3", kPhi3},   {"zephyr", kZephyr},
};

}  // namespace

std::span<const BuiltInTemplate> BuiltInTemplates() {
  return kTemplates;
}

}  // namespace addend
