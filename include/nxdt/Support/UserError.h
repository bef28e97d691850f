//===- UserError.h - errors a user can act on -------------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_SUPPORT_USERERROR_H
#define NXDT_SUPPORT_USERERROR_H

#include <stdexcept>
#include <string>

namespace nxdt {

/// Something the user gave (file, key, value, checkpoint, plan) cannot be used.
/// `what()` is the whole message: where (file:line:col or path), the key, the
/// value, the arithmetic, the nearest legal values. The tools print it behind
/// "error: " and exit with 1. Code without MLIR throws it; code with MLIR
/// emits diagnostics.
class UserError : public std::runtime_error {
public:
  explicit UserError(const std::string &message)
      : std::runtime_error(message) {}
};

} // namespace nxdt

#endif // NXDT_SUPPORT_USERERROR_H
