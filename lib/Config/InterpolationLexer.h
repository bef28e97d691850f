//===- InterpolationLexer.h - the words of ${...} ------------- -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_LIB_CONFIG_INTERPOLATIONLEXER_H
#define NXDT_LIB_CONFIG_INTERPOLATIONLEXER_H

#include <string_view>
#include <vector>

namespace nxdt::config::interpolation {

enum class Mode { Top, Value, Inter, SingleQuoted, DoubleQuoted };

enum class Tok {
  InterOpen,
  InterClose, ///< '}' in Mode::Inter
  BraceOpen,
  BraceClose, ///< '}' in Mode::Value
  BracketOpen,
  BracketClose,
  Comma,
  Colon,
  Dot,
  QuoteOpen,
  QuoteClose,
  Float,
  Int,
  Bool,
  Null,
  UnquotedChar,
  Id,
  InterKey,
  Esc,
  Space,
  AnyStr,
  EscInter,
  /// Backslash pairs that count as escapes only before an interpolation (and
  /// before a closing quote).
  MaybeEsc,
  End,
};

struct Token {
  Tok kind;
  std::string_view text;
  size_t at;
};

/// Cuts a text into words; what is a word depends on the brackets and quotes
/// around it. Ends with Tok::End. Throws SyntaxError.
std::vector<Token> tokenize(std::string_view text, Mode start);

/// Throws SyntaxError that names the character.
[[noreturn]] void fail(std::string_view text, size_t at);

} // namespace nxdt::config::interpolation

#endif // NXDT_LIB_CONFIG_INTERPOLATIONLEXER_H
