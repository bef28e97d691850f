//===- TypedGradients.h - gradients of typed ops ----------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_PASSES_AUTODIFF_TYPEDGRADIENTS_H
#define NXDT_PASSES_AUTODIFF_TYPEDGRADIENTS_H

#include "Nxdt/IR/Nxdt.h"
#include "mlir/IR/Builders.h"

namespace nxdt {

/// Emits the gradients of a typed op for its operands (null = none), given
/// those of its results (null = nothing depends on it). Failure if the op has
/// no gradient.
llvm::FailureOr<llvm::SmallVector<mlir::Value>>
emitTypedGradient(mlir::OpBuilder &builder, mlir::Location loc,
                  mlir::Operation *op, mlir::ValueRange gradResults);

} // namespace nxdt

#endif // NXDT_PASSES_AUTODIFF_TYPEDGRADIENTS_H
