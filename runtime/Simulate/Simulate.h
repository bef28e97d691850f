//===- Simulate.h - a strategy against the unpartitioned graph -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// All ranks of a plan in one process, beside the plan of the same model for one
// rank, from the same weights on the same samples: everything that a step
// computes is compared.
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_SIMULATE_SIMULATE_H
#define NXDT_RUNTIME_SIMULATE_SIMULATE_H

#include "runtime/Simulate/Tensors.h"
#include "runtime/Train/PlanFolder.h"

#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>

namespace nxdt::runtime {

struct SimulateOptions {
  int64_t steps = 2;
  /// Compare the values inside of programs too, which only plans with origins
  /// have; without, they are looked at when something else differs.
  bool compareValues = false;
};

/// What of a step is held to which tolerance.
struct SimulateTolerance {
  Tolerance state;   ///< losses, norms, gradients, optimizer state
  Tolerance updated; ///< parameters and masters
  Tolerance values;  ///< inside of train_step and so on
  Tolerance updates; ///< inside of update_step
};
/// By the plan's types: computing in bf16 or f16 rounds more.
SimulateTolerance toleranceOf(const plan::Plan &plan);

/// Prints the largest differences, a line for each kind, and returns what
/// differs first beyond the tolerance, if anything does, with the operation
/// where it begins. UserError if a plan cannot be run, or both do not fit into
/// this machine's memory.
std::optional<std::string> simulate(const PlanFolder &strategy,
                                    const PlanFolder &whole,
                                    const SimulateOptions &options,
                                    std::FILE *out);

} // namespace nxdt::runtime

#endif // NXDT_RUNTIME_SIMULATE_SIMULATE_H
