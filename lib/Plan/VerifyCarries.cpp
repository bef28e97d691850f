//===- VerifyCarries.cpp - what a program does to carries -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Checks.h"

namespace nxdt::plan {

bool isCarry(const Plan &plan, int32_t buffer) {
  return buffer >= 0 && plan.buffers[size_t(buffer)].role == Role::Carry;
}

std::vector<CarryUse> carriesOf(const Plan &plan, const Program &program) {
  std::vector<CarryUse> out;
  std::vector<int32_t> useOf(program.values.size(), -1);
  for (size_t i = 0; i < program.values.size(); ++i) {
    if (!isCarry(plan, program.values[i].buffer))
      continue;
    useOf[i] = int32_t(out.size());
    out.push_back({program.values[i].buffer, int32_t(i), false, false});
  }
  auto visit = [&](const std::vector<int32_t> &values, bool CarryUse::*field) {
    for (int32_t value : values)
      if (value >= 0 && size_t(value) < useOf.size() && useOf[value] >= 0)
        out[useOf[value]].*field = true;
  };
  for (const Instruction &instruction : program.instructions) {
    visit(instruction.outs, &CarryUse::isWritten);
    visit(instruction.frees, &CarryUse::isFreed);
  }
  return out;
}

} // namespace nxdt::plan
