//===- FamilyScheduleTest.cpp - schedules read back from plans ------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "nxdt/Schedule/FamilySchedule.h"

#include "../Plan/SampleFamily.h"
#include "RandomProblem.h"
#include "nxdt/Plan/PlanVerify.h"
#include "nxdt/Schedule/ScheduleText.h"
#include "nxdt/Schedule/Verify.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

using namespace nxdt::schedule;
namespace plan = nxdt::plan;
using nxdt::plan::ActionKind;

namespace {

/// Plans of which only what schedules need is filled in: programs that read
/// what their channels bring and write what they take.
class Planner {
public:
  explicit Planner(const PipelineSchedule &schedule) : schedule(schedule) {
    family.stages.resize(schedule.stages);
    for (const Channel &channel : schedule.channels)
      for (bool isSend : {true, false}) {
        int64_t stage = isSend ? channel.fromStage : channel.toStage;
        plan::Plan &plan = family.stages[stage];
        plan.channels.push_back(
            {channel.name, isSend, isSend ? channel.toStage : channel.fromStage,
             static_cast<int32_t>(plan.buffers.size()), ""});
        plan.buffers.push_back({});
        plan.buffers.back().name = channel.name + (isSend ? ".out" : ".in");
        plan.buffers.back().role = plan::Role::Carry;
      }
    for (int64_t stage = 0; stage < schedule.stages; ++stage)
      addStage(stage);
  }

  plan::PlanFamily family;

private:
  void addStage(int64_t stage) {
    plan::Plan &plan = family.stages[stage];
    plan.schedules.push_back({schedule.name, schedule.microBatches, {}});
    for (const Action &action : schedule.actions[stage])
      plan.schedules[0].actions.push_back({action.kind,
                                           action.kind == ActionKind::Run
                                               ? programOf(stage, action.name)
                                               : channelOf(stage, action.name),
                                           action.microBatch});
  }

  int32_t channelOf(int64_t stage, const std::string &name) {
    auto &channels = family.stages[stage].channels;
    auto it = std::find_if(
        channels.begin(), channels.end(),
        [&](const plan::Channel &channel) { return channel.name == name; });
    return static_cast<int32_t>(it - channels.begin());
  }

  int32_t programOf(int64_t stage, const std::string &name) {
    auto &programs = family.stages[stage].programs;
    for (size_t i = 0; i < programs.size(); ++i)
      if (programs[i].name == name)
        return static_cast<int32_t>(i);
    plan::Program program;
    program.name = name;
    plan::Instruction instruction;
    std::vector<plan::ValueRef> reads;
    for (const Channel &channel : schedule.channels) {
      // Backward passes read their chunk's input again.
      bool isInput = channel.consumer == name ||
                     (name.starts_with("backward.") &&
                      channel.consumer == "forward." + name.substr(9));
      if (channel.toStage == stage && isInput)
        reads.push_back({add(stage, program, channel.name)});
      if (channel.fromStage == stage && channel.producer == name)
        instruction.outs.push_back(add(stage, program, channel.name));
    }
    if (!reads.empty())
      instruction.args.push_back(reads[0]);
    if (reads.size() > 1)
      instruction.args.push_back(reads);
    program.instructions.push_back(instruction);
    programs.push_back(program);
    return static_cast<int32_t>(programs.size()) - 1;
  }

  int32_t add(int64_t stage, plan::Program &program,
              const std::string &channel) {
    program.values.push_back(
        {plan::DType::F32,
         {},
         family.stages[stage].channels[channelOf(stage, channel)].buffer});
    return static_cast<int32_t>(program.values.size()) - 1;
  }

  const PipelineSchedule &schedule;
};

void sortChannels(PipelineSchedule &schedule) {
  std::sort(schedule.channels.begin(), schedule.channels.end(),
            [](const Channel &a, const Channel &b) { return a.name < b.name; });
}

TEST(FamilySchedule, RandomSchedulesComeBack) {
  std::mt19937_64 random(5);
  for (int i = 0; i < 100; ++i) {
    PipelineProblem problem = randomProblem(random);
    problem.transfer_s.clear();
    std::vector<Channel> channels = randomChannels(problem, random);
    if (problem.stages > 1 && !problem.forwardOnly)
      channels.push_back(
          {"tied", problem.stages - 1, 0, "export", "add_tied", true, 0});
    PipelineSchedule schedule =
        expand(problem, generate(problem), std::move(channels));
    ASSERT_FALSE(verify(schedule));
    std::optional<PipelineSchedule> back =
        scheduleOf(Planner(schedule).family, schedule.name);
    ASSERT_TRUE(back);
    sortChannels(schedule);
    sortChannels(*back);
    EXPECT_EQ(print(*back), print(schedule));
    EXPECT_FALSE(verify(*back));
  }
}

TEST(FamilySchedule, PlansWithoutTheSchedule) {
  EXPECT_FALSE(scheduleOf(plan::sampleFamily(), "eval_step"));
}

/// Programs of any name: nothing is known of them but that stages may hang.
TEST(FamilySchedule, DeadlocksOfPlansByHand) {
  plan::PlanFamily family = plan::sampleFamily();
  plan::verifyFamily(family, "the plan");
  std::optional<PipelineSchedule> schedule = scheduleOf(family, "train_step");
  ASSERT_TRUE(schedule);
  EXPECT_EQ(schedule->stages, 2);
  EXPECT_EQ(schedule->microBatches, 3);
  ASSERT_EQ(schedule->channels.size(), 2u);
  EXPECT_EQ(schedule->channels[0].producer, "forward.0");
  EXPECT_EQ(schedule->channels[0].consumer, "both.1");
  EXPECT_EQ(schedule->channels[1].producer, "both.1");
  EXPECT_EQ(schedule->channels[1].consumer, "backward.0");
  EXPECT_TRUE(verify(*schedule));
  EXPECT_FALSE(verifyDeadlock(*schedule));

  // Stage 1 waits for the first gradient to be gone before it wants the second
  // input; stage 0 sends all inputs first.
  std::vector<plan::Action> &actions = family.stages[0].schedules[0].actions;
  actions = {{ActionKind::Run, 0, 0},  {ActionKind::Send, 0, 0},
             {ActionKind::Wait, 0, 0}, {ActionKind::Free, 3, 0},
             {ActionKind::Run, 0, 1},  {ActionKind::Send, 0, 1},
             {ActionKind::Wait, 0, 1}, {ActionKind::Free, 3, 1},
             {ActionKind::Run, 0, 2},  {ActionKind::Send, 0, 2},
             {ActionKind::Wait, 0, 2}, {ActionKind::Free, 3, 2}};
  for (int64_t m = 0; m < 3; ++m)
    for (plan::Action action : {plan::Action{ActionKind::Recv, 1, m},
                                plan::Action{ActionKind::Wait, 1, m},
                                plan::Action{ActionKind::Run, 1, m}})
      actions.push_back(action);
  plan::verifyFamily(family, "the plan");
  std::optional<Violation> violation =
      verifyDeadlock(*scheduleOf(family, "train_step"));
  ASSERT_TRUE(violation);
  EXPECT_EQ(violation->message,
            "train_step: stages wait for each other (rendezvous, queues "
            "per-direction) [deadlock]");
  EXPECT_EQ(violation->lines,
            (std::vector<std::string>{
                "stage 1 has not begun `recv h.0 1`, it waits at `wait dh.0 0` "
                "(action 5)",
                "stage 0 has not begun `recv dh.0 0`, it waits at `wait h.0 1` "
                "(action 7)"}));
}

} // namespace
