//===- Checks.h - parts of the plan's verifier ------------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_LIB_PLAN_CHECKS_H
#define NXDT_LIB_PLAN_CHECKS_H

#include "nxdt/Plan/Mesh.h"
#include "nxdt/Plan/Plan.h"

#include <functional>
#include <span>
#include <string>
#include <vector>

namespace nxdt::plan {

/// Ends in a UserError that says where, and this.
using Fail = std::function<void(const std::string &message)>;

/// Calls `visit` with every value index that the instruction reads.
template <typename Visit>
void forEachUse(const Instruction &instruction, Visit visit) {
  for (const Arg &arg : instruction.args) {
    if (const auto *ref = std::get_if<ValueRef>(&arg))
      visit(ref->index);
    else if (const auto *refs = std::get_if<std::vector<ValueRef>>(&arg))
      for (ValueRef item : *refs)
        visit(item.index);
  }
  for (int32_t index : instruction.gradOuts)
    visit(index);
}

/// The plan's head and its buffers.
void verifyBuffers(const Plan &plan, const std::string &what);

/// What is special about an OpKind::Collective or OpKind::Start; the caller has
/// checked that the indices of its values exist.
void verifyCollective(const Program &program, const Instruction &instruction,
                      const Mesh &mesh, const Fail &fail);

/// Starts are waited for once, and what they need and give is left alone until
/// then. `failAt` ends in a UserError about that instruction. All else about
/// the instructions has been checked.
void verifyPending(
    const Plan &plan, const Program &program,
    const std::function<void(size_t, const std::string &)> &failAt);

/// `buffer` is an index into the plan's buffers, or -1.
bool isCarry(const Plan &plan, int32_t buffer);

/// What a program does to the tensor of a carry for its micro-batch: it reads
/// one that is there, or makes it, and may drop it.
struct CarryUse {
  int32_t buffer = -1;
  int32_t value = -1; ///< the only one that is bound to it
  bool isWritten = false;
  bool isFreed = false;
};

/// Of each carry that the program has a value of, in the order of the values.
/// Indices into the buffers must exist.
std::vector<CarryUse> carriesOf(const Plan &plan, const Program &program);

/// Channels and schedules; buffers and programs are found right already.
void verifySchedules(const Plan &plan, const std::string &what);

/// Weights that several stages hold: one of them gets all gradients, and all of
/// them what it makes of these. The stages fit together otherwise.
void verifyShared(const PlanFamily &family, const std::string &what);

/// "[4, 8]".
std::string shown(std::span<const int64_t> shape);
/// "f32[4, 8]".
std::string typed(DType dtype, std::span<const int64_t> shape);

} // namespace nxdt::plan

#endif // NXDT_LIB_PLAN_CHECKS_H
