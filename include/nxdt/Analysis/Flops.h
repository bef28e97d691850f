//===- Flops.h - floating-point operations of a step ------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_ANALYSIS_FLOPS_H
#define NXDT_ANALYSIS_FLOPS_H

#include "nxdt/Plan/Plan.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"

#include <cstdint>

namespace nxdt {

/// Floating-point operations of one rank: of an optimizer step with all its
/// micro-batches, and of the evaluation of as many.
struct FlopCount {
  double forward = 0;
  double backward = 0;
  double recomputed = 0; ///< forward once more, for the backward
  double optimizer = 0;  ///< sums of gradients, norm, clipping, update
  double evaluation = 0;
  double step() const { return forward + backward + recomputed + optimizer; }
};

/// Counts the local programs of a module after `lower-to-aten`. An operator
/// counts what the registry says; nothing if it only moves or selects; without
/// an entry, one per element of its largest floating-point operand or result.
/// Causal attention counts the pairs of a query and a key that it may see.
/// Operators whose gradient libtorch computes count twice their forward.
/// `stage`: of a pipeline, whose `plan` says how often programs run; -1
/// without.
FlopCount countFlops(mlir::ModuleOp module, const plan::Plan &plan,
                     int64_t stage, int64_t microBatches);

/// The functions of a stage with the programs that they became in its plan;
/// `stage` as above.
void forEachProgram(
    mlir::ModuleOp module, const plan::Plan &plan, int64_t stage,
    llvm::function_ref<void(mlir::func::FuncOp, const plan::Program &)> visit);

/// FLOPs of one operation of such a program.
double operatorFlops(mlir::Operation *op);

/// Whether its result is the operand's memory: it moves nothing.
bool makesView(mlir::Operation *op);

/// FLOPs of one run of a program of a stage's plan, by its name.
double programFlops(mlir::ModuleOp module, llvm::StringRef program);

} // namespace nxdt

#endif // NXDT_ANALYSIS_FLOPS_H
