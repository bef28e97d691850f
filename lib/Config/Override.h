//===- Override.h - one Hydra override of the command line ---- -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_LIB_CONFIG_OVERRIDE_H
#define NXDT_LIB_CONFIG_OVERRIDE_H

#include "nxdt/Config/Node.h"

namespace nxdt::config {

/// "a.b=v" changes, "+a.b=v" adds, "++a.b=v" does either, "~a.b[=v]" deletes.
struct Override {
  enum class Kind { Change, Add, ForceAdd, Delete } kind = Kind::Change;
  std::string key;
  /// nullptr: a deletion without a value.
  NodePtr value;
  Location location;
};

/// Parses by Hydra's grammar. Throws UserError.
Override parseOverride(const std::string &line);

/// Applies one override to an unresolved tree, with Hydra's and OmegaConf's
/// rules for structs. Throws UserError.
void applyOverride(const NodePtr &root, const Override &change);

} // namespace nxdt::config

#endif // NXDT_LIB_CONFIG_OVERRIDE_H
