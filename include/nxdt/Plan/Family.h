//===- Family.h - the plans of a pipeline -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the stages of a family make together.
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_PLAN_FAMILY_H
#define NXDT_PLAN_FAMILY_H

#include "nxdt/Plan/Mesh.h"
#include "nxdt/Plan/Plan.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace nxdt::plan {

/// Where `rank` is along pp; 0 if the mesh has no such axis.
int64_t stageOf(const Mesh &mesh, int64_t rank);

/// The stage that keeps a parameter, by its name: of several that hold it (tied
/// weights) the one with its optimizer state, else with its master, else the
/// first.
std::map<std::string, int64_t> ownersOf(const PlanFamily &family);

/// The weights of all stages, as if one held them: head, and the buffers of
/// the roles param, master and opt_state, each from its owner. No programs.
Plan wholeOf(const PlanFamily &family);

/// The same stages without programs, channels and schedules.
PlanFamily buffersOf(const PlanFamily &family);

/// Null if there is none.
const Schedule *findSchedule(const Plan &plan, std::string_view name);

} // namespace nxdt::plan

#endif // NXDT_PLAN_FAMILY_H
