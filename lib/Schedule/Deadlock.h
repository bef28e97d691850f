//===- Deadlock.h - stages that wait for each other -------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_LIB_SCHEDULE_DEADLOCK_H
#define NXDT_LIB_SCHEDULE_DEADLOCK_H

#include "nxdt/Schedule/Verify.h"

namespace nxdt::schedule {

/// The shortest circle of a schedule in which all messages match; empty: all
/// stages reach their ends.
std::vector<std::string> findDeadlock(const PipelineSchedule &schedule,
                                      const CommunicationModel &model);

} // namespace nxdt::schedule

#endif // NXDT_LIB_SCHEDULE_DEADLOCK_H
