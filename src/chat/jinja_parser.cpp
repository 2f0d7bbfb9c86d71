#include "chat/jinja_parser.h"

#include <algorithm>
#include <initializer_list>

#include "base/error.h"
#include "chat/jinja_lexer.h"

namespace addend::jinja {
namespace {

std::string DescribeToken(const Token& token) {
  switch (token.kind) {
    case TokenKind::kEnd:
      return "the end of the template";
    case TokenKind::kText:
      return "text";
    case TokenKind::kOutputBegin:
      return "'{{'";
    case TokenKind::kOutputEnd:
      return "'}}'";
    case TokenKind::kBlockBegin:
      return "'{%'";
    case TokenKind::kBlockEnd:
      return "'%}'";
    case TokenKind::kString:
      return "a string";
    default:
      return "'" + token.text + "'";
  }
}

class Parser {
 public:
  explicit Parser(std::string_view source) : tokens_(Tokenize(source)) {}

  Body Run() { return ParseBody({}); }

 private:
  // One level of recursion.
  class Nested {
   public:
    explicit Nested(Parser& parser) : parser_(parser) {
      if (++parser_.depth_ > Limits::kParseDepth) parser_.FailDepth();
    }
    ~Nested() { --parser_.depth_; }
    Nested(const Nested&) = delete;
    Nested& operator=(const Nested&) = delete;

   private:
    Parser& parser_;
  };

  [[noreturn]] void Fail(size_t line, const std::string& what) const { throw Error(AtLine(line), what); }
  [[noreturn]] void FailDepth() const {
    Fail(Current().line, "more than " + std::to_string(Limits::kParseDepth) + " levels of nesting");
  }

  const Token& Current() const { return tokens_[at_]; }
  const Token& Following() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  Token Next() {
    Token token = tokens_[at_];
    if (at_ + 1 < tokens_.size()) ++at_;
    return token;
  }
  bool SkipName(std::string_view name) { return Current().IsName(name) && (Next(), true); }
  bool SkipOperator(std::string_view text) { return Current().IsOperator(text) && (Next(), true); }
  void ExpectOperator(std::string_view text) {
    if (!SkipOperator(text))
      Fail(Current().line, "expected '" + std::string(text) + "', found " + DescribeToken(Current()));
  }
  std::string ExpectName() {
    if (Current().kind != TokenKind::kName)
      Fail(Current().line, "expected a name, found " + DescribeToken(Current()));
    return Next().text;
  }
  void Expect(TokenKind kind) {
    if (Current().kind != kind) Fail(Current().line, "unexpected " + DescribeToken(Current()));
    Next();
  }

  // Every node passes here: a chain such as a + a + a + ... makes a deep tree without deep parsing.
  ExpressionPtr Make(ExpressionKind kind, size_t line, std::string name, std::vector<ExpressionPtr> children,
                     CallArguments arguments = {}) {
    auto node = std::make_unique<Expression>();
    node->kind = kind;
    node->line = line;
    node->name = std::move(name);
    node->children = std::move(children);
    node->arguments = std::move(arguments);
    size_t deepest = 0;
    for (const auto& child : node->children) deepest = std::max(deepest, child ? child->depth : 0);
    for (const auto& child : node->arguments.positional) deepest = std::max(deepest, child->depth);
    for (const auto& [unused, child] : node->arguments.named) deepest = std::max(deepest, child->depth);
    node->depth = deepest + 1;
    if (node->depth > Limits::kParseDepth) FailDepth();
    return node;
  }
  template <typename... Children>
  ExpressionPtr MakeOf(ExpressionKind kind, size_t line, std::string name, Children... children) {
    std::vector<ExpressionPtr> list;
    (list.push_back(std::move(children)), ...);
    return Make(kind, line, std::move(name), std::move(list));
  }
  ExpressionPtr MakeConstant(size_t line, Value value) {
    ExpressionPtr node = MakeOf(ExpressionKind::kConstant, line, "");
    node->constant = std::move(value);
    return node;
  }

  // ---- statements ----

  // Up to one of the `end` tags, which stays current; with none, up to the end of the template.
  Body ParseBody(std::initializer_list<std::string_view> end) {
    const Nested nested(*this);
    const size_t begin_line = Current().line;
    Body body;
    while (Current().kind != TokenKind::kEnd) {
      const size_t line = Current().line;
      if (Current().kind == TokenKind::kText) {
        body.push_back({.kind = StatementKind::kText, .line = line, .text = Next().text});
      } else if (Current().kind == TokenKind::kOutputBegin) {
        Next();
        Statement output{.kind = StatementKind::kOutput, .line = line};
        output.value = ParseTuple(true);
        Expect(TokenKind::kOutputEnd);
        body.push_back(std::move(output));
      } else {
        Expect(TokenKind::kBlockBegin);
        const auto ends = [&](std::string_view name) { return Current().IsName(name); };
        if (std::any_of(end.begin(), end.end(), ends)) return body;
        body.push_back(ParseStatement());
        Expect(TokenKind::kBlockEnd);
      }
    }
    if (end.size() > 0)
      Fail(begin_line, "a block has no end: '" + std::string(*(end.end() - 1)) + "' is missing");
    return body;
  }
  Body ParseBodyAndEnd(std::string_view end) {
    Expect(TokenKind::kBlockEnd);
    Body body = ParseBody({end});
    Next();
    return body;
  }

  Statement ParseStatement() {
    const size_t line = Current().line;
    const std::string name = ExpectName();
    Statement statement{.kind = StatementKind::kScope, .line = line};
    if (name == "if") {
      ParseIf(statement);
    } else if (name == "for") {
      ParseFor(statement);
    } else if (name == "set") {
      ParseSet(statement);
    } else if (name == "macro") {
      ParseMacro(statement);
    } else if (name == "generation") {
      statement.body = ParseBodyAndEnd("endgeneration");
    } else if (name == "with") {
      ParseWith(statement);
    } else if (name == "filter") {
      statement.kind = StatementKind::kFilter;
      statement.value = ParseFilters(MakeOf(ExpressionKind::kName, line, ""), true);
      statement.body = ParseBodyAndEnd("endfilter");
    } else if (name == "break" || name == "continue") {
      if (loops_ == 0) Fail(line, "'" + name + "' stands outside of a loop");
      statement.kind = name == "break" ? StatementKind::kBreak : StatementKind::kContinue;
    } else if (name.starts_with("end") || name == "else" || name == "elif") {
      Fail(line, "'" + name + "' has no beginning");
    } else {
      Fail(line, "the tag '" + name + "' is not supported");
    }
    return statement;
  }

  void ParseIf(Statement& statement) {
    statement.kind = StatementKind::kIf;
    while (true) {
      Branch branch;
      branch.condition = ParseTuple(false);
      Expect(TokenKind::kBlockEnd);
      branch.body = ParseBody({"elif", "else", "endif"});
      statement.branches.push_back(std::move(branch));
      if (SkipName("elif")) continue;
      if (SkipName("else")) {
        Branch otherwise;
        otherwise.body = ParseBodyAndEnd("endif");
        statement.branches.push_back(std::move(otherwise));
      } else {
        Next();
      }
      return;
    }
  }

  void ParseFor(Statement& statement) {
    statement.kind = StatementKind::kFor;
    statement.target = ParseTarget(false);
    if (!SkipName("in")) Fail(Current().line, "expected 'in', found " + DescribeToken(Current()));
    statement.value = ParseTuple(false);
    if (SkipName("if")) statement.condition = ParseExpression();
    if (Current().IsName("recursive")) Fail(Current().line, "recursive loops are not supported");
    Expect(TokenKind::kBlockEnd);
    ++loops_;
    statement.body = ParseBody({"else", "endfor"});
    --loops_;
    if (SkipName("else")) {
      statement.otherwise = ParseBodyAndEnd("endfor");
    } else {
      Next();
    }
  }

  void ParseSet(Statement& statement) {
    statement.target = ParseTarget(true);
    if (SkipOperator("=")) {
      statement.kind = StatementKind::kSet;
      statement.value = ParseTuple(true);
      return;
    }
    statement.kind = StatementKind::kSetBlock;
    if (Current().IsOperator("|"))
      statement.value = ParseFilters(MakeOf(ExpressionKind::kName, statement.line, ""), false);
    statement.body = ParseBodyAndEnd("endset");
  }

  void ParseWith(Statement& statement) {
    // {% with a = 1, b = 2 %}: the statement's body begins with the assignments. Their values are computed in
    // the outer scope, which `parameters` keeps apart.
    while (Current().kind != TokenKind::kBlockEnd) {
      if (!statement.parameters.empty()) ExpectOperator(",");
      std::string name = ExpectName();
      ExpectOperator("=");
      statement.parameters.emplace_back(std::move(name), ParseExpression());
    }
    statement.body = ParseBodyAndEnd("endwith");
  }

  void ParseMacro(Statement& statement) {
    statement.kind = StatementKind::kMacro;
    statement.text = ExpectName();
    ExpectOperator("(");
    while (!SkipOperator(")")) {
      if (!statement.parameters.empty()) ExpectOperator(",");
      std::string name = ExpectName();
      ExpressionPtr fallback = SkipOperator("=") ? ParseExpression() : nullptr;
      if (!fallback && !statement.parameters.empty() && statement.parameters.back().second)
        Fail(statement.line, "macro '" + statement.text + "': parameter '" + name +
                                 "' without a default stands behind one with a default");
      statement.parameters.emplace_back(std::move(name), std::move(fallback));
    }
    const size_t outer_loops = std::exchange(loops_, 0);
    statement.body = ParseBodyAndEnd("endmacro");
    loops_ = outer_loops;
  }

  // name, namespace.name (where allowed), or a tuple of these.
  ExpressionPtr ParseTarget(bool attributes) {
    const size_t line = Current().line;
    std::vector<ExpressionPtr> targets;
    bool is_tuple = false;
    while (true) {
      targets.push_back(ParseOneTarget(attributes));
      if (!SkipOperator(",")) break;
      is_tuple = true;
      if (Current().kind != TokenKind::kName && !Current().IsOperator("(")) break;
      if (Current().IsName("in")) break;
    }
    if (!is_tuple) return std::move(targets[0]);
    return Make(ExpressionKind::kTuple, line, "", std::move(targets));
  }

  ExpressionPtr ParseOneTarget(bool attributes) {
    const Nested nested(*this);
    const size_t line = Current().line;
    if (SkipOperator("(")) {
      ExpressionPtr target = ParseTarget(attributes);
      ExpectOperator(")");
      return target;
    }
    std::string name = ExpectName();
    static constexpr std::string_view kReserved[] = {"true", "false", "none", "True", "False", "None"};
    if (std::find(std::begin(kReserved), std::end(kReserved), name) != std::end(kReserved))
      Fail(line, "cannot set '" + name + "'");
    ExpressionPtr target = MakeOf(ExpressionKind::kName, line, std::move(name));
    if (!attributes || !SkipOperator(".")) return target;
    return MakeOf(ExpressionKind::kAttribute, line, ExpectName(), std::move(target));
  }

  // ---- expressions, from the loosest binding to the tightest ----

  // One expression, or several with commas: a tuple.
  ExpressionPtr ParseTuple(bool conditional) {
    const size_t line = Current().line;
    std::vector<ExpressionPtr> items;
    bool is_tuple = false;
    do {
      if (!items.empty() && EndsTuple()) break;
      items.push_back(conditional ? ParseExpression() : ParseOr());
      is_tuple = is_tuple || Current().IsOperator(",");
    } while (SkipOperator(","));
    if (!is_tuple) return std::move(items[0]);
    return Make(ExpressionKind::kTuple, line, "", std::move(items));
  }
  bool EndsTuple() const {
    return Current().kind == TokenKind::kOutputEnd || Current().kind == TokenKind::kBlockEnd ||
           Current().IsOperator(")") || Current().IsName("recursive");
  }

  ExpressionPtr ParseExpression() {
    const Nested nested(*this);
    ExpressionPtr value = ParseOr();
    while (Current().IsName("if")) {
      const size_t line = Next().line;
      ExpressionPtr condition = ParseOr();
      ExpressionPtr otherwise = SkipName("else") ? ParseExpression() : nullptr;
      value = MakeOf(ExpressionKind::kConditional, line, "", std::move(value), std::move(condition),
                     std::move(otherwise));
    }
    return value;
  }

  ExpressionPtr ParseOr() {
    return ParseChain("or", ExpressionKind::kOr, [&] { return ParseAnd(); });
  }

  ExpressionPtr ParseAnd() {
    return ParseChain("and", ExpressionKind::kAnd, [&] { return ParseNot(); });
  }

  // operand, or several with `name` between them, the left ones first.
  template <typename ParseOperand>
  ExpressionPtr ParseChain(const char* name, ExpressionKind kind, ParseOperand&& parse_operand) {
    ExpressionPtr left = parse_operand();
    while (Current().IsName(name)) {
      const size_t line = Next().line;
      left = MakeOf(kind, line, "", std::move(left), parse_operand());
    }
    return left;
  }

  ExpressionPtr ParseNot() {
    const Nested nested(*this);
    if (!Current().IsName("not")) return ParseCompare();
    const size_t line = Next().line;
    return MakeOf(ExpressionKind::kNot, line, "", ParseNot());
  }

  // The comparison that is current, or nothing.
  std::string SkipComparison() {
    for (const std::string_view name : {"==", "!=", "<=", ">=", "<", ">"}) {
      if (SkipOperator(name)) return std::string(name);
    }
    if (SkipName("in")) return "in";
    if (Current().IsName("not") && Following().IsName("in")) {
      Next();
      Next();
      return "not in";
    }
    return "";
  }

  ExpressionPtr ParseCompare() {
    const size_t line = Current().line;
    std::vector<ExpressionPtr> children;
    std::vector<std::string> operators;
    children.push_back(ParseSum());
    for (std::string name = SkipComparison(); !name.empty(); name = SkipComparison()) {
      operators.push_back(name);
      children.push_back(ParseSum());
    }
    if (operators.empty()) return std::move(children[0]);
    ExpressionPtr node = Make(ExpressionKind::kCompare, line, "", std::move(children));
    node->operators = std::move(operators);
    return node;
  }

  ExpressionPtr ParseSum() {
    ExpressionPtr left = ParseConcat();
    while (Current().IsOperator("+") || Current().IsOperator("-")) {
      const Token token = Next();
      left = MakeOf(ExpressionKind::kBinary, token.line, token.text, std::move(left), ParseConcat());
    }
    return left;
  }

  ExpressionPtr ParseConcat() {
    const size_t line = Current().line;
    std::vector<ExpressionPtr> children;
    do {
      children.push_back(ParseProduct());
    } while (SkipOperator("~"));
    if (children.size() == 1) return std::move(children[0]);
    return Make(ExpressionKind::kConcat, line, "", std::move(children));
  }

  ExpressionPtr ParseProduct() {
    ExpressionPtr left = ParsePower();
    while (Current().IsOperator("*") || Current().IsOperator("/") || Current().IsOperator("//") ||
           Current().IsOperator("%")) {
      const Token token = Next();
      left = MakeOf(ExpressionKind::kBinary, token.line, token.text, std::move(left), ParsePower());
    }
    return left;
  }

  ExpressionPtr ParsePower() {
    ExpressionPtr left = ParseUnary(true);
    while (Current().IsOperator("**")) {
      const Token token = Next();
      left = MakeOf(ExpressionKind::kBinary, token.line, token.text, std::move(left), ParseUnary(true));
    }
    return left;
  }

  // Filters and tests bind less than a sign: -1|abs is 1.
  ExpressionPtr ParseUnary(bool with_filters) {
    const Nested nested(*this);
    ExpressionPtr node;
    if (Current().IsOperator("-") || Current().IsOperator("+")) {
      const Token token = Next();
      node = MakeOf(ExpressionKind::kUnary, token.line, token.text, ParseUnary(false));
    } else {
      node = ParsePrimary();
    }
    node = ParsePostfix(std::move(node));
    return with_filters ? ParseFiltersAndTests(std::move(node)) : std::move(node);
  }

  ExpressionPtr ParsePrimary() {
    const Nested nested(*this);
    const Token token = Next();
    switch (token.kind) {
      case TokenKind::kName:
        if (token.text == "true" || token.text == "True") return MakeConstant(token.line, true);
        if (token.text == "false" || token.text == "False") return MakeConstant(token.line, false);
        if (token.text == "none" || token.text == "None") return MakeConstant(token.line, None{});
        return MakeOf(ExpressionKind::kName, token.line, token.text);
      case TokenKind::kString: {
        std::string text = token.text;
        while (Current().kind == TokenKind::kString) text += Next().text;
        return MakeConstant(token.line, std::move(text));
      }
      case TokenKind::kInteger:
        return MakeConstant(token.line, token.integer);
      case TokenKind::kFloat:
        return MakeConstant(token.line, token.real);
      default:
        break;
    }
    if (token.text == "(" && token.kind == TokenKind::kOperator) {
      if (SkipOperator(")")) return Make(ExpressionKind::kTuple, token.line, "", {});
      ExpressionPtr inside = ParseTuple(true);
      ExpectOperator(")");
      return inside;
    }
    if (token.IsOperator("[")) return ParseList(token.line);
    if (token.IsOperator("{")) return ParseDict(token.line);
    Fail(token.line, "expected an expression, found " + DescribeToken(token));
  }

  ExpressionPtr ParseList(size_t line) {
    std::vector<ExpressionPtr> items;
    while (!SkipOperator("]")) {
      if (!items.empty()) {
        ExpectOperator(",");
        if (SkipOperator("]")) break;
      }
      items.push_back(ParseExpression());
    }
    return Make(ExpressionKind::kList, line, "", std::move(items));
  }

  ExpressionPtr ParseDict(size_t line) {
    std::vector<ExpressionPtr> items;
    while (!SkipOperator("}")) {
      if (!items.empty()) {
        ExpectOperator(",");
        if (SkipOperator("}")) break;
      }
      items.push_back(ParseExpression());
      ExpectOperator(":");
      items.push_back(ParseExpression());
    }
    return Make(ExpressionKind::kDict, line, "", std::move(items));
  }

  ExpressionPtr ParsePostfix(ExpressionPtr node) {
    while (true) {
      const size_t line = Current().line;
      if (SkipOperator(".")) {
        if (Current().kind == TokenKind::kInteger) {
          node = MakeOf(ExpressionKind::kItem, line, "", std::move(node), MakeConstant(line, Next().integer));
        } else {
          std::string name = ExpectName();
          node = MakeOf(ExpressionKind::kAttribute, line, std::move(name), std::move(node));
        }
      } else if (SkipOperator("[")) {
        node = ParseSubscript(line, std::move(node));
      } else if (Current().IsOperator("(")) {
        node = ParseCall(std::move(node));
      } else {
        return node;
      }
    }
  }

  ExpressionPtr ParseSubscript(size_t line, ExpressionPtr node) {
    const auto bound = [&]() -> ExpressionPtr {
      return Current().IsOperator(":") || Current().IsOperator("]") ? nullptr : ParseExpression();
    };
    ExpressionPtr first = bound();
    if (SkipOperator("]")) {
      if (!first) Fail(line, "'[]' lacks an index");
      return MakeOf(ExpressionKind::kItem, line, "", std::move(node), std::move(first));
    }
    ExpectOperator(":");
    ExpressionPtr last = bound();
    ExpressionPtr step = SkipOperator(":") ? bound() : nullptr;
    ExpectOperator("]");
    return MakeOf(ExpressionKind::kSlice, line, "", std::move(node), std::move(first), std::move(last),
                  std::move(step));
  }

  ExpressionPtr ParseCall(ExpressionPtr node) {
    const size_t line = Current().line;
    CallArguments arguments = ParseArguments();
    std::vector<ExpressionPtr> children;
    children.push_back(std::move(node));
    return Make(ExpressionKind::kCall, line, "", std::move(children), std::move(arguments));
  }

  CallArguments ParseArguments() {
    CallArguments arguments;
    ExpectOperator("(");
    for (bool first = true; !SkipOperator(")"); first = false) {
      if (!first) {
        ExpectOperator(",");
        if (SkipOperator(")")) break;
      }
      if (Current().IsOperator("*") || Current().IsOperator("**"))
        Fail(Current().line, "arguments with '*' are not supported");
      if (Current().kind == TokenKind::kName && Following().IsOperator("=")) {
        std::string name = Next().text;
        Next();
        arguments.named.emplace_back(std::move(name), ParseExpression());
      } else {
        if (!arguments.named.empty())
          Fail(Current().line, "an argument without a name stands behind one with a name");
        arguments.positional.push_back(ParseExpression());
      }
      // A filter may name another one in its arguments, and so on: this bounds how far.
      if (arguments.positional.size() + arguments.named.size() > Limits::kArguments)
        Fail(Current().line, "more than " + std::to_string(Limits::kArguments) + " arguments");
    }
    return arguments;
  }

  ExpressionPtr ParseFiltersAndTests(ExpressionPtr node) {
    while (true) {
      if (Current().IsOperator("|")) {
        node = ParseFilters(std::move(node), false);
      } else if (Current().IsName("is")) {
        node = ParseTest(std::move(node));
      } else if (Current().IsOperator("(")) {
        node = ParseCall(std::move(node));
      } else {
        return node;
      }
    }
  }

  // With `inside_tag` the first filter has no "|" before it: {% filter upper|trim %}.
  ExpressionPtr ParseFilters(ExpressionPtr node, bool inside_tag) {
    while (inside_tag || SkipOperator("|")) {
      inside_tag = false;
      const size_t line = Current().line;
      std::string name = ExpectName();
      CallArguments arguments = Current().IsOperator("(") ? ParseArguments() : CallArguments{};
      std::vector<ExpressionPtr> children;
      children.push_back(std::move(node));
      node = Make(ExpressionKind::kFilter, line, std::move(name), std::move(children), std::move(arguments));
    }
    return node;
  }

  ExpressionPtr ParseTest(ExpressionPtr node) {
    const size_t line = Next().line;
    const bool negated = SkipName("not");
    std::string name = ExpectName();
    CallArguments arguments;
    if (Current().IsOperator("(")) {
      arguments = ParseArguments();
    } else if (Current().IsName("is")) {
      Fail(line, "tests cannot be chained with 'is'");
    } else if (BeginsTestArgument()) {
      arguments.positional.push_back(ParsePostfix(ParsePrimary()));
    }
    std::vector<ExpressionPtr> children;
    children.push_back(std::move(node));
    node = Make(ExpressionKind::kTest, line, std::move(name), std::move(children), std::move(arguments));
    return negated ? MakeOf(ExpressionKind::kNot, line, "", std::move(node)) : std::move(node);
  }

  // An argument without parentheses: x is divisibleby 3.
  bool BeginsTestArgument() const {
    static constexpr std::string_view kNoArgument[] = {"else", "or", "and", "is", "if", "in", "not"};
    const Token& token = Current();
    if (token.kind == TokenKind::kName)
      return std::find(std::begin(kNoArgument), std::end(kNoArgument), token.text) == std::end(kNoArgument);
    return token.kind == TokenKind::kString || token.kind == TokenKind::kInteger ||
           token.kind == TokenKind::kFloat || token.IsOperator("[") || token.IsOperator("{");
  }

  std::vector<Token> tokens_;
  size_t at_ = 0;
  size_t depth_ = 0;
  size_t loops_ = 0;
};

}  // namespace

Body Parse(std::string_view source) {
  return Parser(source).Run();
}

}  // namespace addend::jinja
