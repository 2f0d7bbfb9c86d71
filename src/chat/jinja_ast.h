// The parsed form of a template. Nodes own their children; `line` is where the node begins.
#pragma once
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "chat/jinja_value.h"

namespace addend::jinja {

struct Expression;
using ExpressionPtr = std::unique_ptr<Expression>;

struct CallArguments {
  std::vector<ExpressionPtr> positional;
  std::vector<std::pair<std::string, ExpressionPtr>> named;
};

enum class ExpressionKind {
  kConstant,     // constant
  kName,         // name
  kList,         // children
  kTuple,        // children
  kDict,         // children: key, value, key, value ...
  kAttribute,    // children[0].name
  kItem,         // children[0][children[1]]
  kSlice,        // children[0][children[1]:children[2]:children[3]], each bound may be null
  kCall,         // children[0](arguments)
  kFilter,       // children[0]|name(arguments)
  kTest,         // children[0] is name(arguments)
  kNot,          // not children[0]
  kUnary,        // name children[0]: "-" or "+"
  kBinary,       // children[0] name children[1]: + - * / // % **
  kConcat,       // children joined by ~
  kCompare,      // children[0] operators[0] children[1] operators[1] children[2] ...
  kAnd,          // children[0] and children[1]
  kOr,           // children[0] or children[1]
  kConditional,  // children[0] if children[1] else children[2], which may be null
};

struct Expression {
  ExpressionKind kind;
  size_t line = 1;
  size_t depth = 1;
  std::string name;
  Value constant;
  std::vector<ExpressionPtr> children;
  std::vector<std::string> operators;
  CallArguments arguments;
};

struct Statement;
using Body = std::vector<Statement>;

enum class StatementKind {
  kText,      // text
  kOutput,    // value
  kIf,        // branches: the first whose condition holds; one without a condition always does
  kFor,       // for target in value if condition: body, otherwise
  kSet,       // set target = value
  kSetBlock,  // set target | filters: body. `value` holds the filters around a kName "", or is null
  kMacro,     // text (its name), parameters, body
  kScope,     // with targets = values: body; also {% generation %}
  kFilter,    // filter value: body
  kBreak,     //
  kContinue,  //
};

struct Branch;
struct Statement {
  StatementKind kind;
  size_t line = 1;
  std::string text;
  ExpressionPtr target;  // kName, kTuple of targets, or kAttribute of a kName
  ExpressionPtr value;
  ExpressionPtr condition;
  std::vector<Branch> branches;
  std::vector<std::pair<std::string, ExpressionPtr>> parameters;  // name and default, which may be null
  Body body;
  Body otherwise;
};

struct Branch {
  ExpressionPtr condition;  // null: else
  Body body;
};

}  // namespace addend::jinja
