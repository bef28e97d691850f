//===- TimingTest.cpp - bubbles and bounds --------------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "nxdt/Schedule/Timing.h"

#include "RandomProblem.h"

#include <gtest/gtest.h>

using namespace nxdt::schedule;

namespace {

double makespan_s(const PipelineProblem &problem, Queue queue) {
  ExpandOptions options;
  options.queue = queue;
  PipelineSchedule schedule =
      expand(problem, generate(problem), edgeChannels(problem, {"x"}, {"dx"}),
             options);
  return simulate(schedule, problem, {queue, true}).makespan_s;
}

/// Equal passes, free messages: (p - 1) / (m v + p - 1), with the correction
/// for the last group in evaluation, for any ratio of backward to forward.
TEST(Timing, BubblesAreTheClosedForms) {
  std::mt19937_64 random(17);
  int64_t seen[3] = {};
  for (int i = 0; i < 2000; ++i) {
    PipelineProblem problem = randomProblem(random);
    double forward_s = problem.forward_s[0];
    double backward_s = problem.backward_s[0];
    problem.forward_s.assign(problem.chunks(), forward_s);
    problem.backward_s.assign(problem.chunks(), backward_s);
    problem.transfer_s.clear();
    Queue queue = randomQueue(random);
    ExpandOptions options;
    options.queue = queue;
    PipelineSchedule schedule = expand(
        problem, generate(problem), randomChannels(problem, random), options);
    Timing timing = simulate(schedule, problem, {queue, true});
    double p = static_cast<double>(problem.stages);
    double work = static_cast<double>(problem.microBatches) *
                  static_cast<double>(problem.chunksPerStage);
    double idle = p - 1;
    if (problem.forwardOnly && problem.microBatches % problem.stages)
      idle += static_cast<double>(
          (problem.chunksPerStage - 1) *
          (problem.stages - problem.microBatches % problem.stages));
    EXPECT_NEAR(timing.bubble, idle / (work + idle), 1e-9)
        << scheduleFor(problem) << " " << problem.stages << " "
        << problem.chunksPerStage << " " << problem.microBatches;
    EXPECT_EQ(static_cast<double>(idlePasses(problem)), idle);
    // Then nothing can be faster (a last group that is not full aside).
    if (idle == p - 1) {
      EXPECT_NEAR(timing.makespan_s, criticalPath_s(problem),
                  1e-9 * timing.makespan_s);
    }
    ++seen[problem.forwardOnly ? 0 : problem.chunksPerStage > 1 ? 1 : 2];
  }
  for (int64_t count : seen)
    EXPECT_GT(count, 200);
}

TEST(Timing, NoScheduleBeatsTheCriticalPath) {
  std::mt19937_64 random(23);
  double least = 1e9;
  for (int i = 0; i < 2000; ++i) {
    PipelineProblem problem = randomProblem(random);
    double bound_s = criticalPath_s(problem);
    double time_s = makespan_s(problem, randomQueue(random));
    EXPECT_GE(time_s, bound_s * (1 - 1e-12));
    least = std::min(least, time_s / bound_s);
  }
  // A bound that is met: one that is far too low would prove nothing.
  EXPECT_LT(least, 1 + 1e-9);
}

/// By hand: 2 stages, 2 micro-batches, passes of 1 s and 2 s, messages of 0.5
/// s. Stage 0: F0 0-1, F1 1-2; stage 1: F0 1.5-2.5, B0 2.5-4.5, F1 4.5-5.5, B1
/// 5.5-7.5; stage 0: B0 5-7, B1 8-10.
TEST(Timing, ByHand) {
  PipelineProblem problem;
  problem.stages = problem.microBatches = 2;
  problem.forward_s = {1, 1};
  problem.backward_s = {2, 2};
  problem.transfer_s = {0.5};
  PipelineSchedule schedule =
      expand(problem, generate(problem), edgeChannels(problem, {"x"}, {"dx"}));
  Timing timing = simulate(schedule, problem);
  auto beginsOf = [&](int64_t stage) {
    std::vector<double> begins;
    for (const RunTime &run : timing.runs[stage])
      begins.push_back(run.begin_s);
    return begins;
  };
  EXPECT_EQ(beginsOf(0), (std::vector<double>{0, 1, 5, 8}));
  EXPECT_EQ(beginsOf(1), (std::vector<double>{1.5, 2.5, 4.5, 5.5}));
  EXPECT_EQ(timing.makespan_s, 10);
  EXPECT_EQ(timing.busy_s, (std::vector<double>{6, 6}));
  EXPECT_DOUBLE_EQ(timing.bubble, 0.4);
  ASSERT_EQ(timing.transfers.size(), 4u);
  EXPECT_EQ(timing.transfers[0].begin_s, 1);
  EXPECT_EQ(timing.transfers[0].end_s, 1.5);
  // Stage 1: 1.5 s until it can begin, 6 s of work, 0.5 + 2 s to the end.
  EXPECT_EQ(criticalPath_s(problem), 10);
}

/// Two tensors of an edge go one after the other where they share a queue.
TEST(Timing, QueuesAreServedInTurn) {
  PipelineProblem problem;
  problem.stages = 2;
  problem.forwardOnly = true;
  problem.transfer_s = {0.5};
  std::vector<Channel> channels = edgeChannels(problem, {"x", "rope"}, {});
  PipelineSchedule schedule = expand(problem, generate(problem), channels);
  EXPECT_EQ(simulate(schedule, problem, {Queue::PerChannel, true}).makespan_s,
            2.5);
  EXPECT_EQ(simulate(schedule, problem, {Queue::PerDirection, true}).makespan_s,
            3);
}

TEST(Timing, AScheduleThatHangsThrows) {
  PipelineProblem problem;
  problem.stages = 2;
  problem.forwardOnly = true;
  PipelineSchedule schedule =
      expand(problem, generate(problem), edgeChannels(problem, {"x"}, {}));
  schedule.actions[0].clear();
  EXPECT_THROW(simulate(schedule, problem), std::logic_error);
}

} // namespace
