//===- SharedVerifyTest.cpp - weights that several stages hold ------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "TiedFamily.h"
#include "nxdt/Support/UserError.h"

#include <functional>
#include <gtest/gtest.h>

namespace nxdt::plan {
namespace {

std::string refusal(const std::function<void(Plan &, Plan &)> &change) {
  PlanFamily family = tiedFamily();
  change(family.stages[0], family.stages[1]);
  try {
    verifyFamily(family, "p.json");
  } catch (const UserError &error) {
    return error.what();
  }
  return "";
}

void dropEnd(Schedule &schedule, size_t count) {
  schedule.actions.resize(schedule.actions.size() - count);
}

TEST(SharedVerify, GradientIsSentAndAddedOnce) {
  verifyFamily(tiedFamily(), "p.json");
  const std::string start =
      "p.json: stage 0: the gradient of 'w', which several stages hold, ";
  // Neither stage knows of it any more.
  EXPECT_EQ(refusal([](Plan &first, Plan &second) {
              dropEnd(first.schedules[0], 4);
              dropEnd(second.schedules[0], 3);
              first.programs[2] = {"export", {}, {}};
              second.programs[1] = {"import", {}, {}};
            }),
            start + "is not sent to stage 1");
  // Another tensor of the same type.
  EXPECT_EQ(refusal([](Plan &first, Plan &) {
              first.programs[2].values[0].buffer = 0;
            }),
            start + "is not sent to stage 1");
  EXPECT_EQ(refusal([](Plan &first, Plan &) {
              std::vector<Action> &list = first.schedules[0].actions;
              std::swap(list[list.size() - 5], list[list.size() - 4]);
            }),
            start + "is sent before the program 'backward.0' has run");
  auto takes = [&](const std::function<void(Instruction &)> &change) {
    return refusal([&](Plan &, Plan &second) {
      change(second.programs[1].instructions[0]);
    });
  };
  EXPECT_EQ(takes([](Instruction &i) { i.args[2] = int64_t(2); }),
            start + "is not what aten::add_.Tensor takes on stage 1");
  EXPECT_EQ(takes([](Instruction &i) {
              i.op = "aten::copy_";
              i.args[2] = false;
            }),
            start + "is not what aten::copy_ takes on stage 1");
  EXPECT_EQ(refusal([](Plan &, Plan &second) {
              Program &import = second.programs[1];
              Instruction again = import.instructions[0];
              again.frees.clear();
              import.instructions.insert(import.instructions.begin(), again);
            }),
            start + "is taken 2 times by stage 1, not once");
  EXPECT_EQ(refusal([](Plan &, Plan &second) {
              second.programs[1].values[0].buffer = 1;
            }),
            start + "is taken 0 times by stage 1, not once");
}

TEST(SharedVerify, ValueIsSentBack) {
  const std::string start =
      "p.json: stage 1: the value of 'w', which several stages hold, ";
  EXPECT_EQ(refusal([](Plan &first, Plan &second) {
              first.schedules.pop_back();
              second.schedules.pop_back();
              first.programs[3] = {"store", {}, {}};
              second.programs[2] = {"publish", {}, {}};
            }),
            start + "is not sent to stage 0");
  EXPECT_EQ(refusal([](Plan &first, Plan &) {
              Instruction &store = first.programs[3].instructions[0];
              store.op = "aten::add_.Tensor";
              store.args[2] = int64_t(1);
            }),
            start + "is not what aten::add_.Tensor takes on stage 0");
}

TEST(SharedVerify, NormsCountItOnce) {
  EXPECT_EQ(
      refusal([](Plan &first, Plan &) {
        first.programs.push_back(
            {"norm_params",
             {{DType::F32, {3, 4}, 0, {}}, {DType::F32, {}, -1, {}}},
             {freeing(aten("aten::linalg_vector_norm", {ValueRef{0}}, {1}),
                      {1})}});
      }),
      "p.json: stage 0: program 'norm_params' reads 'w', which another stage "
      "counts");
}

} // namespace
} // namespace nxdt::plan
