//===- Interpolation.h - the grammar of ${...} ---------------- -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_LIB_CONFIG_INTERPOLATION_H
#define NXDT_LIB_CONFIG_INTERPOLATION_H

#include "nxdt/Config/Node.h"

#include <memory>
#include <stdexcept>

namespace nxdt::config {

/// A string that is no legal interpolation. The message names the character.
struct SyntaxError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Interpolation;
struct Element;

/// A piece of text: characters already unescaped, or an interpolation.
struct Piece {
  std::string text;
  std::shared_ptr<Interpolation> interpolation;
};

/// "${a.${b}[c]}" (isResolver false) or "${name:arg, ...}".
struct Interpolation {
  bool isResolver = false;
  /// The dotted key or the resolver's name.
  std::vector<Piece> name;
  std::vector<Element> args;
};

/// A literal inside of a resolver's arguments or of oc.decode.
struct Element {
  enum class Kind { Scalar, Text, List, Dict } kind = Kind::Scalar;
  config::Scalar scalar;     ///< Scalar
  std::vector<Piece> pieces; ///< Text: concatenated; one interpolation: as is
  std::vector<Element> items;
  std::vector<std::pair<config::Scalar, Element>> entries;
};

/// A whole string value of a configuration.
std::vector<Piece> parseInterpolatedText(const std::string &text);

/// A single literal ("[1, a, {b: ${c}}]"), the argument of oc.decode.
Element parseElement(const std::string &text);

} // namespace nxdt::config

#endif // NXDT_LIB_CONFIG_INTERPOLATION_H
