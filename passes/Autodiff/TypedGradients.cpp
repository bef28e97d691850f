//===- TypedGradients.cpp - gradients of typed ops ------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "TypedGradients.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace nxdt;

using Gradients = FailureOr<SmallVector<Value>>;

static Gradients gradient(OpBuilder &builder, Location loc, SdpaOp op,
                          ValueRange grads) {
  // lse is for the backward alone; nothing else may read it.
  if (!grads[0] || grads[1])
    return failure();
  auto back = SdpaBackwardOp::create(
      builder, loc, op.getQ().getType(), op.getK().getType(),
      op.getV().getType(), grads[0], op.getQ(), op.getK(), op.getV(),
      op.getOut(), op.getLse(), op.getCausalAttr(), op.getScaleAttr());
  return SmallVector<Value>{back.getDq(), back.getDk(), back.getDv()};
}

static Gradients gradient(OpBuilder &builder, Location loc, CrossEntropyOp op,
                          ValueRange grads) {
  if (!grads[0] || grads[2])
    return failure();
  auto back = CrossEntropyBackwardOp::create(
      builder, loc, op.getLogits().getType(), grads[0], op.getLogProbs(),
      op.getTargets(), op.getIgnoreIndexAttr());
  return SmallVector<Value>{back.getDlogits(), Value()};
}

Gradients nxdt::emitTypedGradient(OpBuilder &builder, Location loc,
                                  Operation *op, ValueRange gradResults) {
  return TypeSwitch<Operation *, Gradients>(op)
      .Case<SdpaOp, CrossEntropyOp>([&](auto typed) {
        return gradient(builder, loc, typed, gradResults);
      })
      .Default([](Operation *) -> Gradients { return failure(); });
}
