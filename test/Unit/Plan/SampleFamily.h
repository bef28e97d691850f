//===- SampleFamily.h - a pipeline of two stages by hand -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_TEST_UNIT_PLAN_SAMPLEFAMILY_H
#define NXDT_TEST_UNIT_PLAN_SAMPLEFAMILY_H

#include "SamplePlan.h"

namespace nxdt::plan {

inline Buffer paramOf(const std::string &name, Role role) {
  Buffer out = ownedBuffer(name, role, DType::F32);
  out.param = name.substr(0, name.find('.'));
  return out;
}

inline Instruction freeing(Instruction instruction,
                           std::vector<int32_t> frees) {
  instruction.frees = std::move(frees);
  return instruction;
}

constexpr ActionKind kRun = ActionKind::Run;
constexpr ActionKind kSend = ActionKind::Send;
constexpr ActionKind kRecv = ActionKind::Recv;
constexpr ActionKind kWait = ActionKind::Wait;
constexpr ActionKind kFree = ActionKind::Free;

inline Action act(ActionKind kind, int32_t index, int64_t microBatch) {
  return {kind, index, microBatch};
}

inline Plan emptyStage() {
  Plan plan;
  plan.mesh = {{"pp", 2}, {"dp", 1}, {"cp", 1}, {"tp", 1}};
  plan.microBatchSize = 2;
  plan.sequenceLength = 5;
  plan.vocabSize = 3;
  return plan;
}

/// Makes `h` and sends it, gets `dh` back and adds up the gradient of `w`. One
/// micro-batch more is under way than there is on the other stage.
inline Plan firstStage() {
  Plan plan = emptyStage();
  plan.buffers = {
      paramOf("w", Role::Param),
      paramOf("w.grad", Role::Grad),
      scalarBuffer("input_ids", Role::Input, DType::I64, {2, 5}),
      scalarBuffer("h", Role::Carry, DType::F32, {2, 4}),
      scalarBuffer("kept", Role::Carry, DType::BF16, {2}),
      scalarBuffer("dh", Role::Carry, DType::F32, {2, 4}),
  };
  Program forward{"forward.0",
                  {{DType::F32, {3, 4}, 0},
                   {DType::I64, {2, 5}, 2},
                   {DType::F32, {2, 4}, 3},
                   {DType::BF16, {2}, 4}},
                  {aten("my::make", {ValueRef{0}, ValueRef{1}}, {2, 3})}};
  Program backward{
      "backward.0",
      {{DType::F32, {3, 4}, 1},
       {DType::BF16, {2}, 4},
       {DType::F32, {2, 4}, 5},
       {DType::F32, {3, 4}, -1}},
      {freeing(aten("my::make", {ValueRef{1}, ValueRef{2}}, {3}), {1, 2}),
       freeing(aten("aten::add_.Tensor", {ValueRef{0}, ValueRef{3}}, {}),
               {3})}};
  plan.programs = {forward, backward};
  plan.channels = {{"h.0", true, 1, 3, "hidden states"},
                   {"dh.0", false, 1, 5, "their gradient"}};
  plan.schedules = {
      {"train_step", 3, {act(kRun, 0, 0),  act(kSend, 0, 0), act(kRun, 0, 1),
                         act(kRecv, 1, 0), act(kSend, 0, 1), act(kWait, 0, 0),
                         act(kFree, 3, 0), act(kWait, 1, 0), act(kRun, 1, 0),
                         act(kRecv, 1, 1), act(kRun, 0, 2),  act(kSend, 0, 2),
                         act(kWait, 0, 1), act(kFree, 3, 1), act(kWait, 1, 1),
                         act(kRun, 1, 1),  act(kRecv, 1, 2), act(kWait, 0, 2),
                         act(kFree, 3, 2), act(kWait, 1, 2), act(kRun, 1, 2)}}};
  plan.memory = bufferBytes(plan);
  return plan;
}

/// Gets `h`, makes the gradients of it and of `v`.
inline Plan secondStage() {
  Plan plan = emptyStage();
  plan.buffers = {
      paramOf("v", Role::Param),
      paramOf("v.grad", Role::Grad),
      scalarBuffer("targets", Role::Input, DType::I64, {2, 5}),
      scalarBuffer("h.in", Role::Carry, DType::F32, {2, 4}),
      scalarBuffer("dh.out", Role::Carry, DType::F32, {2, 4}),
  };
  Program both{
      "both.1",
      {{DType::F32, {3, 4}, 0},
       {DType::F32, {3, 4}, 1},
       {DType::I64, {2, 5}, 2},
       {DType::F32, {2, 4}, 3},
       {DType::F32, {2, 4}, 4},
       {DType::F32, {3, 4}, -1}},
      {freeing(
           aten("my::make", {ValueRef{0}, ValueRef{2}, ValueRef{3}}, {4, 5}),
           {3}),
       freeing(aten("aten::add_.Tensor", {ValueRef{1}, ValueRef{5}}, {}),
               {5})}};
  plan.programs = {both};
  plan.channels = {{"h.0", false, 0, 3, "hidden states"},
                   {"dh.0", true, 0, 4, "their gradient"}};
  Schedule step{"train_step", 3, {}};
  for (int64_t i = 0; i < 3; ++i)
    for (Action action : {act(kRecv, 0, i), act(kWait, 0, i), act(kRun, 0, i),
                          act(kSend, 1, i), act(kWait, 1, i), act(kFree, 4, i)})
      step.actions.push_back(action);
  plan.schedules = {step};
  plan.memory = bufferBytes(plan);
  return plan;
}

inline PlanFamily sampleFamily() { return {{firstStage(), secondStage()}}; }

} // namespace nxdt::plan

#endif // NXDT_TEST_UNIT_PLAN_SAMPLEFAMILY_H
