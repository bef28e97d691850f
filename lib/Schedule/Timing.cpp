//===- Timing.cpp - what a schedule takes ---------------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "nxdt/Schedule/Timing.h"

#include "Simulation.h"

#include <algorithm>
#include <stdexcept>

namespace nxdt::schedule {

Timing simulate(const PipelineSchedule &schedule,
                const PipelineProblem &problem,
                const CommunicationModel &model) {
  return simulate(
      schedule,
      [&](int64_t, const Action &action) {
        std::optional<ProgramPass> pass = passOf(action.name);
        if (!pass)
          return 0.0;
        return pass->pass == Pass::Forward
                   ? problem.forwardTime_s(pass->chunk)
                   : problem.backwardTime_s(pass->chunk);
      },
      model);
}

Timing simulate(const PipelineSchedule &schedule,
                const ProgramSeconds &program_s,
                const CommunicationModel &model) {
  Simulation simulation(schedule, model, program_s);
  Timing timing;
  timing.runs.resize(schedule.stages);
  timing.busy_s.resize(schedule.stages);
  simulation.onRun = [&](int64_t stage, size_t action, double begin_s,
                         double end_s) {
    timing.runs[stage].push_back(
        {static_cast<int64_t>(action), begin_s, end_s});
    timing.busy_s[stage] += end_s - begin_s;
  };
  if (!simulation.run())
    throw std::logic_error("a schedule that was not verified gets stuck");
  for (const Message &message : simulation.messages)
    timing.transfers.push_back(
        {message.channel, message.microBatch, message.begin_s, message.end_s});
  std::sort(timing.transfers.begin(), timing.transfers.end(),
            [](const TransferTime &a, const TransferTime &b) {
              return std::tuple(a.begin_s, a.channel, a.microBatch) <
                     std::tuple(b.begin_s, b.channel, b.microBatch);
            });
  double busy_s = 0;
  for (int64_t stage = 0; stage < schedule.stages; ++stage) {
    timing.makespan_s =
        std::max(timing.makespan_s, simulation.stages[stage].clock_s);
    busy_s += timing.busy_s[stage];
  }
  if (timing.makespan_s > 0)
    timing.bubble =
        1 - busy_s / (timing.makespan_s * static_cast<double>(schedule.stages));
  return timing;
}

double criticalPath_s(const PipelineProblem &problem) {
  bool hasBackward = !problem.forwardOnly;
  int64_t chunks = problem.chunks();
  // From the begin to chunk c's forward pass; from the end of its backward
  // pass (of its forward pass in evaluation) to the end of all.
  std::vector<double> head_s(chunks), tail_s(chunks);
  double chain_s = 0;
  for (int64_t c = 0; c < chunks; ++c) {
    head_s[c] = chain_s;
    chain_s += problem.forwardTime_s(c);
    if (c + 1 < chunks)
      chain_s += problem.transferTime_s(c);
  }
  if (hasBackward) {
    double back_s = 0;
    for (int64_t c = 0; c < chunks; ++c) {
      tail_s[c] = back_s;
      back_s += problem.backwardTime_s(c);
      if (c + 1 < chunks)
        back_s += problem.transferTime_s(c);
    }
    chain_s += back_s;
  } else {
    for (int64_t c = 0; c < chunks; ++c)
      tail_s[c] = chain_s - head_s[c] - problem.forwardTime_s(c);
  }
  double bound_s = chain_s;
  for (int64_t stage = 0; stage < problem.stages; ++stage) {
    double work_s = 0, shortest_s = tail_s[stage];
    for (int64_t c = stage; c < chunks; c += problem.stages) {
      work_s += problem.forwardTime_s(c);
      if (hasBackward)
        work_s += problem.backwardTime_s(c);
      shortest_s = std::min(shortest_s, tail_s[c]);
    }
    bound_s = std::max(bound_s,
                       head_s[stage] + shortest_s +
                           work_s * static_cast<double>(problem.microBatches));
  }
  return bound_s;
}

int64_t idlePasses(const PipelineProblem &problem) {
  int64_t idle = problem.stages - 1;
  // In evaluation the last group may be smaller than it takes a micro-batch to
  // come round, and then each further chunk waits for it.
  if (int64_t last = problem.microBatches % problem.stages;
      problem.forwardOnly && last != 0)
    idle += (problem.chunksPerStage - 1) * (problem.stages - last);
  return idle;
}

} // namespace nxdt::schedule
