//===- ExpandTest.cpp - passes into actions -------------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "RandomProblem.h"
#include "nxdt/Schedule/ScheduleText.h"
#include "nxdt/Schedule/Verify.h"

#include <gtest/gtest.h>

using namespace nxdt::schedule;
using nxdt::plan::ActionKind;

namespace {

TEST(Expand, TwoStages) {
  PipelineProblem problem;
  problem.stages = problem.microBatches = 2;
  problem.transfer_s = {0.25};
  ExpandOptions options;
  options.frees = {{"backward.1", "x"}};
  PipelineSchedule schedule =
      expand(problem, generate(problem), edgeChannels(problem, {"x"}, {"dx"}),
             options);
  EXPECT_EQ(print(schedule), R"(schedule train_step
stages 2
chunks 1
micro-batches 2
channel x.0 stage 0 to 1 after forward.0 before forward.1 takes 0.25
channel dx.1 stage 1 to 0 after backward.1 before backward.0 takes 0.25
stage 0
run forward.0 0
send x.0 0
recv dx.1 0
run forward.0 1
wait x.0 0
send x.0 1
recv dx.1 1
wait dx.1 0
run backward.0 0
wait dx.1 1
run backward.0 1
wait x.0 1
stage 1
recv x.0 0
wait x.0 0
run forward.1 0
recv x.0 1
run backward.1 0
send dx.1 0
free x 0
wait x.0 1
run forward.1 1
run backward.1 1
wait dx.1 0
send dx.1 1
free x 1
wait dx.1 1
)");
}

/// Tied parameters: the copy's gradient goes to the owner after the last
/// backward pass, the new value comes back after the update.
TEST(Expand, WhatHappensOncePerStep) {
  PipelineProblem problem;
  problem.stages = 2;
  problem.microBatches = 2;
  std::vector<Channel> channels = edgeChannels(problem, {"x"}, {"dx"});
  channels.push_back({"tied", 1, 0, "backward.1", "add_tied", true, 0});
  PipelineSchedule schedule = expand(problem, generate(problem), channels);
  auto tail = [&](int64_t stage, size_t count) {
    std::string text;
    const std::vector<Action> &actions = schedule.actions[stage];
    for (size_t i = actions.size() - count; i < actions.size(); ++i)
      text += print(actions[i]) + "; ";
    return text;
  };
  EXPECT_EQ(tail(0, 3), "recv tied 0; wait tied 0; run add_tied 0; ");
  EXPECT_EQ(tail(1, 2), "send tied 0; wait tied 0; ");
  std::optional<Violation> violation = verify(schedule);
  EXPECT_FALSE(violation) << violation->message;

  schedule = expandOnce("update_step", 2,
                        {{"new", 0, 1, "update_step", "store", true, 0}});
  EXPECT_EQ(tail(0, 3), "run update_step 0; send new 0; wait new 0; ");
  EXPECT_EQ(tail(1, 4),
            "run update_step 0; recv new 0; wait new 0; run store 0; ");
  violation = verify(schedule);
  EXPECT_FALSE(violation) << violation->message;
}

/// Two messages of one program, which puts them into their buffers first.
TEST(Expand, WhatMakesAMessageOnceIsRunForIt) {
  PipelineSchedule schedule =
      expandOnce("update_step", 2,
                 {{"new", 0, 1, "export", "store", true, 0},
                  {"norm", 0, 1, "export", "store", true, 0}},
                 {{"export", "copy"}});
  std::string text;
  for (const std::vector<Action> &actions : schedule.actions)
    for (const Action &action : actions)
      text += print(action) + "\n";
  EXPECT_EQ(text, "run update_step 0\n"
                  "run export 0\n"
                  "send new 0\n"
                  "send norm 0\n"
                  "free copy 0\n"
                  "wait new 0\n"
                  "wait norm 0\n"
                  "run update_step 0\n"
                  "recv new 0\n"
                  "recv norm 0\n"
                  "wait new 0\n"
                  "wait norm 0\n"
                  "run store 0\n");
  EXPECT_FALSE(verify(schedule));
  schedule.actions[0].erase(schedule.actions[0].begin() + 1);
  EXPECT_EQ(verify(schedule)->rule, Rule::Missing);
}

/// The most messages of one channel that are begun and not yet waited for.
int64_t mostOpen(const PipelineSchedule &schedule, bool ofSends) {
  int64_t most = 0;
  for (const Channel &channel : schedule.channels) {
    int64_t open = 0;
    for (const Action &action :
         schedule.actions[ofSends ? channel.fromStage : channel.toStage]) {
      if (action.name != channel.name)
        continue;
      open += action.kind == ActionKind::Wait ? -1 : 1;
      most = std::max(most, open);
    }
  }
  return most;
}

/// Receives are in time and no earlier: at most the message that is needed next
/// and one ahead of it. Sends: one on its way.
TEST(Expand, TransfersInFlightAreBounded) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 200; ++i) {
    PipelineProblem problem = randomProblem(random);
    ExpandOptions options;
    options.queue = Queue::PerChannel;
    PipelineSchedule schedule = expand(
        problem, generate(problem), randomChannels(problem, random), options);
    EXPECT_LE(mostOpen(schedule, true), 1);
    EXPECT_LE(mostOpen(schedule, false), 2);
    options.receivesAhead = 0;
    schedule = expand(problem, generate(problem),
                      randomChannels(problem, random), options);
    EXPECT_LE(mostOpen(schedule, false), 1);
  }
}

/// No receive waits for the pass before the one that needs it to end, except
/// before a stage's first pass.
TEST(Expand, ReceivesBeginOnePassAhead) {
  std::mt19937_64 random(11);
  int64_t ahead = 0, all = 0;
  for (int i = 0; i < 100; ++i) {
    PipelineProblem problem = randomProblem(random);
    PipelineSchedule schedule =
        expand(problem, generate(problem), randomChannels(problem, random));
    for (const Channel &channel : schedule.channels) {
      int64_t runs = 0, begun[2] = {0, 0};
      for (const Action &action : schedule.actions[channel.toStage]) {
        runs += action.kind == ActionKind::Run;
        if (action.name != channel.name)
          continue;
        if (action.kind == ActionKind::Recv) {
          begun[action.microBatch % 2] = runs;
          continue;
        }
        ++all;
        ahead += runs > begun[action.microBatch % 2] || runs == 0;
      }
    }
  }
  EXPECT_GT(all, 1000);
  EXPECT_EQ(ahead, all);
}

TEST(Expand, NamesOfPrograms) {
  EXPECT_EQ(programName(Pass::Backward, 12, false), "backward.12");
  EXPECT_EQ(programName(Pass::Forward, 0, true), "eval.0");
  EXPECT_EQ(passOf("backward.12")->chunk, 12);
  EXPECT_EQ(passOf("backward.12")->pass, Pass::Backward);
  EXPECT_TRUE(passOf("eval.3")->forwardOnly);
  for (const char *name :
       {"", "forward", "forward.", "forward.01", "forward.-1", "forward.1x",
        "update_step", "forward.99999999999999999999"})
    EXPECT_FALSE(passOf(name)) << name;
}

TEST(Expand, AnOrderAgainstTheDataThrows) {
  PipelineProblem problem;
  problem.stages = 2;
  problem.microBatches = 2;
  ComputeOrder order = generate(problem);
  // The last stage's first backward pass needs its forward pass of micro-batch
  // 1, which stage 0 makes after the gradient of micro-batch 0.
  order[0] = {{Pass::Forward, 0, 0},
              {Pass::Backward, 0, 0},
              {Pass::Forward, 0, 1},
              {Pass::Backward, 0, 1}};
  order[1] = {{Pass::Forward, 1, 0},
              {Pass::Forward, 1, 1},
              {Pass::Backward, 1, 0},
              {Pass::Backward, 1, 1}};
  EXPECT_THROW(expand(problem, order, edgeChannels(problem, {"x"}, {"dx"})),
               std::logic_error);
}

} // namespace
