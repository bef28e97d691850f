//===- Lex.cpp - lengths of the words that both grammars share ------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Lex.h"
#include "PlainScalar.h"

#include <cstdlib>

namespace nxdt::config::lex {

static char peek(std::string_view text, size_t at) {
  return at < text.size() ? text[at] : '\0';
}
static bool isDigit(char c) { return c >= '0' && c <= '9'; }
static bool isLetter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

size_t spaces(std::string_view text, size_t at) {
  size_t n = 0;
  while (peek(text, at + n) == ' ' || peek(text, at + n) == '\t')
    ++n;
  return n;
}

/// [0-9](_?[0-9])*
static size_t digitGroup(std::string_view text, size_t at) {
  if (!isDigit(peek(text, at)))
    return 0;
  size_t n = 1;
  while (true) {
    if (isDigit(peek(text, at + n)))
      n += 1;
    else if (peek(text, at + n) == '_' && isDigit(peek(text, at + n + 1)))
      n += 2;
    else
      return n;
  }
}

size_t unsignedInt(std::string_view text, size_t at) {
  return peek(text, at) == '0' ? 1 : digitGroup(text, at);
}

static size_t sign(std::string_view text, size_t at) {
  return peek(text, at) == '+' || peek(text, at) == '-' ? 1 : 0;
}

size_t signedInt(std::string_view text, size_t at) {
  size_t s = sign(text, at);
  size_t n = unsignedInt(text, at + s);
  return n ? s + n : 0;
}

size_t floating(std::string_view text, size_t at) {
  size_t s = sign(text, at);
  size_t begin = at + s;
  for (std::string_view word : {"inf", "nan"})
    if (size_t n = wordAnyCase(text, begin, word))
      return s + n;
  size_t whole = unsignedInt(text, begin);
  size_t end = begin + whole;
  bool point = false;
  if (peek(text, end) == '.') {
    size_t fraction = digitGroup(text, end + 1);
    if (fraction || whole) {
      end += 1 + fraction;
      point = true;
    }
  }
  if (!whole && !point)
    return 0;
  if (peek(text, end) == 'e' || peek(text, end) == 'E') {
    size_t from = end + 1 + sign(text, end + 1);
    if (size_t n = digitGroup(text, from))
      return from + n - at;
  }
  return point ? end - at : 0;
}

size_t identifier(std::string_view text, size_t at) {
  char first = peek(text, at);
  if (!isLetter(first) && first != '_')
    return 0;
  size_t n = 1;
  while (true) {
    char c = peek(text, at + n);
    if (!isLetter(c) && !isDigit(c) && c != '_' && c != '-')
      return n;
    ++n;
  }
}

size_t escapes(std::string_view text, size_t at) {
  size_t n = 0;
  while (at + n + 1 < text.size() && text[at + n] == '\\' &&
         std::string_view("\\()[]{}:=, \t").find(text[at + n + 1]) !=
             std::string_view::npos)
    n += 2;
  return n;
}

size_t wordAnyCase(std::string_view text, size_t at, std::string_view word) {
  if (at + word.size() > text.size())
    return 0;
  for (size_t i = 0; i < word.size(); ++i) {
    char c = text[at + i];
    if (c >= 'A' && c <= 'Z')
      c = static_cast<char>(c - 'A' + 'a');
    if (c != word[i])
      return 0;
  }
  return word.size();
}

size_t unquotedChar(std::string_view text, size_t at) {
  return at < text.size() && std::string_view("/-\\+.$%*@?|").find(text[at]) !=
                                 std::string_view::npos;
}

size_t padded(std::string_view text, size_t at, char c, bool before,
              bool after) {
  size_t n = before ? spaces(text, at) : 0;
  if (peek(text, at + n) != c)
    return 0;
  ++n;
  return after ? n + spaces(text, at + n) : n;
}

static bool continues(std::string_view text, size_t at) {
  return at < text.size() &&
         (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80;
}

std::string character(std::string_view text, size_t at) {
  size_t n = 1;
  while (continues(text, at + n))
    ++n;
  return std::string(text.substr(at, n));
}

std::string clip(std::string_view text, size_t maxBytes) {
  if (text.size() <= maxBytes)
    return std::string(text);
  while (maxBytes > 0 && continues(text, maxBytes))
    --maxBytes;
  return std::string(text.substr(0, maxBytes)) + "...";
}

std::string unescape(std::string_view text) {
  std::string out;
  for (size_t i = 1; i < text.size(); i += 2)
    out += text[i];
  return out;
}

static std::string withoutUnderscores(std::string_view word) {
  std::string out;
  for (char c : word)
    if (c != '_')
      out += c;
  return out;
}

Scalar toInt(std::string_view word) {
  return integerFromDigits(withoutUnderscores(word));
}

double toDouble(std::string_view word) {
  return std::strtod(withoutUnderscores(word).c_str(), nullptr);
}

} // namespace nxdt::config::lex
