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
  out.sliceStart = {0, 0};
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
      {OpKind::AtenVjp,
       "my::make",
       {ValueRef{0}, ValueRef{2}},
       {4, -1},
       {3},
       {},
       "lm_head"},
      aten("aten::_to_copy", {ValueRef{4}, DType::F32}, {5}),
      aten("aten::_foreach_add_.List",
           {std::vector<ValueRef>{{1}}, std::vector<ValueRef>{{5}, {-1}}}, {}),
  };
  program.instructions[1].frees = {3};
  program.instructions[2].frees = {4};
  program.instructions[3].frees = {5};
  plan.programs = {program};
  plan.memory = bufferBytes(plan);
  plan.memory.peakActivationBytes = 100;
  return plan;
}

} // namespace nxdt::plan

#endif // NXDT_TEST_UNIT_PLAN_SAMPLEPLAN_H
