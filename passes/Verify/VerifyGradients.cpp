//===- VerifyGradients.cpp - every parameter has its gradient -------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Looks at what autodiff left, not at how it came there: which parameters the
// loss depends on is found anew, forwards, from @forward.
//
//===----------------------------------------------------------------------===//
#include "nxdt/Passes/Passes.h"
#include "nxdt/Registry/OpRegistry.h"

#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/StringSet.h"

namespace nxdt {
#define GEN_PASS_DEF_VERIFYGRADIENTS
#include "nxdt/Passes/Passes.h.inc"
} // namespace nxdt

using namespace mlir;
using namespace nxdt;

static bool isFloat(Value value) {
  return isa<FloatType>(
      cast<RankedTensorType>(value.getType()).getElementType());
}

static bool hasGradient(Operation *op) {
  auto aten = dyn_cast<AtenOp>(op);
  if (!aten)
    return true;
  const OpInfo *info = OpRegistry::get().lookup(aten.getCallee());
  return !aten.getNoGrad() && !(info && info->noGradient);
}

/// The values that the first result of `func` depends on differentiably.
static DenseSet<Value> valuesBehindLoss(func::FuncOp func) {
  DenseSet<Value> reached = {func.front().getTerminator()->getOperand(0)};
  for (Operation &op : llvm::reverse(func.front().without_terminator())) {
    if (!hasGradient(&op) || llvm::none_of(op.getResults(), [&](Value v) {
          return isFloat(v) && reached.contains(v);
        }))
      continue;
    reached.insert(op.operand_begin(), op.operand_end());
  }
  return reached;
}

static bool isZero(Value value) {
  auto op = value.getDefiningOp<AtenOp>();
  if (!op)
    return false;
  CallArgs args(op.getArgs(), op.getInputs());
  return op.getCallee() == "aten::zeros" ||
         op.getCallee() == "aten::zeros_like" ||
         (op.getCallee() == "aten::full" && args.number(1) == 0.0);
}

namespace {
struct VerifyGradientsPass
    : nxdt::impl::VerifyGradientsBase<VerifyGradientsPass> {
  void runOnOperation() override;

private:
  void verifyResults(func::FuncOp gradients);
  void verifyCoverage(func::FuncOp forward, func::FuncOp gradients);
  void verifyGradMode(func::FuncOp gradients);
  InFlightDiagnostic fail(Operation *op) {
    isBroken = true;
    return op->emitError();
  }

  bool isBroken = false;
  /// Gradients by the parameter's name.
  llvm::StringMap<Value> gradOf;
};
} // namespace

/// Each `nxdt.grad_of` names a parameter, once, and has its type.
void VerifyGradientsPass::verifyResults(func::FuncOp gradients) {
  SymbolTable symbols(getOperation());
  Operation *ret = gradients.front().getTerminator();
  for (unsigned i = 0; i < gradients.getNumResults(); ++i) {
    auto name =
        gradients.getResultAttrOfType<FlatSymbolRefAttr>(i, kGradOfAttr);
    if (!name)
      continue;
    auto buffer = symbols.lookup<BufferOp>(name.getValue());
    if (!buffer || buffer.getRole() != "param") {
      fail(gradients) << "result " << i << " is the gradient of " << name
                      << ", which is not a parameter";
      continue;
    }
    if (!gradOf.try_emplace(name.getValue(), ret->getOperand(i)).second)
      fail(gradients) << "result " << i << " is a second gradient of " << name;
    if (ret->getOperand(i).getType() != buffer.getTensorType())
      fail(gradients) << "the gradient of " << name << " is "
                      << ret->getOperand(i).getType() << ", the parameter is "
                      << buffer.getTensorType();
  }
}

/// Every floating-point parameter has one, and only those that the loss
/// depends on have one that is not zero.
void VerifyGradientsPass::verifyCoverage(func::FuncOp forward,
                                         func::FuncOp gradients) {
  SymbolTable symbols(getOperation());
  DenseSet<Value> behindLoss = valuesBehindLoss(forward);
  for (BlockArgument argument : forward.getArguments()) {
    BufferOp buffer = bufferOf(forward, argument.getArgNumber(), symbols);
    if (!buffer || buffer.getRole() != "param" || !isFloat(argument))
      continue;
    Value grad = gradOf.lookup(buffer.getSymName());
    if (!grad)
      fail(gradients) << "parameter @" << buffer.getSymName()
                      << " has no gradient";
    else if (!isZero(grad) && !behindLoss.contains(argument))
      fail(gradients) << "the loss does not depend on parameter @"
                      << buffer.getSymName()
                      << " where gradients are enabled, but its gradient is "
                         "not zero";
  }
}

/// libtorch's autograd must not be asked for what ran without gradients.
void VerifyGradientsPass::verifyGradMode(func::FuncOp gradients) {
  gradients.walk([&](AtenVjpOp vjp) {
    bool found = false, enabled = false;
    gradients.walk([&](AtenOp op) {
      if (op.getCallee() != vjp.getCallee() || op.getArgs() != vjp.getArgs() ||
          !llvm::equal(op.getInputs(), vjp.getInputs()))
        return;
      found = true;
      enabled |= !op.getNoGrad();
    });
    if (found && !enabled)
      fail(vjp) << "is the gradient of '" << vjp.getCallee()
                << "', which ran with gradients disabled";
  });
}

void VerifyGradientsPass::runOnOperation() {
  ModuleOp module = getOperation();
  auto forward = module.lookupSymbol<func::FuncOp>("forward");
  auto gradients = module.lookupSymbol<func::FuncOp>("gradients");
  if (!forward || !gradients) {
    module.emitError("there are no @forward and @gradients; run autodiff "
                     "first");
    return signalPassFailure();
  }
  ArrayRef<Type> wanted = forward.getResultTypes();
  if (gradients.getArgumentTypes() != forward.getArgumentTypes() ||
      gradients.getNumResults() < wanted.size() ||
      gradients.getResultTypes().take_front(wanted.size()) != wanted) {
    gradients.emitError("@gradients takes and returns something else than "
                        "@forward");
    return signalPassFailure();
  }
  gradOf.clear();
  verifyResults(gradients);
  verifyCoverage(forward, gradients);
  verifyGradMode(gradients);
  if (isBroken)
    signalPassFailure();
}
