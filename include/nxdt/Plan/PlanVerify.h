//===- PlanVerify.h - is this plan safe to run? -----------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A plan is data from outside. These checks need no libtorch; what depends on
// operators' schemas is checked by the executor when it resolves them.
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_PLAN_PLANVERIFY_H
#define NXDT_PLAN_PLANVERIFY_H

#include "nxdt/Plan/Plan.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace nxdt::plan {

/// Throws UserError unless everything that can be derived without libtorch
/// holds: indices in range, every temporary defined once and before its uses,
/// `frees` exactly the last uses (derived again, not trusted), sizes that do
/// not overflow, values that match the buffers they are bound to, unique
/// names, owners and roles complete, the bytes of `memory` equal to those of
/// the buffers; carries written once by a program that writes them and dropped
/// by last uses only; schedules, run without tensors, that use no carry that is
/// not there, leave none over and wait once for all that they start.
/// `what` names the plan in messages.
void verify(const Plan &plan, const std::string &what);

/// The same for each stage, and what no stage knows alone: as many as the mesh
/// has, equal heads, the same schedules and micro-batches, channels whose ends
/// agree in name, direction, peer, type and layout, and whose tensors are
/// received in the order in which they are sent; parameters on several stages
/// alike, updated on one with the gradients of all, each once, and sent back.
/// Whether the stages can wait for each other for ever is not looked
/// at.
void verifyFamily(const PlanFamily &family, const std::string &what);

/// For each instruction the temporaries whose last use it is, ascending: what
/// `frees` must hold. A result that nobody uses is freed where it is made.
std::vector<std::vector<int32_t>> lastUses(const Program &program);

/// Bytes of a tensor, or -1 if a size is negative or the product overflows.
int64_t checkedBytes(DType dtype, std::span<const int64_t> shape);

/// The persistent bytes of `plan.buffers` by role (peakActivationBytes is 0:
/// which values share storage is known to the compiler only).
MemoryReport bufferBytes(const Plan &plan);

} // namespace nxdt::plan

#endif // NXDT_PLAN_PLANVERIFY_H
