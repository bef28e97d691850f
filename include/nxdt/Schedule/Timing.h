//===- Timing.h - what a schedule takes -------------------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_SCHEDULE_TIMING_H
#define NXDT_SCHEDULE_TIMING_H

#include "nxdt/Schedule/Problem.h"
#include "nxdt/Schedule/Verify.h"

#include <functional>

namespace nxdt::schedule {

/// All times are in seconds from the begin of the schedule.
struct RunTime {
  int64_t action = 0; ///< in the stage's list
  double begin_s = 0;
  double end_s = 0;
};

struct TransferTime {
  int64_t channel = 0;
  int64_t microBatch = 0;
  double begin_s = 0; ///< both ends ready and their queues free
  double end_s = 0;
};

struct Timing {
  std::vector<std::vector<RunTime>> runs; ///< by stage
  std::vector<TransferTime> transfers;
  std::vector<double> busy_s; ///< by stage: the sum of its runs
  double makespan_s = 0;      ///< until the last stage has ended
  /// The idle part of the time of all stages, 0 .. 1.
  double bubble = 0;
};

/// When everything happens, with the problem's times of passes and the
/// channels' of messages; other programs take no time. Exact for the model.
/// `schedule` must be one that verify() passes under the same model; throws
/// std::logic_error where it gets stuck.
Timing simulate(const PipelineSchedule &schedule,
                const PipelineProblem &problem,
                const CommunicationModel &model = {});

/// The same with the times of all programs.
using ProgramSeconds =
    std::function<double(int64_t stage, const Action &action)>;
Timing simulate(const PipelineSchedule &schedule,
                const ProgramSeconds &program_s,
                const CommunicationModel &model = {});

/// No schedule of the problem ends sooner: the longest of a micro-batch's way
/// through all chunks and back, and for each stage the time until it can begin,
/// all its passes, and the way from it to the end.
double criticalPath_s(const PipelineProblem &problem);

/// How many passes long each stage is idle where all passes take the same time
/// (forward ones one, backward ones another) and messages none; the bubble is
/// then idlePasses / (microBatches * chunksPerStage + idlePasses), a pass of
/// training being a forward and a backward one. Derived in docs/Pipeline.md.
int64_t idlePasses(const PipelineProblem &problem);

} // namespace nxdt::schedule

#endif // NXDT_SCHEDULE_TIMING_H
