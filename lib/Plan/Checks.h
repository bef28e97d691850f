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

namespace nxdt::plan {

/// Ends in a UserError that says where, and this.
using Fail = std::function<void(const std::string &message)>;

/// The plan's head and its buffers.
void verifyBuffers(const Plan &plan, const std::string &what);

/// What is special about an OpKind::Collective; the caller has checked that
/// the indices of its values exist.
void verifyCollective(const Program &program, const Instruction &instruction,
                      const Mesh &mesh, const Fail &fail);

/// "[4, 8]".
std::string shown(std::span<const int64_t> shape);
/// "f32[4, 8]".
std::string typed(DType dtype, std::span<const int64_t> shape);

} // namespace nxdt::plan

#endif // NXDT_LIB_PLAN_CHECKS_H
