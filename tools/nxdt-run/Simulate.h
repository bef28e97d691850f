//===- Simulate.h - nxdt-run --simulate -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_TOOLS_NXDT_RUN_SIMULATE_H
#define NXDT_TOOLS_NXDT_RUN_SIMULATE_H

#include "Options.h"

namespace nxdt::run {

/// Compiles the configuration (or takes the plan) and the same for one rank,
/// without recomputation, and compares them step by step. Returns the exit
/// code: 0 if they are equal within the tolerance, else 1.
int simulateStrategy(const Options &options);

} // namespace nxdt::run

#endif // NXDT_TOOLS_NXDT_RUN_SIMULATE_H
