// `addend tokenize MODEL TEXT`
#include <memory>

#include "cli/commands.h"
#include "cli/output.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/utf8.h"

namespace addend {
namespace {

struct Arguments {
  Path model;
  TextSource text;
  Tokenizer::EncodeOptions encode;
  bool json = false, ids = false;
};

// Tokens may be parts of characters, and hold line ends: every byte is shown, on one line.
std::string Visible(std::string_view bytes) {
  const bool readable = IsValidUtf8(bytes);
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\n') {
      text += "\\n";
    } else if (byte < 0x20 || byte == 0x7f || (byte >= 0x80 && !readable)) {
      text += Format("\\x%02x", byte);
    } else {
      text += c;
    }
  }
  return text;
}

std::string Table(const Tokenizer& tokenizer, const std::vector<TokenId>& ids) {
  std::string table;
  for (const TokenId id : ids) {
    table += Format("%8zu  '%s'\n", static_cast<size_t>(id), Visible(tokenizer.Piece(id)).c_str());
  }
  return table + Format("%zu tokens\n", ids.size());
}

void Run(const Arguments& arguments) {
  const std::string text = arguments.text.Read();
  const Tokenizer tokenizer = LoadTokenizer(arguments.model);
  const std::vector<TokenId> ids = tokenizer.Encode(text, arguments.encode);
  if (arguments.json) {
    Print(Json{{"ids", ids}}.dump() + "\n");
  } else if (arguments.ids) {
    Print(Json(ids).dump() + "\n");
  } else {
    Print(Table(tokenizer, ids));
  }
}

}  // namespace

CommandRun SetUpTokenize(CLI::App& app) {
  const auto arguments = std::make_shared<Arguments>();
  app.option_defaults()->group("Model and text");
  AddModel(app, arguments->model, "Hugging Face folder or GGUF file");
  AddTextSource(app, "-p,--prompt,TEXT", arguments->text, "the text");
  AddFlag(app, "--special", arguments->encode.parse_special, "read <|im_start|> and such in it as tokens");
  AddFlag(app, "--add-special", arguments->encode.add_special, "put BOS and EOS where the model wants them");
  app.option_defaults()->group("Output");
  AddFlag(app, "--json", arguments->json, "{\"ids\":[1,2]}");
  AddFlag(app, "--ids", arguments->ids, "[1,2]; else one line for each token");
  app.option_defaults()->group("General");
  app.footer(
      "Examples:\n"
      "  addend tokenize model.gguf \"Hello world\"\n"
      "  addend tokenize SmolLM2-135M-Instruct -f book.txt --json");
  return [arguments] { Run(*arguments); };
}

}  // namespace addend
