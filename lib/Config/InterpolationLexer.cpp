//===- InterpolationLexer.cpp - the words of ${...} -----------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "InterpolationLexer.h"
#include "Interpolation.h"
#include "Lex.h"

namespace nxdt::config::interpolation {

void fail(std::string_view text, size_t at) {
  std::string what = at >= text.size()
                         ? "it ends too early"
                         : "unexpected '" + lex::character(text, at) +
                               "' at character " + std::to_string(at + 1);
  throw SyntaxError("'" + lex::clip(text, 200) +
                    "' is not a legal interpolation: " + what);
}

namespace {

/// Words depend on where they stand: the mode follows the brackets.
class Lexer {
public:
  Lexer(std::string_view text, Mode start) : text(text), modes{start} {}

  std::vector<Token> run() {
    std::vector<Token> tokens;
    while (at < text.size()) {
      length = 0;
      pick();
      if (!length)
        fail(text, at);
      tokens.push_back({kind, text.substr(at, length), at});
      advanceMode();
      at += length;
    }
    tokens.push_back({Tok::End, {}, at});
    return tokens;
  }

private:
  std::string_view text;
  std::vector<Mode> modes;
  size_t at = 0;
  Tok kind = Tok::End;
  size_t length = 0;

  /// The longest wins, the first among equals.
  void offer(Tok candidate, size_t n) {
    if (n <= length)
      return;
    kind = candidate;
    length = n;
  }
  void offerChar(Tok candidate, char c, bool before, bool after) {
    offer(candidate, lex::padded(text, at, c, before, after));
  }
  void offerInterOpen() {
    if (text.substr(at, 2) == "${")
      offer(Tok::InterOpen, 2 + lex::spaces(text, at + 2));
  }

  void pick() {
    switch (modes.back()) {
    case Mode::Top:
      return pickText('\0');
    case Mode::SingleQuoted:
      return pickText('\'');
    case Mode::DoubleQuoted:
      return pickText('"');
    case Mode::Value:
      return pickValue();
    case Mode::Inter:
      return pickInter();
    }
  }

  void pickText(char quote) {
    offerInterOpen();
    if (quote && text[at] == quote)
      offer(Tok::QuoteClose, 1);
    size_t n = 0;
    while (at + n < text.size() && text[at + n] != '\\' &&
           text[at + n] != '$' && !(quote && text[at + n] == quote))
      ++n;
    offer(Tok::AnyStr, n);
    size_t slashes = 0;
    while (at + slashes < text.size() && text[at + slashes] == '\\')
      ++slashes;
    if (slashes % 2 == 1) {
      if (text.substr(at + slashes, 2) == "${")
        offer(Tok::EscInter, slashes + 2);
      if (quote && at + slashes < text.size() && text[at + slashes] == quote)
        offer(Tok::Esc, slashes + 1);
    } else {
      offer(Tok::MaybeEsc, slashes);
    }
    offer(Tok::AnyStr, slashes);
    if (text[at] == '$')
      offer(Tok::AnyStr, 1);
  }

  void pickValue() {
    if (text[at] == '\'' || text[at] == '"')
      offer(Tok::QuoteOpen, 1);
    offerInterOpen();
    offerChar(Tok::BraceOpen, '{', false, true);
    offerChar(Tok::BraceClose, '}', true, false);
    offerChar(Tok::Comma, ',', true, true);
    offerChar(Tok::BracketOpen, '[', false, true);
    offerChar(Tok::BracketClose, ']', true, false);
    offerChar(Tok::Colon, ':', true, true);
    offer(Tok::Float, lex::floating(text, at));
    offer(Tok::Int, lex::signedInt(text, at));
    offer(Tok::Bool, lex::wordAnyCase(text, at, "true"));
    offer(Tok::Bool, lex::wordAnyCase(text, at, "false"));
    offer(Tok::Null, lex::wordAnyCase(text, at, "null"));
    offer(Tok::UnquotedChar, lex::unquotedChar(text, at));
    offer(Tok::Id, lex::identifier(text, at));
    offer(Tok::Esc, lex::escapes(text, at));
    offer(Tok::Space, lex::spaces(text, at));
  }

  void pickInter() {
    offerInterOpen();
    offerChar(Tok::Colon, ':', true, true);
    offerChar(Tok::InterClose, '}', true, false);
    offerChar(Tok::Dot, '.', false, false);
    offerChar(Tok::BracketOpen, '[', false, false);
    offerChar(Tok::BracketClose, ']', false, false);
    offer(Tok::Id, lex::identifier(text, at));
    size_t n = 0;
    while (at + n < text.size() &&
           std::string_view("\\{}()[]:. \t'\"").find(text[at + n]) ==
               std::string_view::npos)
      ++n;
    offer(Tok::InterKey, n);
  }

  void advanceMode() {
    switch (kind) {
    case Tok::InterOpen:
      modes.push_back(Mode::Inter);
      break;
    case Tok::BraceOpen:
      modes.push_back(Mode::Value);
      break;
    case Tok::QuoteOpen:
      modes.push_back(text[at] == '"' ? Mode::DoubleQuoted
                                      : Mode::SingleQuoted);
      break;
    case Tok::Colon:
      if (modes.back() == Mode::Inter)
        modes.back() = Mode::Value;
      break;
    case Tok::InterClose:
    case Tok::BraceClose:
    case Tok::QuoteClose:
      if (modes.size() == 1)
        fail(text, at);
      modes.pop_back();
      break;
    default:
      break;
    }
  }
};

} // namespace

std::vector<Token> tokenize(std::string_view text, Mode start) {
  return Lexer(text, start).run();
}

} // namespace nxdt::config::interpolation
