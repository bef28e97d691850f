//===- Verifiers.cpp - what each op must hold -----------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Nxdt/IR/Sharding.h"

#include "mlir/IR/Builders.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace nxdt;

//===----------------------------------------------------------------------===//
// nxdt.buffer
//===----------------------------------------------------------------------===//

/// `init` must be one of the three kinds with exactly its numbers.
static LogicalResult verifyInit(BufferOp op, DictionaryAttr init) {
  auto kind = init.getAs<StringAttr>("kind");
  if (!kind)
    return op.emitOpError("'init' needs a 'kind'");
  SmallVector<StringRef> numbers;
  if (kind == "normal")
    numbers = {"mean", "std"};
  else if (kind == "uniform")
    numbers = {"low", "high"};
  else if (kind == "constant")
    numbers = {"value"};
  else
    return op.emitOpError("unknown init kind '")
           << kind.getValue() << "'; known are normal, uniform, constant";
  for (StringRef number : numbers)
    if (!init.getAs<FloatAttr>(number))
      return op.emitOpError("init '")
             << kind.getValue() << "' needs the number '" << number << "'";
  if (init.size() != numbers.size() + 1)
    return op.emitOpError("init '")
           << kind.getValue() << "' has unknown entries";
  return success();
}

LogicalResult BufferOp::verify() {
  static const llvm::StringSet<> roles = {
      "param",  "master", "opt_state", "grad",       "reduced_grad",
      "buffer", "input",  "scalar",    "coordinate", "carry"};
  if (!roles.contains(getRole()))
    return emitOpError("unknown role '")
           << getRole()
           << "'; known are param, master, opt_state, grad, reduced_grad, "
              "buffer, input, scalar, coordinate, carry";
  bool isOwned = getRole() == "master" || getRole() == "opt_state" ||
                 getRole() == "grad" || getRole() == "reduced_grad";
  if (isOwned != getParam().has_value())
    return emitOpError("role '")
           << getRole() << (isOwned ? "' needs" : "' cannot have")
           << " the attribute 'param'";
  if ((getRole() == "opt_state") != getState().has_value())
    return emitOpError("exactly role 'opt_state' has the attribute 'state'");
  if ((getRole() == "coordinate") != getAxes().has_value())
    return emitOpError("exactly role 'coordinate' has the attribute 'axes'");
  if (getInit() && getRole() != "param")
    return emitOpError("only role 'param' has an 'init'");
  if (getTied() && getRole() != "param")
    return emitOpError("only role 'param' has 'tied' names");
  if (getInit())
    return verifyInit(*this, *getInit());
  return success();
}

//===----------------------------------------------------------------------===//
// nxdt.aten, nxdt.aten_vjp
//===----------------------------------------------------------------------===//

static LogicalResult verifyCall(Operation *op, StringRef callee,
                                OperandRange operands, ArrayAttr args) {
  auto [ns, name] = callee.split("::");
  if (ns.empty() || name.empty())
    return op->emitOpError("callee '")
           << callee << "' is not 'namespace::name[.overload]'";
  int64_t wanted = countOperands(args);
  if (wanted < 0)
    return op->emitOpError("'args' holds an attribute that no schema takes");
  if (wanted != static_cast<int64_t>(operands.size()))
    return op->emitOpError("'args' places ")
           << wanted << " operands, the op has " << operands.size();
  return success();
}

LogicalResult AtenOp::verify() {
  if (failed(verifyCall(*this, getCallee(), getInputs(), getArgs())))
    return failure();
  int32_t numOperands = getInputs().size();
  if (auto mutates = getMutates())
    for (int32_t operand : *mutates)
      if (operand < 0 || operand >= numOperands)
        return emitOpError("mutates operand ")
               << operand << ", but has " << numOperands << " operands";
  if (auto views = getViews()) {
    if (views->size() != getNumResults())
      return emitOpError("'views' has ") << views->size() << " entries for "
                                         << getNumResults() << " results";
    for (int32_t operand : *views)
      if (operand < -1 || operand >= numOperands)
        return emitOpError("a result is a view of operand ")
               << operand << ", but there are " << numOperands << " operands";
  }
  return success();
}

LogicalResult AtenVjpOp::verify() {
  if (failed(verifyCall(*this, getCallee(), getInputs(), getArgs())))
    return failure();
  if (getGradOf().size() != getGrads().size())
    return emitOpError("'grad_of' has ")
           << getGradOf().size() << " entries for " << getGrads().size()
           << " gradients";
  for (int32_t result : getGradOf())
    if (result < 0 || result >= static_cast<int32_t>(getForwardResults()))
      return emitOpError("gradient of result ")
             << result << ", but the operator has " << getForwardResults();
  if (getGradFor().size() != getOutputs().size())
    return emitOpError("'grad_for' has ")
           << getGradFor().size() << " entries for " << getOutputs().size()
           << " results";
  for (auto [operand, result] : llvm::zip(getGradFor(), getOutputs())) {
    if (operand < 0 || operand >= static_cast<int32_t>(getInputs().size()))
      return emitOpError("gradient for operand ")
             << operand << ", but there are " << getInputs().size();
    if (getInputs()[operand].getType() != result.getType())
      return emitOpError("the gradient for operand ")
             << operand << " is " << result.getType() << ", the operand is "
             << getInputs()[operand].getType();
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

static LogicalResult verifyAttention(Operation *op, RankedTensorType q,
                                     RankedTensorType k, RankedTensorType v,
                                     RankedTensorType out, RankedTensorType lse,
                                     bool causal) {
  if (q.getRank() != 4 || k.getRank() != 4)
    return op->emitOpError("q, k and v are [batch, heads, sequence, head_dim]");
  if (k != v)
    return op->emitOpError("k is ") << k << ", v is " << v;
  if (q.getDimSize(0) != k.getDimSize(0) || q.getDimSize(3) != k.getDimSize(3))
    return op->emitOpError("batch and head_dim of q ")
           << q << " and k " << k << " differ";
  if (q.getElementType() != k.getElementType())
    return op->emitOpError("element types of q and k differ");
  if (q.getDimSize(1) % k.getDimSize(1) != 0)
    return op->emitOpError("number of query heads ")
           << q.getDimSize(1) << " is not a multiple of the " << k.getDimSize(1)
           << " key heads";
  if (causal && q.getDimSize(2) != k.getDimSize(2))
    return op->emitOpError("causal attention needs equal sequence lengths");
  if (out != q)
    return op->emitOpError("out is ") << out << ", q is " << q;
  if (lse.getShape() != q.getShape().drop_back() ||
      !lse.getElementType().isF32())
    return op->emitOpError("lse is ")
           << lse << ", wanted f32 of q's shape without head_dim";
  return success();
}

LogicalResult SdpaOp::verify() {
  return verifyAttention(*this, typeOf(getQ()), typeOf(getK()), typeOf(getV()),
                         typeOf(getOut()), typeOf(getLse()), getCausal());
}

LogicalResult SdpaBackwardOp::verify() {
  if (getDout().getType() != getOut().getType())
    return emitOpError("dout and out have different types");
  // Gradients may be partial where what they belong to is not.
  auto fits = [](Value gradient, Value of) {
    return globalType(typeOf(gradient)) == globalType(typeOf(of));
  };
  if (!fits(getDq(), getQ()) || !fits(getDk(), getK()) ||
      !fits(getDv(), getV()))
    return emitOpError("gradients have the types of what they belong to");
  return verifyAttention(*this, typeOf(getQ()), typeOf(getK()), typeOf(getV()),
                         typeOf(getOut()), typeOf(getLse()), getCausal());
}

//===----------------------------------------------------------------------===//
// Loss
//===----------------------------------------------------------------------===//

static LogicalResult verifyLoss(Operation *op, RankedTensorType classes,
                                RankedTensorType targets) {
  if (classes.getRank() < 1 ||
      classes.getShape().drop_back() != targets.getShape())
    return op->emitOpError("targets ")
           << targets << " do not index the last dimension of " << classes;
  if (!targets.getElementType().isSignlessInteger(64))
    return op->emitOpError("targets are i64");
  if (!classes.getElementType().isF32() && !classes.getElementType().isF64())
    return op->emitOpError("the loss is computed in f32 or f64, not ")
           << classes.getElementType();
  return success();
}

LogicalResult CrossEntropyOp::verify() {
  if (getLogProbs().getType() != getLogits().getType())
    return emitOpError("log_probs and logits have different types");
  if (!typeOf(getCount()).getElementType().isSignlessInteger(64))
    return emitOpError("count is i64");
  return verifyLoss(*this, typeOf(getLogits()), typeOf(getTargets()));
}

LogicalResult CrossEntropyBackwardOp::verify() {
  if (getLogProbs().getType() != getDlogits().getType())
    return emitOpError("log_probs and dlogits have different types");
  return verifyLoss(*this, typeOf(getLogProbs()), typeOf(getTargets()));
}

//===----------------------------------------------------------------------===//
// Optimizer step
//===----------------------------------------------------------------------===//

LogicalResult AccumulateOp::verify() {
  if (typeOf(getAcc()).getShape() != typeOf(getValue()).getShape())
    return emitOpError("shapes of accumulator and added value differ");
  unsigned accBits = typeOf(getAcc()).getElementTypeBitWidth();
  if (accBits < 32 || accBits < typeOf(getValue()).getElementTypeBitWidth())
    return emitOpError("sums accumulate in 32 bits or more, and no fewer than "
                       "what is added has, not in ")
           << typeOf(getAcc()).getElementType();
  return success();
}

LogicalResult WeightGradOp::verify() {
  ArrayRef<int64_t> dout = typeOf(getDout()).getShape();
  ArrayRef<int64_t> input = typeOf(getInput()).getShape();
  if (dout.empty() || input.empty() || dout.drop_back() != input.drop_back())
    return emitOpError("dout and input differ in more than the last dimension");
  if (typeOf(getResult()).getShape() !=
      ArrayRef<int64_t>({dout.back(), input.back()}))
    return emitOpError("the result is ")
           << getResult().getType() << ", wanted [" << dout.back() << ", "
           << input.back() << "]";
  return success();
}

LogicalResult AdamWOp::verify() {
  if (getVariant() != "adamw" && getVariant() != "adamw_fp32OptState")
    return emitOpError("unknown variant '")
           << getVariant() << "'; known are adamw, adamw_fp32OptState";
  return success();
}

LogicalResult SgdOp::verify() {
  bool wantsBuffer = getMomentum().convertToDouble() != 0.0;
  if (wantsBuffer != static_cast<bool>(getMomentumBuffer()) ||
      wantsBuffer != static_cast<bool>(getNewMomentumBuffer()))
    return emitOpError("a momentum buffer goes in and out exactly if momentum "
                       "is not 0");
  if (getNesterov() && (!wantsBuffer || !getDampening().isZero()))
    return emitOpError("nesterov needs momentum and no dampening");
  if (getNewParam().getType() != getParam().getType())
    return emitOpError("new and old parameter have different types");
  return success();
}
