//===- CommunicationTest.cpp - bytes of collectives -----------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "nxdt/Plan/Communication.h"

#include <gtest/gtest.h>

using namespace nxdt::plan;

namespace {

Instruction collective(Collective kind, Axes axes) {
  Instruction instruction;
  instruction.kind = OpKind::Collective;
  instruction.outs = {0};
  instruction.collective = kind;
  instruction.axes = std::move(axes);
  instruction.args = {ValueRef{0}};
  return instruction;
}

/// A program whose value 0 is bf16 [3, 5]: 30 bytes.
Program programOf(std::string name, std::vector<Instruction> instructions) {
  Program program;
  program.name = std::move(name);
  program.values = {{DType::BF16, {3, 5}, -1}};
  program.instructions = std::move(instructions);
  return program;
}

Plan planOf(std::vector<Program> programs) {
  Plan plan;
  plan.mesh = {{"pp", 1}, {"dp", 3}, {"cp", 1}, {"tp", 4}};
  plan.programs = std::move(programs);
  return plan;
}

void expectPayload(Collective kind, Axes axes, int64_t ranks, int64_t input,
                   int64_t sent) {
  Plan plan = planOf({programOf("train_step", {collective(kind, axes)})});
  const Program &program = plan.programs[0];
  Payload payload = payloadOf(plan, program, program.instructions[0]);
  EXPECT_EQ(payload.ranks, ranks);
  EXPECT_EQ(payload.inputBytes, input);
  EXPECT_EQ(payload.sentBytes, sent);
}

TEST(Communication, SendsWhatARingSends) {
  expectPayload(Collective::AllReduce, {"tp"}, 4, 30, 45);
  expectPayload(Collective::ReduceScatter, {"tp"}, 4, 30, 22);
  expectPayload(Collective::AllGather, {"tp"}, 4, 30, 90);
  expectPayload(Collective::AllReduce, {"dp", "tp"}, 12, 30, 55);
  expectPayload(Collective::AllGather, {"tp:(2)2"}, 2, 30, 30);
}

TEST(Communication, CountsNothingWhereNothingMoves) {
  expectPayload(Collective::AllSlice, {"tp"}, 1, 0, 0);
  expectPayload(Collective::AllReduce, {"pp"}, 1, 0, 0);
}

TEST(Communication, ProgramsCountAsOftenAsTheyRun) {
  Instruction gather = collective(Collective::AllGather, {"tp"});
  Instruction sum = collective(Collective::AllReduce, {"tp"});
  Instruction slice = collective(Collective::AllSlice, {"dp"});
  Plan plan = planOf(
      {programOf("train_step", {gather, gather, slice}),
       programOf("finish_step", {sum}), programOf("update_step", {gather}),
       programOf("eval_step", {sum}), programOf("finish_eval", {sum}),
       programOf("norm_params", {sum})});
  std::vector<Traffic> step = trafficOf(plan, Stage::Step, 5);
  ASSERT_EQ(step.size(), 2u);
  EXPECT_EQ(step[0].kind, Collective::AllReduce);
  EXPECT_EQ(step[0].calls, 1);
  EXPECT_EQ(step[1].kind, Collective::AllGather);
  EXPECT_EQ(step[1].group, "tp");
  EXPECT_EQ(step[1].ranks, 4);
  EXPECT_EQ(step[1].calls, 11);
  EXPECT_EQ(step[1].inputBytes, 11 * 30);
  EXPECT_EQ(step[1].sentBytes, 11 * 90);
  std::vector<Traffic> evaluation = trafficOf(plan, Stage::Evaluation, 5);
  ASSERT_EQ(evaluation.size(), 1u);
  EXPECT_EQ(evaluation[0].calls, 6);
}

} // namespace
