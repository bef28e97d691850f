//===- TiedFamily.h - stages that share a weight ----------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_TEST_UNIT_PLAN_TIEDFAMILY_H
#define NXDT_TEST_UNIT_PLAN_TIEDFAMILY_H

#include "SampleFamily.h"

namespace nxdt::plan {

/// `w` on both stages, with its optimizer state on the second, which gets the
/// first one's gradient and sends the new value back.
inline PlanFamily tiedFamily() {
  PlanFamily family = sampleFamily();
  Plan &first = family.stages[0], &second = family.stages[1];
  auto carry = [](const char *name) {
    return scalarBuffer(name, Role::Carry, DType::F32, {3, 4});
  };
  auto value = [](int32_t buffer) {
    return Value{DType::F32, {3, 4}, buffer, {}};
  };
  second.buffers.push_back(paramOf("w", Role::Param));
  second.buffers.push_back(paramOf("w.grad", Role::Grad));
  second.buffers.push_back(paramOf("w.m", Role::OptState));
  second.buffers.back().state = "m";
  second.buffers.push_back(carry("dw.in"));
  second.buffers.push_back(carry("w.out"));
  first.buffers.push_back(carry("dw.out"));
  first.buffers.push_back(carry("w.in"));
  first.programs.push_back({"export",
                            {value(1), value(6)},
                            {aten("aten::clone", {ValueRef{0}, None{}}, {1})}});
  first.programs.push_back(
      {"store",
       {value(0), value(7)},
       {freeing(aten("aten::copy_", {ValueRef{0}, ValueRef{1}, false}, {}),
                {1})}});
  second.programs.push_back(
      {"import",
       {value(6), value(8)},
       {freeing(aten("aten::add_.Tensor",
                     {ValueRef{0}, ValueRef{1}, int64_t(1)}, {}),
                {1})}});
  second.programs.push_back(
      {"publish",
       {value(5), value(9)},
       {aten("aten::clone", {ValueRef{0}, None{}}, {1})}});
  first.channels.push_back({"dw", true, 1, 6, "gradient of w"});
  first.channels.push_back({"w", false, 1, 7, "w"});
  second.channels.push_back({"dw", false, 0, 8, "gradient of w"});
  second.channels.push_back({"w", true, 0, 9, "w"});
  for (Action action :
       {act(kRun, 2, 0), act(kSend, 2, 0), act(kWait, 2, 0), act(kFree, 6, 0)})
    first.schedules[0].actions.push_back(action);
  for (Action action : {act(kRecv, 2, 0), act(kWait, 2, 0), act(kRun, 1, 0)})
    second.schedules[0].actions.push_back(action);
  first.schedules.push_back(
      {"update_step",
       1,
       {act(kRecv, 3, 0), act(kWait, 3, 0), act(kRun, 3, 0)}});
  second.schedules.push_back({"update_step",
                              1,
                              {act(kRun, 2, 0), act(kSend, 3, 0),
                               act(kWait, 3, 0), act(kFree, 9, 0)}});
  for (Plan &plan : family.stages) {
    plan.tied = {{"alias", "w"}};
    plan.memory = bufferBytes(plan);
  }
  return family;
}

} // namespace nxdt::plan

#endif // NXDT_TEST_UNIT_PLAN_TIEDFAMILY_H
