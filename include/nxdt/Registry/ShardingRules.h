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

/// The rule of an op, typed or nxdt.aten. An operator without one gets a rule
/// in which every dimension is whole; `isKnown` (optional) says which.
ShardingRule shardingRuleOf(mlir::Operation *op, bool *isKnown = nullptr);

/// Every dimension whole: operands and results on every rank.
ShardingRule wholeRule(mlir::Operation *op);

/// The argument list of a call on local shapes: shapes among the arguments
/// (view, expand, full, ...) become those of `localResults`.
mlir::ArrayAttr
localArguments(AtenOp op, llvm::ArrayRef<mlir::RankedTensorType> localResults);

} // namespace nxdt

#endif // NXDT_REGISTRY_SHARDINGRULES_H
