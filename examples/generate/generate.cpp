// Goes on from a text: generate MODEL TEXT
#include <addend/addend.h>

#include <exception>
#include <iostream>

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: generate MODEL TEXT\n";
    return 2;
  }
  try {
    addend::LanguageModel model(argv[1], {.context = 2048});

    // Pieces come as they are written; returning false would end the writing.
    const auto print = [](std::string_view piece) {
      std::cout << piece << std::flush;
      return true;
    };
    const addend::Written written = model.Continue(argv[2], {.max_tokens = 64, .temperature = 0}, print);
    std::cout << "\n";
    std::cerr << written.prompt_tokens << " tokens read, " << written.tokens.size() << " written\n";

    // A chat is model.Answer({{"user", "Hello"}}), where the model has a chat template.
  } catch (const std::exception& error) {
    std::cerr << "generate: " << error.what() << "\n";
    return 1;
  }
}
