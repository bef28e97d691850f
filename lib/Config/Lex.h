//===- Lex.h - lengths of the words that both grammars share -- -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// OmegaConf's interpolations and Hydra's overrides are two grammars with the
// same numbers, names and escapes. Each function gives how many characters
// from `at` belong to such a word, 0 for none; longest match wins, as in the
// grammars' own descriptions.
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_LIB_CONFIG_LEX_H
#define NXDT_LIB_CONFIG_LEX_H

#include "nxdt/Config/Node.h"

#include <string_view>

namespace nxdt::config::lex {

size_t spaces(std::string_view text, size_t at);
/// 0 | [1-9](_?[0-9])*
size_t unsignedInt(std::string_view text, size_t at);
size_t signedInt(std::string_view text, size_t at);
size_t floating(std::string_view text, size_t at);
/// [a-zA-Z_][a-zA-Z0-9_-]*
size_t identifier(std::string_view text, size_t at);
/// Backslash pairs: \\ \( \) \[ \] \{ \} \: \= \, "\ " "\<tab>"
size_t escapes(std::string_view text, size_t at);
/// `word` in any case.
size_t wordAnyCase(std::string_view text, size_t at, std::string_view word);
/// One of / - \ + . $ % * @ ? |
size_t unquotedChar(std::string_view text, size_t at);
/// [spaces] c [spaces], each side as asked.
size_t padded(std::string_view text, size_t at, char c, bool before,
              bool after);

/// For messages: the whole UTF-8 character at a place, and a beginning of at
/// most so many bytes that cuts no character.
std::string character(std::string_view text, size_t at);
std::string clip(std::string_view text, size_t maxBytes);

/// Every second character: removes the backslash of each pair.
std::string unescape(std::string_view text);
/// The value of an integer or float word.
Scalar toInt(std::string_view word);
double toDouble(std::string_view word);

} // namespace nxdt::config::lex

#endif // NXDT_LIB_CONFIG_LEX_H
