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
  std::string place; ///< "finish_step 12 nxdt::all_reduce [dp] of stage 1"
  plan::PlanFamily family;
  /// Where ranks run different collectives; empty: all run the plans'.
  std::vector<CommClass> classes = {};
};
using Visit = std::function<void(const std::function<Mutant()> &)>;

/// Calls `visit` with a maker of each mutant. Every one computes something else
/// than the plan, or never ends. Without a pipeline the family has one stage.
void forEachMutant(const plan::PlanFamily &family, const Visit &visit);

// Parts of it, by what is broken.

/// What is under way between a start and its wait.
void forEachPendingMutant(const plan::PlanFamily &family, const Visit &visit);
/// Actions of schedules, one after the other.
void forEachScheduleMutant(const plan::PlanFamily &family, const Visit &visit);
/// What joins stages: channels and weights that several hold.
void forEachFamilyMutant(const plan::PlanFamily &family, const Visit &visit);

// Tools for them.

/// "[tp,dp]".
std::string axesText(const plan::Axes &axes);
/// "", or " of stage 1" in a pipeline.
std::string stageText(const plan::PlanFamily &family, size_t stage);
/// All uses by the instructions from `from` on.
void replaceUses(plan::Program &program, size_t from, int32_t old, int32_t now);
/// Frees anew, of changed instructions: temporaries at their last use, and of
/// the buffers those that were freed before.
void deriveFrees(plan::Program &program);

} // namespace nxdt

#endif // NXDT_TEST_EQUIVALENCE_PLANMUTANTS_H
