//===- LossAndAttention.cpp - fused kernels and normalisation -------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Families.h"

using namespace mlir;
using namespace nxdt;

/// layer_norm(input, normalized_shape, weight, bias, eps, cudnn_enable), from
/// its statistics recomputed: with x^ the normalised input and g' = g * weight,
/// dx = rstd * (g' - mean(g') - x^ * mean(g' x^)) over the normalised dims.
static void layerNormVjp(VjpContext &ctx) {
  RankedTensorType type = ctx.type(0);
  int64_t rank = type.getRank();
  int64_t normalised = ctx.args.integers(1)->size();
  SmallVector<int64_t> inner, outer;
  for (int64_t d = 0; d < rank; ++d)
    (d < rank - normalised ? outer : inner).push_back(d);
  auto mean = [&](Value value) {
    return ctx.call("aten::mean.dim", {value, inner, true, kNone});
  };
  // Statistics in f32 at least, as the kernel keeps them.
  Type element = type.getElementType();
  Type wide =
      element.isF64() ? element : Float32Type::get(element.getContext());
  Value x = ctx.cast(ctx.in(0), wide);
  Value centred = ctx.sub(x, mean(x));
  Value variance = mean(ctx.mul(centred, centred));
  Value rstd = ctx.call(
      "aten::rsqrt",
      {ctx.call("aten::add.Scalar", {variance, *ctx.args.number(4), 1})});
  Value normal = ctx.mul(centred, rstd);
  Value grad = ctx.cast(ctx.grad(), wide);
  auto overOuter = [&](Value value) {
    return outer.empty() ? value : ctx.sum(value, outer, false);
  };
  if (ctx.needs(2))
    ctx.set(2, overOuter(ctx.mul(grad, normal)));
  if (ctx.needs(3))
    ctx.set(3, overOuter(grad));
  if (!ctx.needs(0))
    return;
  if (ctx.in(2))
    grad = ctx.mul(grad, ctx.cast(ctx.in(2), wide));
  Value inner1 = ctx.sub(grad, mean(grad));
  Value inner2 = ctx.mul(normal, mean(ctx.mul(grad, normal)));
  ctx.set(0, ctx.mul(rstd, ctx.sub(inner1, inner2)));
}

void nxdt::registerLossAndAttention(OpRegistry &registry) {
  auto &layerNorm = registry.add("aten::layer_norm");
  layerNorm.infer = [](const CallArgs &args) -> FailureOr<ResultTypes> {
    if (!args.type(0) || !args.integers(1))
      return failure();
    return ResultTypes{args.type(0)};
  };
  layerNorm.vjp = layerNormVjp;

  // Kernels that typed ops are lowered to; built after autodiff only.
  auto &nll = registry.add("aten::nll_loss_forward");
  nll.infer = [](const CallArgs &args) -> FailureOr<ResultTypes> {
    if (!args.type(0))
      return failure();
    auto scalar = RankedTensorType::get({}, args.type(0).getElementType());
    return ResultTypes{scalar, scalar};
  };
  auto &nllBackward = registry.add("aten::nll_loss_backward");
  nllBackward.infer = [](const CallArgs &args) -> FailureOr<ResultTypes> {
    if (!args.type(1))
      return failure();
    return ResultTypes{args.type(1)};
  };
  auto &norm = registry.add("aten::linalg_vector_norm");
  norm.infer = [](const CallArgs &args) -> FailureOr<ResultTypes> {
    RankedTensorType type = args.type(0);
    if (!type || args.has(2))
      return failure();
    Type element = args.dtype(4);
    return ResultTypes{
        RankedTensorType::get({}, element ? element : type.getElementType())};
  };
}
