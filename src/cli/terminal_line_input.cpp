#include <histedit.h>
#include <unistd.h>

#include <clocale>
#include <cstdio>
#include <cstdlib>

#include "base/error.h"
#include "base/interrupt.h"
#include "cli/line_input.h"
#include "cli/output.h"
#include "tokenizer/utf8.h"

namespace addend {
namespace {

constexpr int kHistoryLines = 1000;
// Terminals then put these around what is pasted ("bracketed paste").
constexpr char kMarkPastes[] = "\x1b[?2004h";
constexpr char kDoNotMarkPastes[] = "\x1b[?2004l";
constexpr wchar_t kPasteBegin[] = L"\\e[200~";  // as bindings are written
constexpr std::wstring_view kPasteEnd = L"\x1b[201~";

std::wstring Wide(const std::string& text) {
  const std::string valid = ReplaceInvalidUtf8(text);
  std::wstring wide;
  for (size_t at = 0; at < valid.size();) wide += static_cast<wchar_t>(NextCodePoint(valid, at));
  return wide;
}

std::string Narrow(std::wstring_view wide) {
  std::string text;
  for (const wchar_t c : wide) AppendUtf8(static_cast<char32_t>(c), text);
  return ReplaceInvalidUtf8(text);
}

// libedit reads and shows characters of the locale, and the C locale has only ASCII.
void UseUtf8() {
  std::setlocale(LC_CTYPE, "");
  if (MB_CUR_MAX == 1) std::setlocale(LC_CTYPE, "C.UTF-8");
}

unsigned char InsertPaste(EditLine* editor, wint_t) {
  std::wstring pasted;
  wchar_t c = 0;
  while (!pasted.ends_with(kPasteEnd) && el_wgetc(editor, &c) == 1)
    if (c != L'\0') pasted += c == L'\r' ? L'\n' : c;
  if (pasted.ends_with(kPasteEnd)) pasted.resize(pasted.size() - kPasteEnd.size());
  while (pasted.ends_with(L'\n')) pasted.pop_back();
  return el_winsertstr(editor, pasted.c_str()) == 0 ? CC_REFRESH : CC_ERROR;
}

class TerminalInput : public LineInput {
 public:
  explicit TerminalInput(const std::vector<std::string>& history) {
    UseUtf8();
    output_.reset(fdopen(dup(STDERR_FILENO), "w"));  // buffered, unlike stderr
    if (output_ == nullptr) throw Error("the terminal cannot be written to");
    history_.reset(history_winit());
    editor_.reset(el_init("addend", stdin, output_.get(), output_.get()));
    if (history_ == nullptr || editor_ == nullptr) throw Error("the terminal cannot be set up for editing");
    HistEventW event;
    history_w(history_.get(), &event, H_SETSIZE, kHistoryLines);
    history_w(history_.get(), &event, H_SETUNIQUE, 1);
    SetUpEditor();
    for (const std::string& line : history) Remember(line);
  }

  InputLine Read(const std::string& prompt) override {
    // One that came before the wait would not end it.
    if (InterruptRequested()) return {.kind = InputLine::Kind::kInterrupt};
    prompt_ = Wide(prompt);
    int count = 0;
    Show(kMarkPastes);
    const wchar_t* const line = el_wgets(editor_.get(), &count);
    Show(kDoNotMarkPastes);
    if (line != nullptr && count > 0) return {.text = Text(line, line + count)};
    std::fputs("\n", stderr);
    if (!InterruptRequested()) return {.kind = InputLine::Kind::kEnd};
    const LineInfoW* const left = el_wline(editor_.get());
    return {.kind = InputLine::Kind::kInterrupt, .text = Text(left->buffer, left->lastchar)};
  }

  void Remember(const std::string& text) override {
    HistEventW event;
    history_w(history_.get(), &event, H_ENTER, Wide(text).c_str());
  }

 private:
  static wchar_t* Prompt(EditLine* editor) {
    void* self = nullptr;
    el_wget(editor, EL_CLIENTDATA, &self);
    return static_cast<TerminalInput*>(self)->prompt_.data();
  }

  static std::string Text(const wchar_t* begin, const wchar_t* end) {
    if (begin != end && end[-1] == L'\n') --end;
    return Narrow({begin, end});
  }

  void SetUpEditor() {
    EditLine* const editor = editor_.get();
    el_wset(editor, EL_CLIENTDATA, this);
    el_wset(editor, EL_PROMPT, Prompt);
    el_wset(editor, EL_SIGNAL, 1);  // sizes, Ctrl-Z
    el_wset(editor, EL_EDITOR, L"emacs");
    el_wset(editor, EL_HIST, history_w, history_.get());
    el_wset(editor, EL_ADDFN, L"addend-paste", L"Insert pasted text", InsertPaste);
    Bind(kPasteBegin, L"addend-paste");
    Bind(L"^R", L"em-inc-search-prev");
    Bind(L"^W", L"ed-delete-prev-word");
    Bind(L"\\e[3~", L"ed-delete-next-char");  // Delete
    Bind(L"\\e[1;5C", L"em-next-word");       // Ctrl-Right
    Bind(L"\\e[1;5D", L"ed-prev-word");       // Ctrl-Left
    el_source(editor, nullptr);               // ~/.editrc
  }

  void Bind(const wchar_t* keys, const wchar_t* function) {
    el_wset(editor_.get(), EL_BIND, keys, function, nullptr);
  }

  void Show(const char* sequence) {
    if (IsDumbTerminal()) return;
    std::fputs(sequence, output_.get());
    std::fflush(output_.get());
  }

  struct Free {
    void operator()(FILE* file) const { std::fclose(file); }
    void operator()(HistoryW* history) const { history_wend(history); }
    void operator()(EditLine* editor) const { el_end(editor); }
  };
  std::wstring prompt_;
  std::unique_ptr<FILE, Free> output_;
  std::unique_ptr<HistoryW, Free> history_;
  std::unique_ptr<EditLine, Free> editor_;
};

}  // namespace

std::unique_ptr<LineInput> TerminalLineInput(const std::vector<std::string>& history) {
  return std::make_unique<TerminalInput>(history);
}

}  // namespace addend
