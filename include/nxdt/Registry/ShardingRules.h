//===- ShardingRules.h - the rules of all ops -------------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_REGISTRY_SHARDINGRULES_H
#define NXDT_REGISTRY_SHARDINGRULES_H

#include "nxdt/Registry/OpRegistry.h"
#include "nxdt/Registry/ShardingRule.h"

namespace nxdt {

/// The rule of an op, typed or nxdt.aten. One that nobody registered gets a
/// rule in which every dimension is whole, and `isKnown` (optional) is false. A
/// registered one may have whole dimensions only, on purpose.
ShardingRule shardingRuleOf(mlir::Operation *op, bool *isKnown = nullptr);

/// Every dimension whole: operands and results on every rank.
ShardingRule wholeRule(mlir::Operation *op);

/// The argument list of a call on local shapes: shapes and sizes among the
/// arguments (view, expand, full, ...) become those of `localResults`. What the
/// operator itself completes (-1) stays.
mlir::ArrayAttr
localArguments(AtenOp op, llvm::ArrayRef<mlir::RankedTensorType> localResults);

/// That a call with these arguments on local operands has exactly these local
/// results, by the registry's `infer`; encodings are not compared. An operator
/// that nobody registered must keep its global types.
llvm::LogicalResult
verifyLocal(AtenOp op, llvm::ArrayRef<mlir::RankedTensorType> localOperands,
            llvm::ArrayRef<mlir::RankedTensorType> localResults,
            mlir::ArrayAttr localArgs);

} // namespace nxdt

#endif // NXDT_REGISTRY_SHARDINGRULES_H
