//===- PlanMutants.h - ways to break a plan ---------------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_TEST_EQUIVALENCE_PLANMUTANTS_H
#define NXDT_TEST_EQUIVALENCE_PLANMUTANTS_H

#include "nxdt/Plan/Plan.h"
#include "nxdt/Verify/VerifyComm.h"

#include <functional>

namespace nxdt {

struct Mutant {
  std::string kind;  ///< "delete", "re-axes", ...
  std::string place; ///< "finish_step 12 nxdt::all_reduce [dp]"
  plan::Plan plan;
  /// Where ranks run different collectives; empty: all run the plan's.
  std::vector<CommClass> classes;
};

/// Calls `visit` with a maker of each mutant. Every one computes something else
/// than the plan, or never ends.
void forEachMutant(
    const plan::Plan &plan,
    const std::function<void(const std::function<Mutant()> &)> &visit);

} // namespace nxdt

#endif // NXDT_TEST_EQUIVALENCE_PLANMUTANTS_H
