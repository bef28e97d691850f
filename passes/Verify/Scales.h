//===- Scales.h - factors that values are multiplied by ---------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_PASSES_VERIFY_SCALES_H
#define NXDT_PASSES_VERIFY_SCALES_H

#include "nxdt/Passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <map>

namespace nxdt {

/// Module attribute: by program, how often each constant factor occurs.
constexpr llvm::StringLiteral kScalesAttr = "nxdt.scales";

/// A value as a multiple of another one: `value` = factor * `base`, looking
/// through what moves, casts, reshards or exchanges elements.
struct Multiple {
  mlir::Value base;
  double factor = 1.0;
};
Multiple multipleOf(mlir::Value value);

/// The number that a value is everywhere, if it is a constant.
std::optional<double> constantOf(mlir::Value value);

/// Constant factors of a program's floating-point ops: a name like
/// "aten::mul.Scalar by 2", and the ops. Ops that compute something again for
/// the backward are left out unless `again`.
std::map<std::string, llvm::SmallVector<mlir::Operation *>>
scalesOf(mlir::func::FuncOp func, bool again);

/// A program must have the factors that are recorded of it.
mlir::LogicalResult compareScales(mlir::func::FuncOp func);

/// Records the factors of the programs that stages were given, in place of
/// those of the step. Together they must have all that the step had, and
/// nothing else. Nothing to do where nothing is recorded.
mlir::LogicalResult recordStageScales(mlir::ModuleOp module);

} // namespace nxdt

#endif // NXDT_PASSES_VERIFY_SCALES_H
