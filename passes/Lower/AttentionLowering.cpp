//===- AttentionLowering.cpp - nxdt.sdpa as libtorch kernels --------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "TypedLowering.h"

using namespace mlir;
using namespace nxdt;

/// [B, Hkv, T, D] -> [B, Hq, T, D], each head repeated for its query heads.
static Value repeatHeads(AtenBuilder &aten, Value value, int64_t queryHeads) {
  ArrayRef<int64_t> s = typeOf(value).getShape();
  int64_t repeats = queryHeads / s[1];
  if (repeats == 1)
    return value;
  Value wide = aten.call("aten::unsqueeze", {value, 2});
  wide = aten.call(
      "aten::expand",
      {wide, SmallVector<int64_t>{s[0], s[1], repeats, s[2], s[3]}, false});
  return aten.reshape(wide, {s[0], queryHeads, s[2], s[3]});
}

/// The gradient of repeatHeads.
static Value sumHeads(AtenBuilder &aten, Value grad, RankedTensorType type) {
  ArrayRef<int64_t> s = type.getShape();
  int64_t queryHeads = typeOf(grad).getDimSize(1);
  if (queryHeads == s[1])
    return grad;
  Value split = aten.reshape(grad, {s[0], s[1], queryHeads / s[1], s[2], s[3]});
  return aten.sum(split, {2}, false);
}

/// Scaled and masked scores in f32, the plain way, on any device.
static Value maskedScores(AtenBuilder &aten, Value q, Value k, double scale,
                          bool causal) {
  Value scores = aten.mul(
      aten.call("aten::matmul", {q, aten.transpose(k, -2, -1)}), scale);
  Type f32 = Float32Type::get(q.getContext());
  scores = aten.cast(scores, f32);
  if (!causal)
    return scores;
  int64_t size = typeOf(q).getDimSize(2);
  Type i1 = IntegerType::get(q.getContext(), 1);
  Value ones = aten.call(
      "aten::full", {SmallVector<int64_t>{size, size}, true, i1, kNone,
                     Arg(Attribute(DeviceAttr::get(q.getContext()))), kNone});
  Value masked = aten.call("aten::triu", {ones, 1});
  return aten.call("aten::masked_fill.Scalar",
                   {scores, masked, -std::numeric_limits<double>::infinity()});
}

Lowered nxdt::lowerSdpa(AtenBuilder &aten, SdpaOp op, bool cpuKernel) {
  int64_t heads = typeOf(op.getQ()).getDimSize(1);
  Value k = repeatHeads(aten, op.getK(), heads);
  Value v = repeatHeads(aten, op.getV(), heads);
  double scale = op.getScale().convertToDouble();
  if (cpuKernel) {
    AtenOp call =
        aten.callMulti("aten::_scaled_dot_product_flash_attention_for_cpu",
                       {op.getQ(), k, v, 0.0, op.getCausal(), kNone, scale},
                       op->getResultTypes());
    return {call->getResult(0), call->getResult(1)};
  }
  Value scores = maskedScores(aten, op.getQ(), k, scale, op.getCausal());
  Value lse = aten.callMulti("aten::logsumexp",
                             {scores, SmallVector<int64_t>{-1}, false},
                             op.getLse().getType())
                  ->getResult(0);
  Value probs = aten.call("aten::softmax.int", {scores, -1, kNone});
  probs = aten.cast(probs, typeOf(v).getElementType());
  return {aten.call("aten::matmul", {probs, v}), lse};
}

Lowered nxdt::lowerSdpaBackward(AtenBuilder &aten, SdpaBackwardOp op,
                                bool cpuKernel) {
  int64_t heads = typeOf(op.getQ()).getDimSize(1);
  Value k = repeatHeads(aten, op.getK(), heads);
  Value v = repeatHeads(aten, op.getV(), heads);
  double scale = op.getScale().convertToDouble();
  Value dq, dk, dv;
  if (cpuKernel) {
    AtenOp call = aten.callMulti(
        "aten::_scaled_dot_product_flash_attention_for_cpu_backward",
        {op.getDout(), op.getQ(), k, v, op.getOut(), op.getLse(), 0.0,
         op.getCausal(), kNone, scale},
        {op.getQ().getType(), k.getType(), v.getType()});
    dq = call->getResult(0), dk = call->getResult(1), dv = call->getResult(2);
  } else {
    // P = exp(S - lse); dS = P (dO V^T - rowsum(dO O)).
    Type f32 = Float32Type::get(op.getContext());
    Type element = typeOf(op.getQ()).getElementType();
    Value scores = maskedScores(aten, op.getQ(), k, scale, op.getCausal());
    Value lse = aten.call("aten::unsqueeze", {op.getLse(), -1});
    Value probs = aten.call("aten::exp", {aten.sub(scores, lse)});
    Value dout = aten.cast(op.getDout(), f32);
    Value delta = aten.sum(aten.mul(dout, aten.cast(op.getOut(), f32)), {-1},
                           /*keepDim=*/true);
    Value dprobs = aten.cast(
        aten.call("aten::matmul", {op.getDout(), aten.transpose(v, -2, -1)}),
        f32);
    Value dscores = aten.mul(aten.mul(probs, aten.sub(dprobs, delta)), scale);
    dscores = aten.cast(dscores, element);
    dv = aten.call(
        "aten::matmul",
        {aten.transpose(aten.cast(probs, element), -2, -1), op.getDout()});
    dq = aten.call("aten::matmul", {dscores, k});
    dk =
        aten.call("aten::matmul", {aten.transpose(dscores, -2, -1), op.getQ()});
  }
  return {dq, sumHeads(aten, dk, typeOf(op.getK())),
          sumHeads(aten, dv, typeOf(op.getV()))};
}
