//===- LowerToAten.cpp - typed ops as libtorch's kernels ------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "TypedLowering.h"
#include "nxdt/Passes/Origins.h"
#include "nxdt/Passes/Passes.h"

#include "llvm/ADT/TypeSwitch.h"

namespace nxdt {
#define GEN_PASS_DEF_LOWERTOATEN
#include "nxdt/Passes/Passes.h.inc"
} // namespace nxdt

using namespace mlir;
using namespace nxdt;

static FailureOr<Lowered> lower(AtenBuilder &aten, Operation *op,
                                bool cpuKernels) {
  return TypeSwitch<Operation *, FailureOr<Lowered>>(op)
      .Case<SdpaOp>([&](auto o) { return lowerSdpa(aten, o, cpuKernels); })
      .Case<SdpaBackwardOp>(
          [&](auto o) { return lowerSdpaBackward(aten, o, cpuKernels); })
      .Case<CrossEntropyOp>([&](auto o) { return lowerCrossEntropy(aten, o); })
      .Case<CrossEntropyBackwardOp>(
          [&](auto o) { return lowerCrossEntropyBackward(aten, o); })
      .Case<WeightGradOp>([&](auto o) { return lowerWeightGrad(aten, o); })
      .Case<SquareSumOp>([&](auto o) { return lowerSquareSum(aten, o); })
      .Case<GlobalNormOp>([&](auto o) { return lowerGlobalNorm(aten, o); })
      .Case<ClipScaleOp>([&](auto o) { return lowerClipScale(aten, o); })
      .Default([](Operation *o) -> FailureOr<Lowered> {
        return o->emitOpError("has no lowering to libtorch's operators");
      });
}

namespace {
struct LowerToAtenPass : nxdt::impl::LowerToAtenBase<LowerToAtenPass> {
  using LowerToAtenBase::LowerToAtenBase;

  void runOnOperation() override {
    if (device != "cpu" && device != "cuda") {
      getOperation().emitError("unknown device '")
          << device << "'; known are cpu, cuda";
      return signalPassFailure();
    }
    SmallVector<Operation *> typed;
    for (auto func : getOperation().getOps<func::FuncOp>())
      for (Operation &op : func.front().without_terminator())
        if (!isa<AtenOp, AtenVjpOp, AccumulateOp, AdamWOp, SgdOp>(op) &&
            !isCommunication(&op))
          typed.push_back(&op);
    for (Operation *op : typed) {
      OpBuilder builder(op);
      AtenBuilder aten(builder, op->getLoc());
      Operation *last = op->getPrevNode();
      FailureOr<Lowered> lowered = lower(aten, op, device == "cpu");
      if (failed(lowered))
        return signalPassFailure();
      if (op->hasAttr(kRecomputedAttr))
        for (Operation *made = op->getPrevNode(); made != last;
             made = made->getPrevNode())
          made->setAttr(kRecomputedAttr, builder.getUnitAttr());
      passOrigins(op, *lowered);
      op->replaceAllUsesWith(*lowered);
      op->erase();
    }
  }
};
} // namespace
