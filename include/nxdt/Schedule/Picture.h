//===- Picture.h - schedules for people -------------------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_SCHEDULE_PICTURE_H
#define NXDT_SCHEDULE_PICTURE_H

#include "nxdt/Schedule/Timing.h"
#include "nxdt/Schedule/Trace.h"

namespace nxdt::schedule {

/// A line per stage, time from left to right. F3 and B3 are the passes of
/// micro-batch 3, 1F3 that of chunk 1 where stages have several; `-` goes on,
/// `.` is idle. The shortest pass is as wide as its label, or narrower where
/// the whole would have more than `maxColumns` (at least 1) columns: labels
/// then lose their chunk, and then their micro-batch.
std::string timeline(const PipelineSchedule &schedule, const Timing &timing,
                     int64_t maxColumns = 160);

/// A line per stage: chunks, forward passes before the first backward pass,
/// most activations in flight, busy and idle time; then makespan, critical path
/// and bubble, with the closed form. `schedule` must be one of `problem`.
std::string table(const PipelineSchedule &schedule,
                  const PipelineProblem &problem, const Timing &timing);

/// "3/11": the bubble where all passes take the same time and messages none.
std::string closedFormBubble(const PipelineProblem &problem);

/// A process per stage, each its own rank, with a thread of runs ("forward.1
/// 3") and one per channel that it receives from ("x.0 3").
std::vector<TraceProcess> traceOf(const PipelineSchedule &schedule,
                                  const Timing &timing);

} // namespace nxdt::schedule

#endif // NXDT_SCHEDULE_PICTURE_H
