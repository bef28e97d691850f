//===- AppendLoss.cpp - shifted, masked cross-entropy on the logits -------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "nxdt/Passes/Passes.h"
#include "nxdt/Registry/OpRegistry.h"

namespace nxdt {
#define GEN_PASS_DEF_APPENDLOSS
#include "nxdt/Passes/Passes.h.inc"
} // namespace nxdt

using namespace mlir;
using namespace nxdt;

namespace {
struct AppendLossPass : nxdt::impl::AppendLossBase<AppendLossPass> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    auto forward = module.lookupSymbol<func::FuncOp>("forward");
    if (!forward || forward.getNumResults() == 0) {
      module.emitError("append-loss needs a function @forward that returns "
                       "logits");
      return signalPassFailure();
    }
    auto logitsType = dyn_cast<RankedTensorType>(forward.getResultTypes()[0]);
    if (!logitsType || logitsType.getRank() != 3 ||
        !isa<FloatType>(logitsType.getElementType())) {
      forward.emitError("returns ")
          << forward.getResultTypes()[0]
          << ", wanted floating-point logits [batch, sequence, vocabulary]";
      return signalPassFailure();
    }

    MLIRContext *context = &getContext();
    auto i64 = IntegerType::get(context, 64);
    auto targetsType =
        RankedTensorType::get(logitsType.getShape().drop_back(), i64);
    OpBuilder builder(forward);
    Location targetsLoc = NameLoc::get(builder.getStringAttr("targets"));
    if (!module.lookupSymbol("targets"))
      BufferOp::create(builder, targetsLoc, "targets", "input", targetsType);

    Location loc = NameLoc::get(builder.getStringAttr("loss"));
    unsigned argument = forward.getNumArguments();
    auto attrs = builder.getDictionaryAttr(builder.getNamedAttr(
        kBufferAttr, FlatSymbolRefAttr::get(context, "targets")));
    if (failed(
            forward.insertArgument(argument, targetsType, attrs, targetsLoc)))
      return signalPassFailure();

    Operation *ret = forward.front().getTerminator();
    builder.setInsertionPoint(ret);
    AtenBuilder aten(builder, loc);
    Type wide = logitsType.getElementType().isF64()
                    ? logitsType.getElementType()
                    : Float32Type::get(context);
    Value logits = aten.cast(ret->getOperand(0), wide);
    auto loss = CrossEntropyOp::create(
        builder, loc, RankedTensorType::get({}, wide),
        RankedTensorType::get({}, i64), logits.getType(), logits,
        forward.getArgument(argument), builder.getI64IntegerAttr(-100));

    SmallVector<Value> results = {loss.getLossSum(), loss.getCount()};
    llvm::append_range(results, ret->getOperands().drop_front());
    ret->setOperands(results);
    SmallVector<Attribute> resultAttrs(2, builder.getDictionaryAttr({}));
    for (unsigned i = 1; i < forward.getNumResults(); ++i)
      resultAttrs.push_back(
          DictionaryAttr::get(context, forward.getResultAttrs(i)));
    forward.setType(FunctionType::get(context, forward.getArgumentTypes(),
                                      ValueRange(results).getTypes()));
    forward.setResAttrsAttr(builder.getArrayAttr(resultAttrs));
  }
};
} // namespace
