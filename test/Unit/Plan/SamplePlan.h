//===- SamplePlan.h - a small plan with every kind of field ------*- C++
//-*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_TEST_UNIT_PLAN_SAMPLEPLAN_H
#define NXDT_TEST_UNIT_PLAN_SAMPLEPLAN_H

#include "nxdt/Plan/Plan.h"
#include "nxdt/Plan/PlanVerify.h"

#include <limits>

namespace nxdt::plan {

inline Buffer scalarBuffer(std::string name, Role role, DType dtype,
                           std::vector<int64_t> shape = {}) {
  Buffer out;
  out.name = std::move(name);
  out.role = role;
  out.dtype = dtype;
  out.shape = std::move(shape);
  return out;
}

inline Buffer ownedBuffer(std::string name, Role role, DType dtype,
                          std::string state = "") {
  Buffer out = scalarBuffer(std::move(name), role, dtype, {3, 4});
  out.param = "lm_head.weight";
  out.state = std::move(state);
  out.logicalShape = {3, 4};
  out.split = {{}, {}};
  return out;
}

inline Instruction aten(std::string op, std::vector<Arg> args,
                        std::vector<int32_t> outs) {
  Instruction out;
  out.op = std::move(op);
  out.args = std::move(args);
  out.outs = std::move(outs);
  out.module = "lm_head";
  return out;
}

/// Every kind of argument, both kinds of instruction, all roles. It need not
/// mean anything, but must pass `verify`.
inline Plan samplePlan() {
  constexpr double inf = std::numeric_limits<double>::infinity();
  Plan plan;
  plan.mesh = {{"pp", 1}, {"dp", 1}};
  plan.libraries = {"/opt/lib/libops.so"};
  plan.microBatchSize = 2;
  plan.sequenceLength = 5;
  plan.vocabSize = 3;
  plan.tied = {{"embed.weight", "lm_head.weight"}};
  plan.buffers = {
      ownedBuffer("lm_head.weight", Role::Param, DType::BF16),
      ownedBuffer("lm_head.weight.master", Role::Master, DType::F32),
      ownedBuffer("lm_head.weight.grad", Role::Grad, DType::F32),
      ownedBuffer("lm_head.weight.exp_avg", Role::OptState, DType::F32,
                  "exp_avg"),
      scalarBuffer("inv_freq", Role::Buffer, DType::F32, {2}),
      scalarBuffer("input_ids", Role::Input, DType::I64, {2, 5}),
      scalarBuffer("targets", Role::Input, DType::I64, {2, 5}),
      scalarBuffer("loss", Role::Scalar, DType::F64),
  };
  plan.buffers[0].init = {Init::Kind::Normal, 0.0, 0.02};

  Program program;
  program.name = "train_step";
  program.values = {
      {DType::BF16, {3, 4}, 0},  {DType::F32, {3, 4}, 2},
      {DType::I64, {2, 5}, 5},   {DType::BF16, {2, 5, 3}, -1},
      {DType::BF16, {3, 4}, -1}, {DType::F32, {3, 4}, -1},
  };
  program.instructions = {
      aten("my::make",
           {ValueRef{0}, ValueRef{2}, None{}, true, int64_t(-7), 0.1, 1e300,
            -inf, std::string("a \"b\"\n"), DType::F32, DeviceArg{},
            std::vector<int64_t>{1, -2}, std::vector<double>{1.0, inf},
            std::vector<bool>{true, false}},
           {3}),
      aten("my::make", {ValueRef{0}, ValueRef{2}}, {4, -1}),
      aten("aten::_to_copy", {ValueRef{4}, DType::F32}, {5}),
      aten("aten::_foreach_add_.List",
           {std::vector<ValueRef>{{1}}, std::vector<ValueRef>{{5}, {-1}}}, {}),
  };
  program.instructions[1].kind = OpKind::AtenVjp;
  program.instructions[1].gradOuts = {3};
  program.instructions[1].frees = {3};
  program.instructions[2].frees = {4};
  program.instructions[3].frees = {5};
  plan.programs = {program};
  plan.memory = bufferBytes(plan);
  plan.memory.peakActivationBytes = 100;
  return plan;
}

inline Instruction collective(Collective kind, int32_t in, int32_t out,
                              Axes axes) {
  Instruction result =
      aten("nxdt::" + std::string(name(kind)), {ValueRef{in}}, {out});
  result.kind = OpKind::Collective;
  result.collective = kind;
  result.axes = std::move(axes);
  result.reason = "test";
  return result;
}

/// 6 ranks: 7 rows over tp 3, and the optimizer's part of them over dp 2 again.
inline Plan shardedPlan() {
  Plan plan;
  plan.mesh = {{"dp", 2}, {"tp", 3}};
  plan.microBatchSize = 2;
  plan.sequenceLength = 5;
  auto owned = [](std::string name, Role role, int64_t rows, Axes axes) {
    Buffer out = ownedBuffer(std::move(name), role, DType::F32);
    out.shape[0] = rows;
    out.logicalShape[0] = 7;
    out.split[0] = std::move(axes);
    return out;
  };
  auto batch = [](std::string name) {
    Buffer out = scalarBuffer(std::move(name), Role::Input, DType::I64, {2, 5});
    out.logicalShape = {4, 5};
    out.split = {{"dp"}, {}};
    return out;
  };
  plan.buffers = {
      owned("w", Role::Param, 3, {"tp"}),
      owned("w.grad", Role::Grad, 3, {"tp"}),
      owned("w.reduced", Role::ReducedGrad, 2, {"tp", "dp"}),
      owned("w.exp_avg", Role::OptState, 2, {"tp", "dp"}),
      scalarBuffer("at", Role::Coordinate, DType::I64),
      batch("input_ids"),
      batch("targets"),
      scalarBuffer("loss", Role::Scalar, DType::F64),
  };
  plan.buffers[1].partial = {"dp"};
  plan.buffers[3].state = "exp_avg";
  plan.buffers[4].coordinate = {"dp", "tp"};

  Program program;
  program.name = "train_step";
  program.values = {
      {DType::F32, {3, 4}, 1},  {DType::F32, {4, 4}, -1},
      {DType::F32, {2, 4}, 2},  {DType::F32, {4, 4}, -1},
      {DType::F32, {4, 2}, -1}, {DType::F32, {4, 2}, -1},
  };
  program.instructions = {
      aten("aten::constant_pad_nd",
           {ValueRef{0}, std::vector<int64_t>{0, 0, 0, 1}, 0.0}, {1}),
      collective(Collective::ReduceScatter, 1, 2, {"dp"}),
      collective(Collective::AllGather, 2, 3, {"dp"}),
      collective(Collective::AllSlice, 3, 4, {"dp"}),
      collective(Collective::AllReduce, 4, 5, {"tp:(1)3", "dp"}),
  };
  program.instructions[3].dim = 1;
  program.instructions[4].reduction = Reduction::Max;
  program.instructions[1].frees = {1};
  program.instructions[3].frees = {3};
  program.instructions[4].frees = {4, 5};
  plan.programs = {program};
  plan.memory = bufferBytes(plan);
  return plan;
}

/// Two gradients that are reduced together, and something that runs meanwhile.
inline Plan pendingPlan() {
  Plan plan;
  plan.mesh = {{"dp", 2}};
  plan.buffers = {
      scalarBuffer("a", Role::Scalar, DType::F32, {4}),
      scalarBuffer("b", Role::Scalar, DType::F32, {2, 3}),
      scalarBuffer("c", Role::Scalar, DType::F32, {2}),
  };
  Program program;
  program.name = "finish_step";
  program.values = {
      {DType::F32, {4}, 0},  {DType::F32, {2, 3}, 1},  {DType::F32, {2}, 2},
      {DType::F32, {2}, -1}, {DType::F32, {1, 3}, -1}, {DType::F32, {2}, -1},
  };
  Instruction start =
      aten("nxdt::reduce_scatter", {ValueRef{0}, ValueRef{1}}, {3, 4});
  start.kind = OpKind::Start;
  start.collective = Collective::ReduceScatter;
  start.axes = {"dp"};
  start.reason = "bucket of 2: gradient of a";
  start.parts = {{"a", "gradient of a"}, {"b", "gradient of b"}};
  Instruction wait = aten(
      "nxdt::wait",
      {std::vector<ValueRef>{{3}, {4}}, std::vector<ValueRef>{{0}, {1}}}, {});
  wait.kind = OpKind::Wait;
  program.instructions = {
      start,
      aten("aten::neg", {ValueRef{2}}, {5}),
      wait,
      aten("aten::add.Tensor", {ValueRef{3}, ValueRef{5}, int64_t(1)}, {2}),
  };
  program.instructions[2].frees = {4};
  program.instructions[3].frees = {3, 5};
  plan.programs = {program};
  plan.memory = bufferBytes(plan);
  return plan;
}

} // namespace nxdt::plan

#endif // NXDT_TEST_UNIT_PLAN_SAMPLEPLAN_H
