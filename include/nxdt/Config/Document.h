//===- Document.h - a resolved configuration file ------------- -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A YAML file with overrides applied and interpolations resolved, as OmegaConf
// and Hydra would do it; every value knows its file:line:column.
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_CONFIG_DOCUMENT_H
#define NXDT_CONFIG_DOCUMENT_H

#include "nxdt/Config/Node.h"

#include <nlohmann/json_fwd.hpp>

namespace nxdt::config {

class Document {
public:
  /// Reads `path`, applies `overrides` in order and resolves interpolations.
  /// Throws UserError; all interpolations that fail are in one message.
  static Document load(const std::string &path,
                       const std::vector<std::string> &overrides);
  /// The same for text; `name` stands for the file in messages.
  static Document parse(const std::string &text, const std::string &name,
                        const std::vector<std::string> &overrides);

  /// The path as given.
  const std::string &path() const { return file; }
  /// The top-level map, without interpolations.
  const Node &root() const { return *tree; }
  /// The value under a dotted key ("trainer.devices", "a[0]", "a.0"), or
  /// nullptr.
  const Node *find(const std::string &key) const;
  /// "file:line:col" of the value under a key; of the nearest section that
  /// exists if the key is absent.
  std::string where(const std::string &key) const;
  /// Uses of `oc.deprecated`.
  const std::vector<std::string> &notices() const { return deprecations; }

  /// A path that a value names, absolute: relative to the file that holds it,
  /// to the working directory for one of the command line.
  static std::string absolutePath(const Node &value);

private:
  std::string file;
  NodePtr tree;
  std::vector<std::string> deprecations;

  static Document finish(NodePtr root, const std::string &path,
                         const std::vector<std::string> &overrides);
};

/// Plain JSON; integers beyond 64 bits and inf/nan become strings.
nlohmann::ordered_json toJson(const Node &node);

/// Several messages as one UserError, each on a line of its own.
[[noreturn]] void throwErrors(const std::vector<std::string> &errors);

} // namespace nxdt::config

#endif // NXDT_CONFIG_DOCUMENT_H
