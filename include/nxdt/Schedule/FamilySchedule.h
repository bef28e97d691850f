//===- FamilySchedule.h - the schedules that plans hold ---------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the compiler made must be what the plans say: their schedules are read
// back, to be proved, timed and drawn.
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_SCHEDULE_FAMILYSCHEDULE_H
#define NXDT_SCHEDULE_FAMILYSCHEDULE_H

#include "nxdt/Schedule/Actions.h"

namespace nxdt::schedule {

/// The schedule of that name of all stages together; nullopt: the plans have
/// none. What makes and needs a message is read off the programs: the one that
/// writes the channel's buffer, and the first to run of those that read it.
/// Channels whose producer is no pass are isOnce; transfer_s is 0. `family`
/// must be one that plan::verifyFamily() passes.
std::optional<PipelineSchedule> scheduleOf(const plan::PlanFamily &family,
                                           std::string_view name);

/// Proves (Schedule/Verify.h) the schedules of a family that
/// plan::verifyFamily() passes, whoever wrote it. UserError, with a line per
/// stage after the first where stages wait for each other.
void verifySchedules(const plan::PlanFamily &family, const std::string &what);

} // namespace nxdt::schedule

#endif // NXDT_SCHEDULE_FAMILYSCHEDULE_H
