//===- OptimizerLowering.cpp - updates in place ---------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "TypedLowering.h"

using namespace mlir;
using namespace nxdt;

void nxdt::callInPlace(AtenBuilder &aten, StringRef callee, ArrayRef<Arg> args,
                       ArrayRef<int32_t> mutates, bool returnsSelf) {
  SmallVector<Type> results;
  if (returnsSelf)
    results.push_back(std::get<Value>(args[0].value).getType());
  AtenOp op = aten.callMulti(callee, args, results);
  op.setMutatesAttr(aten.builder.getDenseI32ArrayAttr(mutates));
}

static Value f64(AtenBuilder &aten, Value value) {
  return aten.cast(value, Float64Type::get(value.getContext()));
}

/// 1 - base^step, an f64 scalar.
static Value biasCorrection(AtenBuilder &aten, double base, Value step) {
  Value power = aten.call("aten::pow.Scalar", {base, f64(aten, step)});
  return aten.call("aten::rsub.Scalar", {power, 1.0, 1});
}

/// p <- p (1 - lr * decay).
static void decay(AtenBuilder &aten, Value param, Value lr,
                  double weightDecay) {
  if (weightDecay == 0)
    return;
  Value keep =
      aten.call("aten::rsub.Scalar", {aten.mul(lr, weightDecay), 1.0, 1});
  callInPlace(aten, "aten::mul_.Tensor", {param, keep}, {0});
}

/// NxD's AdamW: eps joins the uncorrected sqrt(v), decay comes last.
static Lowered lowerFp32OptState(AtenBuilder &aten, AdamWOp op) {
  double beta1 = op.getBeta1().convertToDouble();
  double beta2 = op.getBeta2().convertToDouble();
  Value grad = aten.mul(op.getGrad(), op.getScale());
  Value m = op.getExpAvg(), v = op.getExpAvgSq(), p = op.getParam();
  callInPlace(aten, "aten::mul_.Scalar", {m, beta1}, {0});
  callInPlace(aten, "aten::add_.Tensor", {m, grad, 1 - beta1}, {0});
  callInPlace(aten, "aten::mul_.Scalar", {v, beta2}, {0});
  callInPlace(aten, "aten::addcmul_", {v, grad, grad, 1 - beta2}, {0});
  Value lr = f64(aten, op.getLr());
  Value size = lr;
  if (op.getCorrectBias()) {
    Value root =
        aten.call("aten::sqrt", {biasCorrection(aten, beta2, op.getStep())});
    size =
        aten.div(aten.mul(lr, root), biasCorrection(aten, beta1, op.getStep()));
  }
  Value denominator =
      aten.call("aten::add.Scalar", {aten.call("aten::sqrt", {v}),
                                     op.getEps().convertToDouble(), 1});
  Value direction = aten.div(m, denominator);
  callInPlace(aten, "aten::sub_.Tensor", {p, aten.mul(direction, size), 1},
              {0});
  decay(aten, p, lr, op.getWeightDecay().convertToDouble());
  return {p, m, v};
}

Lowered nxdt::lowerAdamW(AtenBuilder &aten, AdamWOp op, Value inverseScale) {
  if (op.getVariant() == "adamw_fp32OptState")
    return lowerFp32OptState(aten, op);
  // The kernel divides the gradients by `grad_scale` and stores them back.
  auto list = [](Value value) { return SmallVector<Value>{value}; };
  callInPlace(
      aten, "aten::_fused_adamw_.tensor_lr",
      {list(op.getParam()), list(op.getGrad()), list(op.getExpAvg()),
       list(op.getExpAvgSq()), SmallVector<Value>{}, list(op.getStep()),
       op.getLr(), op.getBeta1().convertToDouble(),
       op.getBeta2().convertToDouble(), op.getWeightDecay().convertToDouble(),
       op.getEps().convertToDouble(), false, false, inverseScale, kNone},
      {0, 1, 2, 3}, /*returnsSelf=*/false);
  return {op.getParam(), op.getExpAvg(), op.getExpAvgSq()};
}

Lowered nxdt::lowerSgd(AtenBuilder &aten, SgdOp op) {
  Value p = op.getParam();
  Value grad = aten.mul(op.getGrad(), op.getScale());
  if (double weightDecay = op.getWeightDecay().convertToDouble())
    grad = aten.call("aten::add.Tensor", {grad, p, weightDecay});
  Value direction = grad;
  Lowered results = {p};
  if (Value buffer = op.getMomentumBuffer()) {
    double momentum = op.getMomentum().convertToDouble();
    double dampening = op.getDampening().convertToDouble();
    callInPlace(aten, "aten::mul_.Scalar", {buffer, momentum}, {0});
    Value added = grad;
    if (dampening != 0) {
      // The first step takes the gradient whole: the buffer is zero then.
      Value later = aten.call("aten::gt.Scalar", {op.getStep(), 1.0});
      Value damp = aten.mul(f64(aten, later), -dampening);
      added = aten.mul(grad, aten.call("aten::add.Scalar", {damp, 1.0, 1}));
    }
    callInPlace(aten, "aten::add_.Tensor", {buffer, added, 1}, {0});
    direction = op.getNesterov()
                    ? aten.call("aten::add.Tensor", {grad, buffer, momentum})
                    : buffer;
    results.push_back(buffer);
  }
  callInPlace(aten, "aten::sub_.Tensor",
              {p, aten.mul(direction, f64(aten, op.getLr())), 1}, {0});
  return results;
}
