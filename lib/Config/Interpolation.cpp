//===- Interpolation.cpp - the grammar of ${...} --------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Interpolation.h"
#include "InterpolationLexer.h"
#include "Lex.h"

namespace nxdt::config {
namespace {

using namespace interpolation;

/// Far beyond any real value; recursion below it is safe.
constexpr int kMaxDepth = 100;

class Parser {
public:
  Parser(std::string_view text, Mode start)
      : text(text), tokens(tokenize(text, start)) {}

  std::vector<Piece> wholeText() {
    std::vector<Piece> pieces = readText();
    expect(Tok::End);
    return pieces;
  }

  Element wholeElement() {
    Element element = readElement();
    expect(Tok::End);
    return element;
  }

private:
  std::string_view text;
  std::vector<Token> tokens;
  size_t next = 0;
  int depth = 0;

  Tok peek(size_t ahead = 0) const {
    size_t i = std::min(next + ahead, tokens.size() - 1);
    return tokens[i].kind;
  }
  [[noreturn]] void unexpected() const { fail(text, tokens[next].at); }
  const Token &take() { return tokens[next++]; }
  void expect(Tok kind) {
    if (peek() != kind)
      unexpected();
    if (kind != Tok::End)
      ++next;
  }

  struct Deeper {
    Parser &parser;
    explicit Deeper(Parser &parser) : parser(parser) {
      if (++parser.depth > kMaxDepth)
        throw SyntaxError("an interpolation nested deeper than " +
                          std::to_string(kMaxDepth) + " levels");
    }
    ~Deeper() { --parser.depth; }
  };

  static void addText(std::vector<Piece> &pieces, std::string text) {
    if (!pieces.empty() && !pieces.back().interpolation)
      pieces.back().text += text;
    else
      pieces.push_back({std::move(text), nullptr});
  }

  /// Top-level or quoted text, up to the end or the closing quote.
  std::vector<Piece> readText() {
    std::vector<Piece> pieces;
    while (true) {
      switch (peek()) {
      case Tok::InterOpen:
        pieces.push_back({{}, readInterpolation()});
        break;
      case Tok::AnyStr:
        addText(pieces, std::string(take().text));
        break;
      case Tok::Esc:
        addText(pieces, lex::unescape(take().text));
        break;
      case Tok::EscInter: {
        std::string_view raw = take().text;
        addText(pieces,
                std::string(raw.substr(raw.size() - raw.size() / 2 - 1)));
        break;
      }
      case Tok::MaybeEsc: {
        std::string_view raw = take().text;
        bool escape = peek() == Tok::InterOpen || peek() == Tok::QuoteClose;
        addText(pieces, escape ? lex::unescape(raw) : std::string(raw));
        break;
      }
      default:
        return pieces;
      }
    }
  }

  std::shared_ptr<Interpolation> readInterpolation() {
    Deeper deeper(*this);
    expect(Tok::InterOpen);
    auto result = std::make_shared<Interpolation>();
    // A colon behind identifiers and interpolations with dots between them
    // makes a resolver's name of them; all else is a key.
    bool couldBeResolver = true;
    auto literal = [&] {
      result->name.push_back({std::string(take().text), nullptr});
    };
    auto part = [&] {
      if (peek() == Tok::InterOpen) {
        result->name.push_back({{}, readInterpolation()});
        return;
      }
      if (peek() != Tok::Id && peek() != Tok::InterKey)
        unexpected();
      couldBeResolver &= peek() == Tok::Id;
      literal();
    };
    auto bracketed = [&] {
      couldBeResolver = false;
      literal();
      part();
      if (peek() != Tok::BracketClose)
        unexpected();
      literal();
    };
    while (peek() == Tok::Dot) {
      couldBeResolver = false;
      literal();
    }
    peek() == Tok::BracketOpen ? bracketed() : part();
    while (peek() != Tok::InterClose) {
      if (peek() == Tok::Colon && couldBeResolver) {
        ++next;
        result->isResolver = true;
        readArguments(*result);
        return result;
      }
      if (peek() == Tok::BracketOpen) {
        bracketed();
        continue;
      }
      if (peek() != Tok::Dot)
        unexpected();
      literal();
      part();
    }
    ++next;
    return result;
  }

  void readArguments(Interpolation &result) {
    if (peek() == Tok::BraceClose) {
      ++next;
      return;
    }
    result.args = readSequence(Tok::BraceClose);
    expect(Tok::BraceClose);
  }

  /// Elements between commas; a missing one is the empty string.
  std::vector<Element> readSequence(Tok close) {
    std::vector<Element> items;
    auto empty = [] {
      Element element;
      element.scalar = std::string();
      return element;
    };
    bool afterComma = true;
    while (peek() != close) {
      if (peek() == Tok::Comma) {
        ++next;
        if (afterComma)
          items.push_back(empty());
        afterComma = true;
        continue;
      }
      if (!afterComma)
        unexpected();
      items.push_back(readElement());
      afterComma = false;
    }
    if (afterComma)
      items.push_back(empty());
    return items;
  }

  Element readElement() {
    Deeper deeper(*this);
    Element element;
    switch (peek()) {
    case Tok::QuoteOpen:
      ++next;
      element.kind = Element::Kind::Text;
      element.pieces = readText();
      expect(Tok::QuoteClose);
      quotedText(element);
      return element;
    case Tok::BracketOpen:
      ++next;
      element.kind = Element::Kind::List;
      if (peek() != Tok::BracketClose)
        element.items = readSequence(Tok::BracketClose);
      expect(Tok::BracketClose);
      return element;
    case Tok::BraceOpen:
      readDict(element);
      return element;
    default:
      readPrimitive(element, true);
      return element;
    }
  }

  /// A quoted value is text even when it is one interpolation: an empty piece
  /// beside that makes a concatenation of it.
  static void quotedText(Element &element) {
    if (element.pieces.empty()) {
      element.kind = Element::Kind::Scalar;
      element.scalar = std::string();
      return;
    }
    element.pieces.push_back({});
  }

  void readDict(Element &element) {
    element.kind = Element::Kind::Dict;
    expect(Tok::BraceOpen);
    while (peek() != Tok::BraceClose) {
      if (!element.entries.empty())
        expect(Tok::Comma);
      Element key;
      readPrimitive(key, false);
      expect(Tok::Colon);
      Element value = readElement();
      config::Scalar name = key.kind == Element::Kind::Scalar
                                ? key.scalar
                                : config::Scalar(key.pieces.front().text);
      // Python's dict(): the last one of equal keys wins, in the first place.
      bool replaced = false;
      for (auto &[known, old] : element.entries)
        if (known == name) {
          old = value;
          replaced = true;
        }
      if (!replaced)
        element.entries.emplace_back(std::move(name), std::move(value));
    }
    expect(Tok::BraceClose);
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
    case Tok::Colon:
    case Tok::InterOpen:
      return isValue;
    default:
      return false;
    }
  }

  void readPrimitive(Element &element, bool isValue) {
    if (!isPrimitive(peek(), isValue))
      unexpected();
    if (!isPrimitive(peek(1), isValue) && peek() != Tok::InterOpen) {
      element.scalar = typed(take());
      return;
    }
    element.kind = Element::Kind::Text;
    while (isPrimitive(peek(), isValue)) {
      if (peek() == Tok::InterOpen) {
        element.pieces.push_back({{}, readInterpolation()});
        continue;
      }
      const Token &token = take();
      addText(element.pieces, token.kind == Tok::Esc ? lex::unescape(token.text)
                                                     : std::string(token.text));
    }
  }

  static config::Scalar typed(const Token &token) {
    switch (token.kind) {
    case Tok::Null:
      return {};
    case Tok::Int:
      return lex::toInt(token.text);
    case Tok::Float:
      return lex::toDouble(token.text);
    case Tok::Bool:
      return token.text.size() == 4;
    case Tok::Esc:
      return lex::unescape(token.text);
    default:
      return std::string(token.text);
    }
  }
};

} // namespace

std::vector<Piece> parseInterpolatedText(const std::string &text) {
  return Parser(text, Mode::Top).wholeText();
}

Element parseElement(const std::string &text) {
  return Parser(text, Mode::Value).wholeElement();
}

} // namespace nxdt::config
