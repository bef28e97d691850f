//===- TypedLowering.h - typed ops as calls of libtorch ---------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_PASSES_LOWER_TYPEDLOWERING_H
#define NXDT_PASSES_LOWER_TYPEDLOWERING_H

#include "nxdt/Registry/OpRegistry.h"

namespace nxdt {

// Each returns the values that replace the op's results.
using Lowered = llvm::SmallVector<mlir::Value>;

Lowered lowerSdpa(AtenBuilder &aten, SdpaOp op, bool cpuKernel);
Lowered lowerSdpaBackward(AtenBuilder &aten, SdpaBackwardOp op, bool cpuKernel);
Lowered lowerCrossEntropy(AtenBuilder &aten, CrossEntropyOp op);
Lowered lowerCrossEntropyBackward(AtenBuilder &aten, CrossEntropyBackwardOp op);
Lowered lowerWeightGrad(AtenBuilder &aten, WeightGradOp op);
Lowered lowerSquareSum(AtenBuilder &aten, SquareSumOp op);
Lowered lowerGlobalNorm(AtenBuilder &aten, GlobalNormOp op);
Lowered lowerClipScale(AtenBuilder &aten, ClipScaleOp op);

// Updates in place: the old values must be dead, and are what is returned.
/// `inverseScale` is 1 / scale.
Lowered lowerAdamW(AtenBuilder &aten, AdamWOp op, mlir::Value inverseScale);
Lowered lowerSgd(AtenBuilder &aten, SgdOp op);

/// A call that mutates operands and whose own results nobody reads.
void callInPlace(AtenBuilder &aten, llvm::StringRef callee,
                 llvm::ArrayRef<Arg> args, llvm::ArrayRef<int32_t> mutates,
                 bool returnsSelf = true);

} // namespace nxdt

#endif // NXDT_PASSES_LOWER_TYPEDLOWERING_H
