//===- EmitPlan.h - IR to plan ----------------------------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_EMIT_EMITPLAN_H
#define NXDT_EMIT_EMITPLAN_H

#include "mlir/IR/BuiltinOps.h"
#include "nxdt/Plan/Plan.h"

namespace nxdt {

/// Turns a module after `lower-to-aten` into the plans of all stages: mesh,
/// buffers, programs, frees, channels, schedules and predicted memory.
/// Everything else (libraries, device) is the caller's. Errors are diagnostics
/// on the op that cannot be expressed.
mlir::FailureOr<plan::PlanFamily> emitFamily(mlir::ModuleOp module);
/// The same for a module without a pipeline.
mlir::FailureOr<plan::Plan> emitPlan(mlir::ModuleOp module);

} // namespace nxdt

#endif // NXDT_EMIT_EMITPLAN_H
