//===- PyFormat.h - text as Python would write it ------------- -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Interpolations inside of strings and `oc.env` defaults become text by
// Python's str(); this is str() and repr() for what a configuration can hold.
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_LIB_CONFIG_PYFORMAT_H
#define NXDT_LIB_CONFIG_PYFORMAT_H

#include "nxdt/Config/Node.h"

namespace nxdt::config {

/// repr(float): shortest digits that read back, 1e-05, 1e+16, inf, nan.
std::string pyFloat(double value);
std::string pyStr(const Scalar &scalar);
std::string pyRepr(const Scalar &scalar);
/// Of a container: {'a': 1, 'b': [True, None]}.
std::string pyStr(const Node &node);

} // namespace nxdt::config

#endif // NXDT_LIB_CONFIG_PYFORMAT_H
