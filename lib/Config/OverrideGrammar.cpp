//===- OverrideGrammar.cpp - Hydra's override grammar ---------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Lex.h"
#include "Override.h"
#include "nxdt/Support/UserError.h"

#include <algorithm>

namespace nxdt::config {
namespace {

enum class Tok {
  ParenOpen,
  Comma,
  ParenClose,
  BracketOpen,
  BracketClose,
  BraceOpen,
  BraceClose,
  Colon,
  Equal,
  Float,
  Int,
  Bool,
  Null,
  UnquotedChar,
  Id,
  Esc,
  Space,
  Quoted,
  Interpolation,
  End,
};

struct Token {
  Tok kind;
  std::string_view text;
  size_t at;
};

constexpr int kMaxDepth = 100;

class Parser {
public:
  explicit Parser(const std::string &line)
      : line(line),
        text(line), location{Location::Kind::CommandLine,
                             std::make_shared<const std::string>(line), 1, 1} {}

  Override parse() {
    Override result;
    result.location = location;
    size_t at = 0;
    if (text.starts_with("++")) {
      result.kind = Override::Kind::ForceAdd;
      at = 2;
    } else if (text.starts_with('+')) {
      result.kind = Override::Kind::Add;
      at = 1;
    } else if (text.starts_with('~')) {
      result.kind = Override::Kind::Delete;
      at = 1;
    }
    result.key = readKey(at);
    bool deletion = result.kind == Override::Kind::Delete;
    if (at == text.size()) {
      if (!deletion)
        fail("a value is missing: write " + result.key + "=VALUE");
      return result;
    }
    if (text[at] != '=')
      failAt(at);
    at += 1 + lex::spaces(text, at + 1);
    tokenize(at);
    result.value = readWholeValue();
    return result;
  }

private:
  const std::string &line;
  std::string_view text;
  Location location;
  std::vector<Token> tokens;
  size_t next = 0;
  int depth = 0;

  [[noreturn]] void fail(const std::string &what) const {
    throw UserError("command line: '" + lex::clip(line, 200) + "': " + what);
  }
  [[noreturn]] void failAt(size_t at) const {
    if (at >= text.size())
      fail("it ends too early");
    std::string hint;
    if (text[at] == '[' && next == 0 && tokens.empty())
      hint = "; an element of a list is written a.0=v";
    else if (std::string_view("!#&;<>^`~\"'(){}=,").find(text[at]) !=
             std::string_view::npos)
      hint = "; quote the value: key='...'";
    fail("unexpected '" + lex::character(text, at) + "' at character " +
         std::to_string(at + 1) + hint);
  }

  /// Name characters, dots between the parts; '/' separates config groups.
  std::string readKey(size_t &at) const {
    size_t begin = at;
    auto special = [&](size_t i) {
      // [a-zA-Z_$][a-zA-Z0-9_$-]*
      size_t n = 0;
      while (i + n < text.size()) {
        char c = text[i + n];
        bool first = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                     c == '_' || c == '$';
        bool later = (c >= '0' && c <= '9') || c == '-';
        if (!first && !(n && later))
          break;
        ++n;
      }
      return n;
    };
    while (true) {
      size_t n = std::max(special(at), lex::unsignedInt(text, at));
      if (!n)
        failAt(at);
      at += n;
      if (at == text.size() || text[at] != '.')
        break;
      ++at;
    }
    std::string key(text.substr(begin, at - begin));
    // A lone number is no key of Hydra's grammar.
    if (key.find('.') == std::string::npos && key[0] >= '0' && key[0] <= '9')
      failAt(begin);
    if (at < text.size() && (text[at] == '@' || text[at] == '/'))
      fail("config groups ('group@package=option') do not exist here");
    return key;
  }

  void tokenize(size_t at) {
    while (at < text.size()) {
      Tok kind = Tok::End;
      size_t length = 0;
      auto offer = [&](Tok candidate, size_t n) {
        if (n <= length)
          return;
        kind = candidate;
        length = n;
      };
      auto offerChar = [&](Tok candidate, char c, bool before, bool after) {
        offer(candidate, lex::padded(text, at, c, before, after));
      };
      offerChar(Tok::ParenOpen, '(', true, true);
      offerChar(Tok::Comma, ',', true, true);
      offerChar(Tok::ParenClose, ')', true, false);
      offerChar(Tok::BracketOpen, '[', false, true);
      offerChar(Tok::BracketClose, ']', true, false);
      offerChar(Tok::BraceOpen, '{', false, true);
      offerChar(Tok::BraceClose, '}', true, false);
      offerChar(Tok::Colon, ':', true, true);
      offerChar(Tok::Equal, '=', true, true);
      offer(Tok::Float, lex::floating(text, at));
      offer(Tok::Int, lex::signedInt(text, at));
      offer(Tok::Bool, lex::wordAnyCase(text, at, "true"));
      offer(Tok::Bool, lex::wordAnyCase(text, at, "false"));
      offer(Tok::Null, lex::wordAnyCase(text, at, "null"));
      offer(Tok::UnquotedChar, lex::unquotedChar(text, at));
      offer(Tok::Id, lex::identifier(text, at));
      offer(Tok::Esc, lex::escapes(text, at));
      offer(Tok::Space, lex::spaces(text, at));
      offer(Tok::Quoted, quoted(at));
      offer(Tok::Interpolation, interpolation(at));
      if (!length)
        failAt(at);
      tokens.push_back({kind, text.substr(at, length), at});
      at += length;
    }
    tokens.push_back({Tok::End, {}, at});
  }

  /// Up to the first same quote with an even number of backslashes before it.
  size_t quoted(size_t at) const {
    char mark = text[at];
    if (mark != '"' && mark != '\'')
      return 0;
    size_t slashes = 0;
    for (size_t i = at + 1; i < text.size(); ++i) {
      if (text[i] == mark && slashes % 2 == 0)
        return i + 1 - at;
      slashes = text[i] == '\\' ? slashes + 1 : 0;
    }
    fail("the quote " + std::string(1, mark) + " at character " +
         std::to_string(at + 1) + " is never closed");
  }

  /// "${" up to the next '}', at least one character between them.
  size_t interpolation(size_t at) const {
    if (text.substr(at, 2) != "${")
      return 0;
    size_t end = text.find('}', at + 2);
    if (end == std::string_view::npos || end == at + 2)
      return 0;
    return end + 1 - at;
  }

  Tok peek(size_t ahead = 0) const {
    return tokens[std::min(next + ahead, tokens.size() - 1)].kind;
  }
  [[noreturn]] void unexpected() const { failAt(tokens[next].at); }
  void expect(Tok kind) {
    if (peek() != kind)
      unexpected();
    if (kind != Tok::End)
      ++next;
  }

  NodePtr scalar(Scalar value) const {
    return Node::makeScalar(std::move(value), location);
  }

  NodePtr readWholeValue() {
    if (peek() == Tok::End)
      return scalar(std::string());
    NodePtr value = readElement();
    if (peek() == Tok::Comma)
      fail("a list of values to sweep over is not supported; a list is "
           "written [a,b]");
    expect(Tok::End);
    return value;
  }

  NodePtr readElement() {
    if (depth > kMaxDepth)
      fail("nested deeper than " + std::to_string(kMaxDepth) + " levels");
    switch (peek()) {
    case Tok::BracketOpen:
      return readList();
    case Tok::BraceOpen:
      return readDict();
    case Tok::Quoted:
      return scalar(unquote(tokens[next++].text));
    case Tok::Id:
      if (peek(1) == Tok::ParenOpen)
        fail("functions ('" + std::string(tokens[next].text) +
             "(...)') are not supported");
      [[fallthrough]];
    default:
      return scalar(readPrimitive(true));
    }
  }

  NodePtr readList() {
    NodePtr list = Node::makeList(location);
    expect(Tok::BracketOpen);
    ++depth;
    while (peek() != Tok::BracketClose) {
      if (!list->items.empty())
        expect(Tok::Comma);
      list->append(readElement());
    }
    --depth;
    expect(Tok::BracketClose);
    return list;
  }

  NodePtr readDict() {
    NodePtr map = Node::makeMap(location);
    expect(Tok::BraceOpen);
    ++depth;
    while (peek() != Tok::BraceClose) {
      if (!map->entries.empty())
        expect(Tok::Comma);
      Scalar key = readPrimitive(false);
      if (std::holds_alternative<std::monostate>(key))
        fail("null cannot be a key");
      expect(Tok::Colon);
      map->set(key, readElement(), location);
    }
    --depth;
    expect(Tok::BraceClose);
    return map;
  }

  static bool isPrimitive(Tok kind, bool isValue) {
    switch (kind) {
    case Tok::Id:
    case Tok::Null:
    case Tok::Int:
    case Tok::Float:
    case Tok::Bool:
    case Tok::UnquotedChar:
    case Tok::Esc:
    case Tok::Space:
      return true;
    case Tok::Interpolation:
    case Tok::Colon:
      return isValue;
    default:
      return false;
    }
  }

  Scalar readPrimitive(bool isValue) {
    size_t begin = next;
    while (isPrimitive(peek(), isValue))
      ++next;
    size_t end = next;
    if (begin == end)
      unexpected();
    // Spaces around the whole do not belong to it.
    if (tokens[begin].kind == Tok::Space) {
      if (end - begin == 1)
        fail("a value of spaces only must be quoted");
      ++begin;
    }
    if (tokens[end - 1].kind == Tok::Space)
      --end;
    if (end - begin == 1)
      return typed(tokens[begin]);
    std::string joined;
    for (size_t i = begin; i < end; ++i)
      joined += tokens[i].kind == Tok::Esc ? lex::unescape(tokens[i].text)
                                           : std::string(tokens[i].text);
    return joined;
  }

  Scalar typed(const Token &token) const {
    switch (token.kind) {
    case Tok::Int:
      try {
        return lex::toInt(token.text);
      } catch (const std::runtime_error &error) {
        fail(error.what());
      }
    case Tok::Float:
      return lex::toDouble(token.text);
    case Tok::Null:
      return {};
    case Tok::Bool:
      return token.text.size() == 4;
    case Tok::Esc:
      return lex::unescape(token.text);
    default:
      return std::string(token.text);
    }
  }

  /// Backslashes count as escapes only in front of the quote character.
  static std::string unquote(std::string_view quoted) {
    char mark = quoted[0];
    std::string out;
    for (size_t i = 1; i < quoted.size();) {
      size_t slashes = 0;
      while (quoted[i + slashes] == '\\')
        ++slashes;
      if (!slashes) {
        if (i + 1 < quoted.size())
          out += quoted[i];
        ++i;
        continue;
      }
      bool beforeQuote = quoted[i + slashes] == mark;
      out.append(beforeQuote ? slashes / 2 : slashes, '\\');
      i += slashes;
      if (beforeQuote && slashes % 2 == 1) {
        out += mark;
        ++i;
      }
    }
    return out;
  }
};

} // namespace

Override parseOverride(const std::string &line) { return Parser(line).parse(); }

} // namespace nxdt::config
