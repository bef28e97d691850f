//===- Compile.h - runs the nxdt-opt beside this program -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_TOOLS_NXDT_RUN_COMPILE_H
#define NXDT_TOOLS_NXDT_RUN_COMPILE_H

#include "Options.h"

#include <string>

namespace nxdt::run {

/// Compiles `options.config` with its overrides into <log_dir>/plan and returns
/// that folder. nxdt-opt's messages go to the user as they are; its failure is
/// a CompileFailed.
std::string compile(const Options &options);

} // namespace nxdt::run

#endif // NXDT_TOOLS_NXDT_RUN_COMPILE_H
