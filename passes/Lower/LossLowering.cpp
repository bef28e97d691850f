//===- LossLowering.cpp - losses, norms, weight gradients -----------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "TypedLowering.h"

using namespace mlir;
using namespace nxdt;

/// at::Reduction::Sum.
constexpr int64_t kSum = 2;

/// [..., V] as [N, V].
static Value rows(AtenBuilder &aten, Value value) {
  int64_t classes = typeOf(value).getShape().back();
  return aten.reshape(value,
                      {typeOf(value).getNumElements() / classes, classes});
}

static Value flat(AtenBuilder &aten, Value value) {
  return aten.reshape(value, {typeOf(value).getNumElements()});
}

Lowered nxdt::lowerCrossEntropy(AtenBuilder &aten, CrossEntropyOp op) {
  int64_t ignored = op.getIgnoreIndex();
  Value logProbs =
      aten.call("aten::_log_softmax", {rows(aten, op.getLogits()), 1, false});
  Type scalar = op.getLossSum().getType();
  AtenOp nll = aten.callMulti(
      "aten::nll_loss_forward",
      {logProbs, flat(aten, op.getTargets()), kNone, kSum, ignored},
      {scalar, scalar});
  // Counted in integers: the kernel's total weight is a float.
  Value counted = aten.call("aten::ne.Scalar", {op.getTargets(), ignored});
  Value count = aten.call("aten::sum", {counted, kNone});
  Value kept = aten.reshape(logProbs, typeOf(op.getLogProbs()).getShape());
  return {nll->getResult(0), count, kept};
}

Lowered nxdt::lowerCrossEntropyBackward(AtenBuilder &aten,
                                        CrossEntropyBackwardOp op) {
  Value logProbs = rows(aten, op.getLogProbs());
  auto type = typeOf(logProbs);
  // Summed losses are not divided by the total weight; the kernel asks for it
  // all the same.
  Value weight = aten.zeros(typeOf(op.getDloss()));
  Value grad =
      aten.callMulti("aten::nll_loss_backward",
                     {op.getDloss(), logProbs, flat(aten, op.getTargets()),
                      kNone, kSum, static_cast<int64_t>(op.getIgnoreIndex()),
                      weight},
                     type)
          ->getResult(0);
  Value dlogits = aten.call("aten::_log_softmax_backward_data",
                            {grad, logProbs, 1, type.getElementType()});
  return {aten.reshape(dlogits, typeOf(op.getDlogits()).getShape())};
}

Lowered nxdt::lowerWeightGrad(AtenBuilder &aten, WeightGradOp op) {
  Value dout = rows(aten, op.getDout()), input = rows(aten, op.getInput());
  return {aten.call("aten::mm", {aten.call("aten::t", {dout}), input})};
}

Lowered nxdt::lowerSquareSum(AtenBuilder &aten, SquareSumOp op) {
  Type element = typeOf(op.getSum()).getElementType();
  SmallVector<Value> norms;
  for (Value tensor : op.getTensors())
    norms.push_back(aten.call("aten::linalg_vector_norm",
                              {tensor, 2, kNone, false, element}));
  Value squares = aten.call("aten::pow.Tensor_Scalar",
                            {aten.call("aten::stack", {norms, 0}), 2});
  return {aten.call("aten::sum", {squares, kNone})};
}

Lowered nxdt::lowerGlobalNorm(AtenBuilder &aten, GlobalNormOp op) {
  Type element = typeOf(op.getNorm()).getElementType();
  auto norm = [&](Value value) {
    return aten.call("aten::linalg_vector_norm",
                     {value, 2, kNone, false, element});
  };
  SmallVector<Value> norms;
  for (Value tensor : op.getTensors())
    norms.push_back(norm(tensor));
  return {norm(aten.call("aten::stack", {norms, 0}))};
}

Lowered nxdt::lowerClipScale(AtenBuilder &aten, ClipScaleOp op) {
  Type element = typeOf(op.getAccNorm()).getElementType();
  Value count = aten.cast(op.getCount(), element);
  Value norm = aten.div(op.getAccNorm(), count);
  if (!op.getMaxNorm())
    return {norm, aten.call("aten::reciprocal", {count})};
  double maxNorm = op.getMaxNorm()->convertToDouble();
  Value factor =
      aten.mul(aten.call("aten::reciprocal",
                         {aten.call("aten::add.Scalar", {norm, 1e-6, 1})}),
               maxNorm);
  factor = aten.call("aten::clamp_max", {factor, 1.0});
  return {norm, aten.div(factor, count)};
}
