#include "chat/jinja_evaluator.h"

#include <algorithm>
#include <deque>
#include <map>

#include "base/error.h"
#include "chat/jinja_filters.h"
#include "chat/jinja_globals.h"
#include "chat/jinja_lexer.h"
#include "chat/jinja_operators.h"

namespace addend::jinja {
namespace {

// Variables by name. A scope sees those around it; `set` makes or changes one of its own.
struct Scope {
  Scope* parent = nullptr;
  std::map<std::string, Value, std::less<>> variables;

  // The scope that has this variable, or null.
  Scope* Owner(std::string_view name) {
    for (Scope* scope = this; scope; scope = scope->parent) {
      if (scope->variables.contains(name)) return scope;
    }
    return nullptr;
  }
};

enum class Flow { kNext, kBreak, kContinue };

class Evaluator {
 public:
  Evaluator(NamedValues variables, std::time_t now, Budget& budget) : budget_(budget) {
    Scope& globals = scopes_.emplace_back();
    for (auto& [name, value] : GlobalFunctions(now, namespaces_)) globals.variables[name] = value;
    for (auto& [name, value] : variables) globals.variables[name] = std::move(value);
    scope_ = &scopes_.emplace_back(Scope{.parent = &globals});
  }

  std::string Run(const Body& body) {
    try {
      Execute(body);
    } catch (const Error& error) {
      throw Error(AtLine(line_), error.what());
    }
    return std::move(output_);
  }

 private:
  // Counts expressions and statements that wait for one another, and keeps the line of the innermost for the
  // message of an error.
  class Nested {
   public:
    Nested(Evaluator& evaluator, size_t line) : evaluator_(evaluator), outer_line_(evaluator.line_) {
      if (evaluator.depth_ >= Limits::kCallDepth)
        throw Error("macros or expressions are nested more than ", Limits::kCallDepth, " levels deep");
      ++evaluator.depth_;
      evaluator.line_ = line;
      evaluator.budget_.Charge(1);
    }
    ~Nested() { --evaluator_.depth_; }
    void Finish() { evaluator_.line_ = outer_line_; }
    Nested(const Nested&) = delete;
    Nested& operator=(const Nested&) = delete;

   private:
    Evaluator& evaluator_;
    size_t outer_line_;
  };

  void Emit(const std::string& text) {
    budget_.ChargeBytes(text.size());
    output_ += text;
  }

  // Runs `work` in a new scope inside `parent`. Scopes stay until the end: a macro may outlive its own.
  template <typename Work>
  auto InScope(Scope* parent, Work&& work) {
    budget_.Charge(16);
    Scope* const outer = std::exchange(scope_, &scopes_.emplace_back(Scope{.parent = parent}));
    if constexpr (std::is_void_v<decltype(work())>) {
      work();
      scope_ = outer;
    } else {
      auto result = work();
      scope_ = outer;
      return result;
    }
  }

  // What `body` writes, instead of writing it.
  std::string Capture(const Body& body, Flow* flow) {
    std::string outer = std::exchange(output_, {});
    const Flow result = Execute(body);
    if (flow) *flow = result;
    return std::exchange(output_, std::move(outer));
  }

  // ---- statements ----

  Flow Execute(const Body& body) {
    for (const Statement& statement : body) {
      const Flow flow = Execute(statement);
      if (flow != Flow::kNext) return flow;
    }
    return Flow::kNext;
  }

  Flow Execute(const Statement& statement) {
    Nested nested(*this, statement.line);
    const Flow flow = Dispatch(statement);
    nested.Finish();
    return flow;
  }

  Flow Dispatch(const Statement& statement) {
    switch (statement.kind) {
      case StatementKind::kText:
        Emit(statement.text);
        return Flow::kNext;
      case StatementKind::kOutput:
        Emit(ToText(Evaluate(*statement.value), budget_));
        return Flow::kNext;
      case StatementKind::kIf:
        for (const Branch& branch : statement.branches) {
          if (!branch.condition || Evaluate(*branch.condition).Truth()) return Execute(branch.body);
        }
        return Flow::kNext;
      case StatementKind::kFor:
        return ExecuteFor(statement);
      case StatementKind::kSet:
        Assign(*statement.target, Evaluate(*statement.value));
        return Flow::kNext;
      case StatementKind::kSetBlock: {
        Flow flow = Flow::kNext;
        std::string text = InScope(scope_, [&] { return Capture(statement.body, &flow); });
        if (flow == Flow::kNext) Assign(*statement.target, Filtered(statement.value.get(), std::move(text)));
        return flow;
      }
      case StatementKind::kFilter: {
        Flow flow = Flow::kNext;
        std::string text = InScope(scope_, [&] { return Capture(statement.body, &flow); });
        if (flow == Flow::kNext) Emit(ToText(Filtered(statement.value.get(), std::move(text)), budget_));
        return flow;
      }
      case StatementKind::kMacro:
        SetVariable(statement.text, MakeMacro(statement));
        return Flow::kNext;
      case StatementKind::kScope:
        return ExecuteScope(statement);
      case StatementKind::kBreak:
        return Flow::kBreak;
      case StatementKind::kContinue:
        return Flow::kContinue;
    }
    return Flow::kNext;
  }

  Flow ExecuteScope(const Statement& statement) {
    NamedValues values;
    for (const auto& [name, value] : statement.parameters) values.emplace_back(name, Evaluate(*value));
    return InScope(scope_, [&] {
      for (auto& [name, value] : values) SetVariable(name, std::move(value));
      return Execute(statement.body);
    });
  }

  // The text put through the filters of {% filter ... %}; they stand around the name "".
  Value Filtered(const Expression* filters, std::string text) {
    if (!filters) return text;
    return InScope(scope_, [&] {
      SetVariable("", std::move(text));
      return Evaluate(*filters);
    });
  }

  Flow ExecuteFor(const Statement& statement) {
    Values items = Iterate(Evaluate(*statement.value), budget_);
    if (statement.condition) {
      Values kept;
      for (Value& item : items) {
        const bool keeps = InScope(scope_, [&] {
          Assign(*statement.target, item);
          return Evaluate(*statement.condition).Truth();
        });
        if (keeps) kept.push_back(std::move(item));
      }
      items = std::move(kept);
    }
    if (items.empty()) return Execute(statement.otherwise);
    Namespace& loop = MakeLoop();
    for (size_t i = 0; i < items.size(); ++i) {
      DescribeLoop(items, i, loop);
      const Flow flow = InScope(scope_, [&] {
        SetVariable("loop", &loop);
        Assign(*statement.target, items[i]);
        return Execute(statement.body);
      });
      if (flow == Flow::kBreak) break;
    }
    return Flow::kNext;
  }

  Namespace& MakeLoop() {
    budget_.Charge(40);
    Namespace& loop = namespaces_.emplace_back();
    loops_.push_back(&loop);
    auto cycle = std::make_shared<Callable>();
    cycle->name = "cycle";
    cycle->call = [&loop](Arguments& arguments, Budget&) {
      if (arguments.positional.empty()) throw Error("'cycle' needs something to choose from");
      const auto at = size_t(loop.attributes["index0"].AsInteger());
      return arguments.positional[at % arguments.positional.size()];
    };
    loop.attributes["cycle"] = Value(std::shared_ptr<const Callable>(std::move(cycle)));
    return loop;
  }

  void DescribeLoop(const Values& items, size_t at, Namespace& loop) {
    budget_.Charge(10);
    const auto set = [&](const char* name, Value value) { loop.attributes[name] = std::move(value); };
    set("index", int64_t(at + 1));
    set("index0", int64_t(at));
    set("revindex", int64_t(items.size() - at));
    set("revindex0", int64_t(items.size() - at - 1));
    set("first", at == 0);
    set("last", at + 1 == items.size());
    set("length", int64_t(items.size()));
    set("depth", int64_t(1));
    set("depth0", int64_t(0));
    set("previtem", at > 0 ? items[at - 1] : Value::MakeUndefined("'previtem'"));
    set("nextitem", at + 1 < items.size() ? items[at + 1] : Value::MakeUndefined("'nextitem'"));
  }

  void SetVariable(const std::string& name, Value value) {
    budget_.Charge(4);
    scope_->variables[name] = std::move(value);
  }

  void Assign(const Expression& target, const Value& value) {
    if (target.kind == ExpressionKind::kName) return SetVariable(target.name, value);
    if (target.kind == ExpressionKind::kAttribute) {
      const Value owner = Evaluate(*target.children[0]);
      Namespace* space = owner.AsNamespace();
      if (!space || std::find(loops_.begin(), loops_.end(), space) != loops_.end())
        throw Error("cannot set '", target.children[0]->name, ".", target.name,
                    "': only a namespace's values change");
      budget_.Charge(4);
      space->attributes[target.name] = value;
      return;
    }
    const Values items = Iterate(value, budget_);
    if (items.size() != target.children.size())
      throw Error("cannot take ", items.size(), " values apart into ", target.children.size());
    for (size_t i = 0; i < items.size(); ++i) Assign(*target.children[i], items[i]);
  }

  // ---- macros ----

  Value MakeMacro(const Statement& macro) {
    budget_.Charge(20);
    auto callable = std::make_shared<Callable>();
    callable->name = macro.text;
    callable->call = [this, &macro, scope = scope_](Arguments& arguments, Budget&) {
      return CallMacro(macro, scope, arguments);
    };
    return Value(std::shared_ptr<const Callable>(std::move(callable)));
  }

  Value CallMacro(const Statement& macro, Scope* defined_in, Arguments& arguments) {
    Nested nested(*this, macro.line);
    if (arguments.positional.size() > macro.parameters.size())
      throw Error("macro '", macro.text, "' takes at most ", macro.parameters.size(), " arguments, found ",
                  arguments.positional.size());
    std::vector<const Value*> given(macro.parameters.size(), nullptr);
    for (size_t i = 0; i < arguments.positional.size(); ++i) given[i] = &arguments.positional[i];
    for (const auto& [name, value] : arguments.named) {
      const auto found =
          std::find_if(macro.parameters.begin(), macro.parameters.end(),
                       [&, &key = name](const auto& parameter) { return parameter.first == key; });
      if (found == macro.parameters.end())
        throw Error("macro '", macro.text, "' has no parameter '", name, "'");
      const Value*& slot = given[size_t(found - macro.parameters.begin())];
      if (slot) throw Error("macro '", macro.text, "' gets its parameter '", name, "' twice");
      slot = &value;
    }
    std::string text = InScope(defined_in, [&] {
      for (size_t i = 0; i < given.size(); ++i) {
        const auto& [name, fallback] = macro.parameters[i];
        if (given[i]) {
          SetVariable(name, *given[i]);
        } else {
          SetVariable(name,
                      fallback ? Evaluate(*fallback) : Value::MakeUndefined("parameter " + Quoted(name)));
        }
      }
      return Capture(macro.body, nullptr);
    });
    nested.Finish();
    return text;
  }

  // ---- expressions ----

  Value Evaluate(const Expression& expression) {
    Nested nested(*this, expression.line);
    Value value = Dispatch(expression);
    nested.Finish();
    return value;
  }
  Value EvaluateOr(const ExpressionPtr& expression, Value fallback) {
    return expression ? Evaluate(*expression) : std::move(fallback);
  }

  Value Dispatch(const Expression& e) {
    const auto child = [&](size_t index) { return Evaluate(*e.children[index]); };
    switch (e.kind) {
      case ExpressionKind::kConstant:
        return e.constant;
      case ExpressionKind::kName:
        return Variable(e.name);
      case ExpressionKind::kList:
      case ExpressionKind::kTuple:
        return EvaluateList(e);
      case ExpressionKind::kDict:
        return EvaluateDict(e);
      case ExpressionKind::kAttribute:
        return GetAttribute(child(0), e.name, budget_);
      case ExpressionKind::kItem: {
        const Value container = child(0);
        return GetItem(container, child(1), budget_);
      }
      case ExpressionKind::kSlice: {
        const Value container = child(0);
        const Value begin = EvaluateOr(e.children[1], None{});
        const Value end = EvaluateOr(e.children[2], None{});
        return Slice(container, begin, end, EvaluateOr(e.children[3], None{}), budget_);
      }
      case ExpressionKind::kCall:
        return EvaluateCall(e);
      case ExpressionKind::kFilter: {
        const Value value = FilterInput(e);
        Arguments arguments = EvaluateArguments(e.arguments);
        return ApplyFilter(e.name, value, arguments, budget_);
      }
      case ExpressionKind::kTest: {
        const Value value = child(0);
        Arguments arguments = EvaluateArguments(e.arguments);
        return ApplyTest(e.name, value, arguments, budget_);
      }
      case ExpressionKind::kNot:
        return !child(0).Truth();
      case ExpressionKind::kUnary:
        return Sign(e.name, child(0));
      case ExpressionKind::kBinary: {
        const Value left = child(0);
        return Arithmetic(e.name, left, child(1), budget_);
      }
      case ExpressionKind::kConcat: {
        std::string text;
        for (const ExpressionPtr& part : e.children) text += ToText(Evaluate(*part), budget_);
        return text;
      }
      case ExpressionKind::kCompare:
        return EvaluateCompare(e);
      case ExpressionKind::kAnd: {
        Value left = child(0);
        return left.Truth() ? child(1) : left;
      }
      case ExpressionKind::kOr: {
        Value left = child(0);
        return left.Truth() ? left : child(1);
      }
      case ExpressionKind::kConditional:
        if (child(1).Truth()) return child(0);
        return e.children[2] ? child(2) : Value::MakeUndefined("an 'if' without 'else'");
    }
    return {};
  }

  Value Variable(const std::string& name) {
    Scope* const owner = scope_->Owner(name);
    return owner ? owner->variables.find(name)->second : Value::MakeUndefined(Quoted(name));
  }

  Value FilterInput(const Expression& filter) { return Evaluate(*filter.children[0]); }

  Value EvaluateList(const Expression& e) {
    Values items;
    for (const ExpressionPtr& item : e.children) items.push_back(Evaluate(*item));
    budget_.Charge(4 * items.size());
    return Value::MakeList(std::move(items),
                           e.kind == ExpressionKind::kTuple ? Sequence::kTuple : Sequence::kList);
  }

  Value EvaluateDict(const Expression& e) {
    std::vector<std::pair<Value, Value>> pairs;
    for (size_t i = 0; i < e.children.size(); i += 2) {
      Value key = Evaluate(*e.children[i]);
      Value value = Evaluate(*e.children[i + 1]);
      if (key.IsDict() || (key.IsSequence() && !key.IsTuple()))
        throw Error("the key of a dictionary cannot be ", key.Describe());
      budget_.Charge(8);
      const auto found = std::find_if(pairs.begin(), pairs.end(),
                                      [&](const auto& pair) { return Equal(pair.first, key, budget_); });
      if (found != pairs.end()) {
        found->second = std::move(value);
      } else {
        pairs.emplace_back(std::move(key), std::move(value));
      }
    }
    return Value::MakeDict(std::move(pairs));
  }

  Arguments EvaluateArguments(const CallArguments& parsed) {
    Arguments arguments;
    for (const ExpressionPtr& value : parsed.positional) arguments.positional.push_back(Evaluate(*value));
    for (const auto& [name, value] : parsed.named) arguments.named.emplace_back(name, Evaluate(*value));
    return arguments;
  }

  Value EvaluateCall(const Expression& e) {
    const Expression& callee = *e.children[0];
    if (callee.kind == ExpressionKind::kAttribute && IsListChange(callee.name)) {
      const Value list = Evaluate(*callee.children[0]);
      if (list.IsSequence() && !list.IsTuple() && !list.IsIterator())
        return ChangeList(callee, list, e.arguments);
    }
    const Value function = Evaluate(callee);
    if (!function.IsCallable()) throw Error(function.Describe(), " is not a function");
    Arguments arguments = EvaluateArguments(e.arguments);
    return function.callable().call(arguments, budget_);
  }

  static bool IsListChange(const std::string& name) {
    return name == "append" || name == "extend" || name == "pop";
  }

  // list.append(x), extend(xs) and pop(at): Hugging Face forbids them, but templates written for other
  // programs have them. Lists do not change; the variable or namespace value that holds this one gets a new
  // list.
  Value ChangeList(const Expression& callee, const Value& list, const CallArguments& parsed) {
    const Expression& place = *callee.children[0];
    Arguments arguments = EvaluateArguments(parsed);
    const Parameters given(callee.name, arguments, {"value"});
    budget_.Charge(4 * (1 + list.items().size()));
    Values items = list.items();
    Value result = None{};
    if (callee.name == "append") {
      items.push_back(given.Require(0));
    } else if (callee.name == "extend") {
      const Values more = Iterate(given.Require(0), budget_);
      items.insert(items.end(), more.begin(), more.end());
    } else {
      int64_t at = given.Integer(0, -1);
      if (at < 0) at += int64_t(items.size());
      if (at < 0 || at >= int64_t(items.size())) throw Error("'pop' of an item that the list does not have");
      result = items[size_t(at)];
      items.erase(items.begin() + at);
    }
    Value changed = Value::MakeList(std::move(items));
    Scope* const owner = place.kind == ExpressionKind::kName ? scope_->Owner(place.name) : nullptr;
    if (owner) {
      owner->variables[place.name] = std::move(changed);
    } else if (place.kind == ExpressionKind::kAttribute && Evaluate(*place.children[0]).AsNamespace()) {
      Assign(place, changed);
    } else {
      throw Error("'", callee.name, "' is supported only of a list in a variable or namespace");
    }
    return result;
  }

  Value EvaluateCompare(const Expression& e) {
    Value left = Evaluate(*e.children[0]);
    for (size_t i = 0; i < e.operators.size(); ++i) {
      Value right = Evaluate(*e.children[i + 1]);
      if (!Compare(e.operators[i], left, right)) return false;
      left = std::move(right);
    }
    return true;
  }

  bool Compare(const std::string& name, const Value& left, const Value& right) {
    if (name == "==") return Equal(left, right, budget_);
    if (name == "!=") return !Equal(left, right, budget_);
    if (name == "in") return Contains(right, left, budget_);
    if (name == "not in") return !Contains(right, left, budget_);
    if (name == "<") return Less(left, right, budget_);
    if (name == ">") return Less(right, left, budget_);
    if (name == "<=") return Less(left, right, budget_) || Equal(left, right, budget_);
    return Less(right, left, budget_) || Equal(left, right, budget_);
  }

  Budget& budget_;
  std::deque<Namespace> namespaces_;  // before scopes_, whose values point here
  std::deque<Scope> scopes_;
  std::vector<const Namespace*> loops_;  // namespaces that are loops, which templates cannot set
  Scope* scope_ = nullptr;
  std::string output_;
  size_t depth_ = 0;
  size_t line_ = 1;
};

}  // namespace

std::string Render(const Body& body, NamedValues variables, std::time_t now, Budget& budget) {
  return Evaluator(std::move(variables), now, budget).Run(body);
}

}  // namespace addend::jinja
