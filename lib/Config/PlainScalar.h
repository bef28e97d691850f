//===- PlainScalar.h - the type of an unquoted YAML scalar ---- -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_LIB_CONFIG_PLAINSCALAR_H
#define NXDT_LIB_CONFIG_PLAINSCALAR_H

#include "nxdt/Config/Node.h"

#include <stdexcept>

namespace nxdt::config {

/// A scalar that the rules give a type but no value ("0b_", "=").
struct ScalarError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Types an unquoted scalar as OmegaConf's YAML loader does: YAML 1.1 with its
/// booleans (yes/no/on/off), octal "017", "0x", "0b", "1_000" and base-60
/// "1:30" numbers, floats without a dot or sign ("3e-4"), and no dates.
Scalar typePlainScalar(const std::string &text);

/// Integer and float of a YAML text with an explicit tag (!!int, !!float).
Scalar constructInt(const std::string &text);
Scalar constructFloat(const std::string &text);

/// Decimal digits (sign, no underscores) as int64 or BigInt.
Scalar integerFromDigits(const std::string &digits);

} // namespace nxdt::config

#endif // NXDT_LIB_CONFIG_PLAINSCALAR_H
