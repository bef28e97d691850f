//===- Autodiff.cpp - reverse mode on straight-line IR --------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "TypedGradients.h"
#include "nxdt/Passes/Passes.h"
#include "nxdt/Registry/OpRegistry.h"

#include "llvm/ADT/DenseSet.h"

namespace nxdt {
#define GEN_PASS_DEF_AUTODIFF
#include "nxdt/Passes/Passes.h.inc"
} // namespace nxdt

using namespace mlir;
using namespace nxdt;

static Location backwardLoc(Operation *op) {
  // "model.layers.0.mlp" -> "model.layers.0.mlp^": the module's backward.
  if (auto name = dyn_cast<NameLoc>(op->getLoc()))
    return NameLoc::get(
        StringAttr::get(op->getContext(), name.getName().getValue() + "^"));
  return op->getLoc();
}

namespace {
/// Differentiates one function in place.
class Differentiator {
public:
  Differentiator(func::FuncOp func, DenseSet<Value> sources)
      : func(func), builder(func.getContext()), varied(std::move(sources)) {}

  /// Emits the backward of result 0; afterwards `gradient` answers.
  LogicalResult run();
  Value gradient(Value value) const { return grads.lookup(value); }
  int64_t fallbacks = 0;

private:
  void markVaried();
  bool stopsGradient(Operation &op) const;
  LogicalResult visit(Operation *op);
  LogicalResult visitAten(AtenOp op, ValueRange gradResults);
  void emitFallback(AtenOp op, ValueRange gradResults, ArrayRef<bool> needed);
  void accumulate(Value value, Value grad);

  func::FuncOp func;
  OpBuilder builder;
  /// Values that depend on a parameter differentiably.
  DenseSet<Value> varied;
  DenseMap<Value, Value> grads;
};
} // namespace

bool Differentiator::stopsGradient(Operation &op) const {
  auto aten = dyn_cast<AtenOp>(op);
  if (!aten)
    return false;
  if (aten.getNoGrad())
    return true;
  const OpInfo *info = OpRegistry::get().lookup(aten.getCallee());
  return info && info->noGradient;
}

void Differentiator::markVaried() {
  for (Operation &op : func.front()) {
    if (stopsGradient(op) || llvm::none_of(op.getOperands(), [&](Value v) {
          return varied.contains(v);
        }))
      continue;
    for (Value result : op.getResults())
      if (isFloatTensor(result))
        varied.insert(result);
  }
}

void Differentiator::accumulate(Value value, Value grad) {
  Value &slot = grads[value];
  if (!slot) {
    slot = grad;
    return;
  }
  slot = AtenBuilder(builder, grad.getLoc()).add(slot, grad);
}

void Differentiator::emitFallback(AtenOp op, ValueRange gradResults,
                                  ArrayRef<bool> needed) {
  SmallVector<Value> given;
  SmallVector<int32_t> gradOf, gradFor;
  SmallVector<Type> types;
  for (auto [i, grad] : llvm::enumerate(gradResults))
    if (grad) {
      given.push_back(grad);
      gradOf.push_back(i);
    }
  for (auto [i, operand] : llvm::enumerate(op.getInputs()))
    if (needed[i]) {
      gradFor.push_back(i);
      types.push_back(operand.getType());
    }
  auto vjp = AtenVjpOp::create(
      builder, backwardLoc(op), types, op.getCalleeAttr(), op.getInputs(),
      op.getArgsAttr(), given, builder.getDenseI32ArrayAttr(gradOf),
      builder.getDenseI32ArrayAttr(gradFor),
      builder.getI32IntegerAttr(op.getNumResults()));
  for (auto [operand, grad] : llvm::zip(gradFor, vjp.getOutputs()))
    accumulate(op.getInputs()[operand], grad);
  ++fallbacks;
  op.emitRemark("no gradient registered for '")
      << op.getCallee()
      << "': libtorch's autograd computes it at run time and runs the forward "
         "a second time";
}

LogicalResult Differentiator::visitAten(AtenOp op, ValueRange gradResults) {
  SmallVector<bool> needed;
  for (Value operand : op.getInputs())
    needed.push_back(varied.contains(operand));
  const OpInfo *info = OpRegistry::get().lookup(op.getCallee());
  // A formula relies on calls that `infer` takes; anything else it may be given
  // (a form that nobody thought of) is libtorch's to differentiate.
  bool isCovered =
      info && info->vjp &&
      (!info->infer ||
       succeeded(info->infer(CallArgs(op.getArgs(), op.getInputs()))));
  if (!isCovered) {
    emitFallback(op, gradResults, needed);
    return success();
  }
  VjpContext context(builder, op, gradResults, needed);
  context.loc = backwardLoc(op);
  info->vjp(context);
  for (auto [operand, grad] : llvm::zip(op.getInputs(), context.gradients()))
    if (grad)
      accumulate(operand, grad);
  return success();
}

LogicalResult Differentiator::visit(Operation *op) {
  SmallVector<Value> gradResults;
  for (Value result : op->getResults())
    gradResults.push_back(grads.lookup(result));
  if (llvm::none_of(gradResults, [](Value grad) { return bool(grad); }))
    return success();
  if (auto aten = dyn_cast<AtenOp>(op))
    return visitAten(aten, gradResults);
  FailureOr<SmallVector<Value>> operandGrads =
      emitTypedGradient(builder, backwardLoc(op), op, gradResults);
  if (failed(operandGrads))
    return op->emitOpError("has no gradient for how its results are used");
  for (auto [operand, grad] : llvm::zip(op->getOperands(), *operandGrads))
    if (grad && varied.contains(operand))
      accumulate(operand, grad);
  return success();
}

LogicalResult Differentiator::run() {
  markVaried();
  Operation *ret = func.front().getTerminator();
  builder.setInsertionPoint(ret);
  Value loss = ret->getOperand(0);
  if (!varied.contains(loss))
    return success();
  auto type = cast<RankedTensorType>(loss.getType());
  AtenBuilder aten(builder, NameLoc::get(builder.getStringAttr("loss^")));
  grads[loss] =
      aten.call("aten::full",
                {type.getShape(), 1.0, type.getElementType(), kNone,
                 Arg(Attribute(DeviceAttr::get(func.getContext()))), kNone});

  SmallVector<Operation *> ops;
  for (Operation &op : func.front().without_terminator())
    ops.push_back(&op);
  for (Operation *op : llvm::reverse(ops)) {
    if (llvm::none_of(op->getResults(),
                      [&](Value v) { return varied.contains(v); }))
      continue;
    if (failed(visit(op)))
      return failure();
  }
  return success();
}

namespace {
struct AutodiffPass : nxdt::impl::AutodiffBase<AutodiffPass> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    auto forward = module.lookupSymbol<func::FuncOp>("forward");
    if (!forward || forward.getNumResults() == 0 ||
        cast<RankedTensorType>(forward.getResultTypes()[0]).getRank() != 0) {
      module.emitError("autodiff needs a function @forward whose first result "
                       "is a scalar loss");
      return signalPassFailure();
    }
    WalkResult captured = forward.walk([](AtenOp op) {
      if (!op.getMutates() || op.getMutates()->empty())
        return WalkResult::advance();
      op.emitOpError("mutates an operand; run functionalize first");
      return WalkResult::interrupt();
    });
    if (captured.wasInterrupted())
      return signalPassFailure();

    OpBuilder builder(forward);
    builder.setInsertionPointAfter(forward);
    auto gradients = cast<func::FuncOp>(builder.clone(*forward));
    gradients.setName("gradients");
    SymbolTable symbols(module);

    SmallVector<unsigned> params;
    DenseSet<Value> sources;
    for (unsigned i = 0; i < gradients.getNumArguments(); ++i) {
      BufferOp buffer = bufferOf(gradients, i, symbols);
      if (!buffer || buffer.getRole() != "param" ||
          !isFloatTensor(gradients.getArgument(i)))
        continue;
      params.push_back(i);
      sources.insert(gradients.getArgument(i));
    }

    Differentiator differentiator(gradients, sources);
    if (failed(differentiator.run()))
      return signalPassFailure();
    numFallbacks += differentiator.fallbacks;

    Operation *ret = gradients.front().getTerminator();
    builder.setInsertionPoint(ret);
    SmallVector<Value> results(ret->getOperands());
    SmallVector<DictionaryAttr> resultAttrs;
    gradients.getAllResultAttrs(resultAttrs);
    resultAttrs.resize(results.size());
    for (unsigned i : params) {
      Value param = gradients.getArgument(i);
      Value grad = differentiator.gradient(param);
      auto name = gradients.getArgAttrOfType<FlatSymbolRefAttr>(i, kBufferAttr);
      if (!grad) {
        gradients.emitWarning("the loss does not depend on parameter '")
            << name.getValue() << "'; its gradient is zero";
        AtenBuilder aten(builder, ret->getLoc());
        grad = aten.zeros(cast<RankedTensorType>(param.getType()));
      }
      results.push_back(grad);
      resultAttrs.push_back(
          builder.getDictionaryAttr(builder.getNamedAttr(kGradOfAttr, name)));
    }
    ret->setOperands(results);
    gradients.setType(builder.getFunctionType(gradients.getArgumentTypes(),
                                              ValueRange(results).getTypes()));
    gradients.setAllResultAttrs(resultAttrs);
  }
};
} // namespace
