//===- PendingVerifyTest.cpp - collectives under way -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "SamplePlan.h"
#include "nxdt/Plan/Communication.h"
#include "nxdt/Plan/PlanJson.h"
#include "nxdt/Plan/PlanVerify.h"
#include "nxdt/Support/UserError.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace nxdt::plan {
namespace {

using Instructions = std::vector<Instruction>;

/// What plan::verify says of the plan after `change`; frees are put right.
template <typename Change> std::string refusal(Change change) {
  Plan plan = pendingPlan();
  Program &program = plan.programs[0];
  change(program.instructions, plan);
  std::vector<std::vector<int32_t>> uses = lastUses(program);
  for (size_t i = 0; i < uses.size(); ++i)
    program.instructions[i].frees = uses[i];
  try {
    verify(plan, "p");
  } catch (const UserError &e) {
    return e.what();
  }
  return "";
}

TEST(PendingVerify, TheSampleIsRight) {
  EXPECT_EQ(refusal([](Instructions &, Plan &) {}), "");
  EXPECT_EQ(toJson(fromJson(toJson(pendingPlan()), "p")),
            toJson(pendingPlan()));
}

TEST(PendingVerify, EveryStartIsWaitedForOnce) {
  EXPECT_THAT(
      refusal([](Instructions &list, Plan &) {
        list.erase(list.begin() + 2, list.end());
      }),
      testing::HasSubstr("instruction 0 (nxdt::reduce_scatter in lm_head): "
                         "is never waited for"));
  EXPECT_THAT(
      refusal([](Instructions &list, Plan &) {
        list.insert(list.begin() + 3, list[2]);
      }),
      testing::HasSubstr("instruction 3 (nxdt::wait in lm_head): waits for "
                         "what no instruction before has started"));
  EXPECT_THAT(
      refusal([](Instructions &list, Plan &) { std::swap(list[0], list[2]); }),
      testing::HasSubstr("before anything has defined it"));
}

TEST(PendingVerify, TheWaitNamesAllResultsAndInputsInOrder) {
  for (size_t which : {0, 1}) {
    auto change = [&](auto edit) {
      return refusal([&](Instructions &list, Plan &) {
        edit(std::get<std::vector<ValueRef>>(list[2].args[which]));
      });
    };
    EXPECT_THAT(change([](auto &list) { std::swap(list[0], list[1]); }),
                testing::HasSubstr("waits for what no instruction"));
    EXPECT_THAT(change([](auto &list) { list.pop_back(); }),
                testing::HasSubstr("waits for what no instruction"));
  }
}

TEST(PendingVerify, ResultsAreLeftAloneUntilTheWait) {
  EXPECT_THAT(
      refusal([](Instructions &list, Plan &) { std::swap(list[2], list[3]); }),
      testing::HasSubstr("uses the value 3, which instruction 0 "
                         "started and nobody has waited for"));
}

TEST(PendingVerify, InputsDoNotChangeUntilTheWait) {
  Instruction change =
      aten("aten::add_.Tensor", {ValueRef{0}, ValueRef{2}, int64_t(1)}, {});
  EXPECT_THAT(refusal([&](Instructions &list, Plan &) {
                list.insert(list.begin() + 1, change);
              }),
              testing::HasSubstr("changes the value 0, which the collective of "
                                 "instruction 0 still reads"));
  EXPECT_EQ(refusal([&](Instructions &list, Plan &) {
              list.insert(list.begin() + 3, change);
            }),
            "");
  // Another value of the same buffer.
  EXPECT_THAT(refusal([&](Instructions &list, Plan &plan) {
                plan.programs[0].values.push_back(plan.programs[0].values[0]);
                change.args[0] = ValueRef{6};
                list.insert(list.begin() + 1, change);
              }),
              testing::HasSubstr("changes the value 6"));
  Instruction lists = aten("aten::_foreach_add_.Scalar",
                           {std::vector<ValueRef>{{2}, {1}}, 1.0}, {});
  EXPECT_THAT(refusal([&](Instructions &list, Plan &) {
                list.insert(list.begin() + 1, lists);
              }),
              testing::HasSubstr("changes the value 1"));
}

TEST(PendingVerify, ResultsAreNoBuffers) {
  EXPECT_THAT(refusal([](Instructions &list, Plan &plan) {
                plan.programs[0].values[3].buffer = 2;
              }),
              testing::HasSubstr("starts a collective that writes the buffer "
                                 "'c'"));
}

TEST(PendingVerify, TensorsThatTravelTogether) {
  auto change = [](auto edit) {
    return refusal([&](Instructions &list, Plan &) { edit(list[0]); });
  };
  EXPECT_THAT(change([](Instruction &start) { start.parts.pop_back(); }),
              testing::HasSubstr("has 2 tensors, but 1 parts"));
  EXPECT_THAT(change([](Instruction &start) { start.outs.pop_back(); }),
              testing::HasSubstr("one result for each tensor"));
  EXPECT_THAT(change([](Instruction &start) {
                start.collective = Collective::AllSlice;
                start.op = "nxdt::all_slice";
              }),
              testing::HasSubstr("there is nothing to start"));
  EXPECT_THAT(
      change([](Instruction &start) { start.kind = OpKind::Collective; }),
      testing::HasSubstr("one tensor as its argument"));
  EXPECT_THAT(change([](Instruction &start) { start.dim = 1; }),
              testing::HasSubstr("dim 1 does not exist"));
  EXPECT_THAT(refusal([](Instructions &, Plan &plan) {
                for (int32_t value : {1, 4})
                  plan.programs[0].values[value].dtype = DType::F64;
                plan.buffers[1].dtype = DType::F64;
                plan.memory = bufferBytes(plan);
              }),
              testing::HasSubstr("sends f32 and f64 together"));
}

/// One message, all of its bytes.
TEST(PendingVerify, TrafficCountsABucketOnce) {
  Plan plan = pendingPlan();
  std::vector<Traffic> traffic = trafficOf(plan, Stage::Step, 4);
  ASSERT_EQ(traffic.size(), 1u);
  EXPECT_EQ(traffic[0].calls, 1);
  EXPECT_EQ(traffic[0].inputBytes, (4 + 6) * 4);
  EXPECT_EQ(traffic[0].sentBytes, (4 + 6) * 4 / 2);
}

} // namespace
} // namespace nxdt::plan
