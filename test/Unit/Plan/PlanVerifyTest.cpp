//===- PlanVerifyTest.cpp - what a plan must not be -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "SamplePlan.h"
#include "nxdt/Support/UserError.h"

#include <functional>
#include <gtest/gtest.h>

namespace nxdt::plan {
namespace {

std::string messageOf(const std::function<void(Plan &)> &change) {
  Plan plan = samplePlan();
  change(plan);
  try {
    verify(plan, "p.json");
  } catch (const UserError &e) {
    return e.what();
  }
  return "";
}

Instruction &instruction(Plan &plan, size_t i) {
  return plan.programs[0].instructions[i];
}

/// `change` must be refused with a message that has `part`.
#define EXPECT_REFUSED(change, part)                                           \
  do {                                                                         \
    std::string message = messageOf([](Plan &plan) { change; });               \
    EXPECT_NE(message.find(part), std::string::npos)                           \
        << #change << "\n  said: " << message;                                 \
  } while (false)

TEST(PlanVerify, TheSampleIsValid) {
  EXPECT_EQ(messageOf([](Plan &) {}), "");
}

TEST(PlanVerify, Head) {
  EXPECT_REFUSED(plan.version = 0, "version 0, expected 1");
  EXPECT_REFUSED(plan.device = "tpu", "unknown device 'tpu'");
  EXPECT_REFUSED(plan.mesh[1].second = 0, "'dp' has the size 0");
  EXPECT_REFUSED(plan.mesh[1].first = "pp", "'pp' is empty or stands twice");
  EXPECT_REFUSED(plan.mesh = (decltype(plan.mesh){{"a", int64_t(1) << 40},
                                                  {"b", int64_t(1) << 40}}),
                 "does not fit into 64 bits");
  EXPECT_REFUSED(plan.libraries = {"lib.so"}, "not an absolute path");
  EXPECT_REFUSED(plan.vocabSize = -1, "must not be negative");
  EXPECT_REFUSED(plan.memory.gradBytes += 1,
                 "memory: grad_bytes is 49, but the buffers have 48");
}

TEST(PlanVerify, Buffers) {
  EXPECT_REFUSED(plan.buffers[4].name = "", "buffers[4] has no name");
  EXPECT_REFUSED(plan.buffers[4].name = "loss", "two buffers are named 'loss'");
  EXPECT_REFUSED(plan.buffers[4].shape = {-1}, "[-1] is negative or its bytes");
  EXPECT_REFUSED(plan.buffers[4].shape = (std::vector<int64_t>{
                     int64_t(1) << 31, int64_t(1) << 31, 2}),
                 "overflow");
  EXPECT_REFUSED(plan.buffers[0].split.pop_back(), "differ in rank");
  EXPECT_REFUSED(plan.buffers[0].param = "", "needs the name of a parameter");
  EXPECT_REFUSED(plan.buffers[4].param = "x", "has no parameter, but 'x'");
  EXPECT_REFUSED(plan.buffers[3].state = "", "`state` belongs to opt_state");
  EXPECT_REFUSED(plan.buffers[4].init.kind = Init::Kind::Constant,
                 "only a param has an init");
  EXPECT_REFUSED(plan.buffers[0].init.b = -1, "deviation of its init");
  EXPECT_REFUSED(plan.buffers[0].init.a =
                     std::numeric_limits<double>::infinity(),
                 "finite numbers");
  EXPECT_REFUSED(plan.buffers[3].param = "gone",
                 "its owner, the parameter 'gone'");
  EXPECT_REFUSED(plan.buffers[2].role = Role::Master,
                 "two buffers of the role");
  EXPECT_REFUSED(
      (plan.buffers[1].logicalShape[0] = 2, plan.buffers[1].shape[0] = 2),
      "is not that of its parameter, [3, 4]");
  EXPECT_REFUSED(
      {
        plan.buffers[2].role = Role::OptState;
        plan.buffers[2].state = "x";
      },
      "no buffer of the role grad");
  EXPECT_REFUSED(plan.buffers[5].name = "tokens", "unknown input");
  EXPECT_REFUSED(plan.buffers[5].shape = (std::vector<int64_t>{5, 2}),
                 "expected the role input and the type i64[2, 5], found input "
                 "i64[5, 2]");
  EXPECT_REFUSED(plan.buffers[7].dtype = DType::F32, "the type f64[]");
  EXPECT_REFUSED(plan.tied[0].second = "gone", "tied: 'gone'");
  EXPECT_REFUSED(plan.tied[0].first = "lm_head.weight", "tied: the alias");
}

TEST(PlanVerify, Values) {
  EXPECT_REFUSED(plan.programs[0].values[3].shape = {-5},
                 "program 'train_step', value 3: the shape [-5]");
  EXPECT_REFUSED(plan.programs[0].values[3].buffer = 8,
                 "buffer 8 does not exist (the plan has 8)");
  EXPECT_REFUSED(plan.programs[0].values[1].dtype = DType::F64,
                 "is f64[3, 4], but bound to the buffer 'lm_head.weight.grad' "
                 "of f32[3, 4]");
  EXPECT_REFUSED(plan.programs.push_back(plan.programs[0]), "stands twice");
}

TEST(PlanVerify, InstructionsNameProgramNumberAndModule) {
  EXPECT_EQ(
      messageOf([](Plan &plan) { instruction(plan, 2).args[0] = ValueRef{9}; }),
      "p.json: program 'train_step', instruction 2 (aten::_to_copy in "
      "lm_head): value 9 does not exist (the program has 6)");
  EXPECT_REFUSED(instruction(plan, 2).args[0] = ValueRef{}, "value -1 does");
  EXPECT_REFUSED(instruction(plan, 2).op = "aten::", "not namespace::name");
  EXPECT_REFUSED(instruction(plan, 0).args[0] = ValueRef{5},
                 "uses the value 5 before anything has defined it");
  EXPECT_REFUSED(instruction(plan, 2).outs = {4}, "a second time");
  EXPECT_REFUSED(instruction(plan, 1).outs = {4}, "1 gradients for 2");
  EXPECT_REFUSED(instruction(plan, 1).outs = (std::vector<int32_t>{4, 4}),
                 "defines the value 4 twice");
  EXPECT_REFUSED(instruction(plan, 1).gradOuts.clear(), "gradients of the");
  EXPECT_REFUSED(instruction(plan, 2).gradOuts = {4}, "only an aten_vjp");
}

TEST(PlanVerify, FreesAreTheLastUses) {
  EXPECT_REFUSED(instruction(plan, 2).frees.clear(),
                 "is the last use of the value 4, but does not free it");
  EXPECT_REFUSED(instruction(plan, 0).frees = {3},
                 "frees the value 3, whose last use this is not");
  EXPECT_REFUSED(instruction(plan, 0).frees = {0}, "bound to a buffer");
  EXPECT_REFUSED(instruction(plan, 1).frees = (std::vector<int32_t>{3, 3}),
                 "frees a value twice");
  // Freed early and used later: use after free.
  EXPECT_REFUSED(
      {
        instruction(plan, 1).frees.push_back(4);
        instruction(plan, 2).frees = {};
      },
      "frees the value 4, whose last use this is not");
  // An unused result goes where it is made.
  EXPECT_REFUSED(
      instruction(plan, 3).args[1] = std::vector<ValueRef>{},
      "instruction 2 (aten::_to_copy in lm_head): is the last use of "
      "the value 5, but does not free it");
}

std::string shardedMessageOf(const std::function<void(Plan &)> &change) {
  Plan plan = shardedPlan();
  change(plan);
  try {
    verify(plan, "p.json");
  } catch (const UserError &e) {
    return e.what();
  }
  return "";
}

#define EXPECT_SHARD_REFUSED(change, part)                                     \
  do {                                                                         \
    std::string message = shardedMessageOf([](Plan &plan) { change; });        \
    EXPECT_NE(message.find(part), std::string::npos)                           \
        << #change << "\n  said: " << message;                                 \
  } while (false)

TEST(PlanVerify, Shards) {
  EXPECT_EQ(shardedMessageOf([](Plan &) {}), "");
  EXPECT_SHARD_REFUSED(plan.mesh[0].second = 1 << 20,
                       "mesh: 3145728 ranks, expected at most 1048576");
  EXPECT_SHARD_REFUSED(plan.buffers[0].split[1] = {"cp"},
                       "buffer 'w': split: group 'cp': the mesh has no axis");
  EXPECT_SHARD_REFUSED(plan.buffers[0].split[1] = {"tp"},
                       "split and partial: group 'tp,tp': axis 'tp' occurs "
                       "twice");
  EXPECT_SHARD_REFUSED(plan.buffers[1].partial = {"tp"}, "occurs twice");
  EXPECT_SHARD_REFUSED(plan.buffers[0].partial = {"dp"},
                       "a param cannot be a term of a sum");
  EXPECT_SHARD_REFUSED(plan.buffers[0].split[0] = {"dp"},
                       "has the shape [3, 4], but its split makes [4, 4] of "
                       "[7, 4]");
  // 7 over dp 2 and then tp 3 is ceil(4/3) = 2, as over tp and then dp.
  EXPECT_EQ(shardedMessageOf([](Plan &plan) {
              plan.buffers[3].split[0] = {"dp", "tp"};
            }),
            "");
  EXPECT_SHARD_REFUSED((plan.buffers[2].logicalShape[0] = 8),
                       "its logical_shape [8, 4] is not that of its parameter");
  EXPECT_SHARD_REFUSED(plan.buffers[4].coordinate = {},
                       "`coordinate` belongs to coordinate buffers");
  EXPECT_SHARD_REFUSED(plan.buffers[7].coordinate = {"tp"},
                       "`coordinate` belongs to coordinate buffers");
  EXPECT_SHARD_REFUSED(plan.buffers[4].dtype = DType::I32,
                       "a coordinate is i64[], found i32[]");
  EXPECT_SHARD_REFUSED(
      (plan.buffers[5].logicalShape = {}, plan.buffers[5].split = {}),
      "on 2 data-parallel ranks its logical_shape must be "
      "[4, 5]");
}

/// The sharded plan with an origin of a value of 4 x 2, after a change.
std::string originMessageOf(void (*change)(Origin &)) {
  return shardedMessageOf([&](Plan &plan) {
    Origin origin{"x#3.0", {4, 4}, {{}, {"dp"}}, {"tp"}, Reduction::Sum};
    change(origin);
    plan.programs[0].values[4].origin = origin;
  });
}

TEST(PlanVerify, Origins) {
  const std::string where = "p.json: program 'train_step', value 4: ";
  EXPECT_EQ(originMessageOf([](Origin &) {}), "");
  EXPECT_EQ(originMessageOf([](Origin &o) { o.name = ""; }),
            where + "its origin has no name");
  EXPECT_EQ(originMessageOf([](Origin &o) {
              o.logicalShape = {4, -4};
            }),
            where + "the logical shape [4, -4] is negative or its bytes "
                    "overflow");
  EXPECT_EQ(originMessageOf([](Origin &o) { o.split = {{}}; }),
            where + "its origin has 1 splits for 2 dimensions");
  EXPECT_EQ(originMessageOf([](Origin &o) {
              o.logicalShape = {4, 5};
            }),
            where + "is f32[4, 2], but its origin [4, 5] has parts of [4, 3]");
  EXPECT_EQ(originMessageOf([](Origin &o) { o.partial = {"dp"}; }),
            where + "its origin: group 'dp,dp': axis 'dp' occurs twice with "
                    "overlapping parts");
  EXPECT_EQ(originMessageOf([](Origin &o) { o.partial = {"cp"}; }),
            where + "its origin: group 'cp,dp': the mesh has no axis 'cp'; "
                    "its axes are dp, tp");
}

TEST(PlanVerify, Collectives) {
  EXPECT_SHARD_REFUSED(instruction(plan, 1).collective = Collective::AllReduce,
                       "instruction 1 (nxdt::reduce_scatter in lm_head): is "
                       "the collective all_reduce");
  EXPECT_SHARD_REFUSED(instruction(plan, 1).axes = {}, "at least one mesh");
  EXPECT_SHARD_REFUSED(instruction(plan, 1).axes = {"tp"},
                       "dim 0 of f32[4, 4] cannot be cut in 3 equal parts");
  EXPECT_SHARD_REFUSED(instruction(plan, 2).axes = {"tp"},
                       "over 3 ranks makes f32[6, 4] of f32[2, 4], but its "
                       "result is f32[4, 4]");
  EXPECT_SHARD_REFUSED(instruction(plan, 1).dim = 1,
                       "makes f32[4, 2] of f32[4, 4]");
  EXPECT_SHARD_REFUSED(instruction(plan, 3).dim = 2, "dim 2 does not exist");
  EXPECT_SHARD_REFUSED(instruction(plan, 3).dim = -1, "dim -1 does not");
  EXPECT_SHARD_REFUSED(instruction(plan, 4).dim = 1, "has no dimension");
  EXPECT_SHARD_REFUSED(instruction(plan, 2).reduction = Reduction::Max,
                       "does not reduce");
  EXPECT_SHARD_REFUSED(plan.programs[0].values[5].dtype = DType::F64,
                       "makes f64 of f32");
  EXPECT_SHARD_REFUSED(
      {
        plan.programs[0].values[4].dtype = DType::Bool;
        plan.programs[0].values[5].dtype = DType::Bool;
        plan.programs[0].values[3].dtype = DType::Bool;
        plan.programs[0].instructions[3].args[0] = ValueRef{3};
        plan.programs[0].instructions.erase(
            plan.programs[0].instructions.begin(),
            plan.programs[0].instructions.begin() + 3);
        plan.programs[0].instructions.insert(
            plan.programs[0].instructions.begin(), aten("a::b", {}, {3}));
        plan.programs[0].instructions.back().reduction = Reduction::Sum;
      },
      "a sum of bools");
  EXPECT_SHARD_REFUSED(instruction(plan, 4).args.push_back(None{}),
                       "has one tensor as its argument");
  EXPECT_SHARD_REFUSED(instruction(plan, 4).args = {int64_t(4)},
                       "has one tensor as its argument");
  EXPECT_SHARD_REFUSED(instruction(plan, 4).outs.clear(), "has one result");
  EXPECT_SHARD_REFUSED(instruction(plan, 4).gradOuts = {4},
                       "only an aten_vjp has grad_outs");
}

TEST(PlanVerify, CheckedBytes) {
  auto bytes = [](DType dtype, std::vector<int64_t> shape) {
    return checkedBytes(dtype, shape);
  };
  EXPECT_EQ(bytes(DType::F64, {}), 8);
  EXPECT_EQ(bytes(DType::BF16, {3, 5}), 30);
  EXPECT_EQ(bytes(DType::F32, {0, 7}), 0);
  EXPECT_EQ(bytes(DType::F32, {0, int64_t(1) << 62, 8}), -1);
  EXPECT_EQ(bytes(DType::F32, {int64_t(1) << 61}), -1);
  EXPECT_EQ(bytes(DType::Bool, {-1}), -1);
}

} // namespace
} // namespace nxdt::plan
