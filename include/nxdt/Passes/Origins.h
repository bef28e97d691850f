//===- Origins.h - what a value was before it was partitioned ---*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Names for values that survive partitioning and lowering, so that a value of
// one strategy's plan can be compared with the same value of another's:
// "train_step#17.0" is result 0 of operation 17, ">buffer" follows where the
// program leaves the value in a buffer, and "train_step@buffer" is what a
// buffer holds when the program begins. Nothing of this changes what a program
// computes.
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_PASSES_ORIGINS_H
#define NXDT_PASSES_ORIGINS_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Operation.h"

namespace nxdt {

/// On an op: a string for each result, empty where a result has no name. On an
/// argument that carries a value of another program: that value's name. On a
/// function whose values have names: the program that it was or is a part of.
constexpr llvm::StringLiteral kOriginAttr = "nxdt.origin";
/// On an op: for each result that has a name, the type of the whole with its
/// sharding; unit for others. On an argument with a name: the same type.
constexpr llvm::StringLiteral kWholeTypeAttr = "nxdt.whole_type";

/// The name of a value; null if it has none.
mlir::StringAttr originOf(mlir::Value value);
/// The type of the whole with its sharding; null before lower-to-spmd.
mlir::Type wholeTypeOf(mlir::Value value);

/// Names a result, unless it has a name. Does nothing to arguments.
void setOrigin(mlir::Value value, mlir::StringAttr origin,
               mlir::Type wholeType = {});
/// For an op that is replaced: its results' names go to the replacements.
void passOrigins(mlir::Operation *op, llvm::ArrayRef<mlir::Value> replacements);

} // namespace nxdt

#endif // NXDT_PASSES_ORIGINS_H
