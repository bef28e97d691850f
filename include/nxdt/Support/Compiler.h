//===- Compiler.h - the nxdt-opt beside this program -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_SUPPORT_COMPILER_H
#define NXDT_SUPPORT_COMPILER_H

#include <string>
#include <vector>

namespace nxdt {

/// nxdt-opt has said what is wrong; there is nothing to add.
struct CompileFailed {};

/// Runs the nxdt-opt in the folder of this program with `arguments` and waits
/// for it; it ends with this process. What it tells goes to the user as it is.
/// Throws CompileFailed if it fails, UserError if it is not there, cannot be
/// started or is ended by a signal. May be called with other threads running.
void runCompiler(std::vector<std::string> arguments);

} // namespace nxdt

#endif // NXDT_SUPPORT_COMPILER_H
