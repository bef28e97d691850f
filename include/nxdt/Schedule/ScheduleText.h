//===- ScheduleText.h - schedules as text -----------------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One action per line, `run forward.1 3`: kind, name, micro-batch. A whole
// schedule is
//
//   schedule train_step
//   stages 2
//   chunks 1
//   micro-batches 4
//   channel x.0 stage 0 to 1 after forward.0 before forward.1 takes 0.5
//   channel tied stage 1 to 0 once before add_tied
//   stage 0
//   run forward.0 0
//   ...
//   stage 1
//   ...
//
// `chunks` counts those of one stage; `takes` is in seconds; `after`, `before`,
// `once` and `takes` may be left out, but not change places. `#` begins a
// comment, empty lines and indentation mean nothing.
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_SCHEDULE_SCHEDULETEXT_H
#define NXDT_SCHEDULE_SCHEDULETEXT_H

#include "nxdt/Schedule/Actions.h"

namespace nxdt::schedule {

/// `value`, or else why there is none.
template <typename T> struct Parsed {
  std::optional<T> value;
  std::string error; ///< one line: "line 3: expected ..., not ..."
};

std::string print(const Action &action);
std::string print(const PipelineSchedule &schedule);

/// One line; errors do not begin with a line number.
Parsed<Action> parseAction(std::string_view line);
/// Checks the form only; verify() the rest.
Parsed<PipelineSchedule> parseSchedule(std::string_view text);

} // namespace nxdt::schedule

#endif // NXDT_SCHEDULE_SCHEDULETEXT_H
