//===- Normalisation.cpp - layer, group and RMS norm ---===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Families.h"

#include <limits>

using namespace mlir;
using namespace nxdt;

namespace {
/// x normalised over its last dims, from statistics computed again in f32 at
/// least, as the kernels keep them.
struct Normalised {
  Value value; ///< (x - mean) * rstd, or x * rstd
  Value rstd;
  Shape inner; ///< the normalised dims
};
} // namespace

static Value meanOver(VjpContext &ctx, Value value, ArrayRef<int64_t> dims) {
  return ctx.call("aten::mean.dim", {value, dims, true, kNone});
}

static Normalised normalise(VjpContext &ctx, Value x, Shape inner, double eps,
                            bool centre) {
  if (centre)
    x = ctx.sub(x, meanOver(ctx, x, inner));
  Value variance = meanOver(ctx, ctx.mul(x, x), inner);
  Value rstd = ctx.call("aten::rsqrt",
                        {ctx.call("aten::add.Scalar", {variance, eps, 1})});
  return {ctx.mul(x, rstd), rstd, std::move(inner)};
}

/// dx = rstd * (g - mean(g) - x^ * mean(g x^)); without the mean if the norm
/// does not centre.
static Value normaliseBack(VjpContext &ctx, const Normalised &n, Value grad,
                           bool centre) {
  Value along =
      ctx.mul(n.value, meanOver(ctx, ctx.mul(grad, n.value), n.inner));
  Value rest = centre ? ctx.sub(grad, meanOver(ctx, grad, n.inner)) : grad;
  return ctx.mul(n.rstd, ctx.sub(rest, along));
}

/// (input, normalized_shape, weight, bias, eps, ...) and
/// (input, normalized_shape, weight, eps).
static Infer inferNorm(const CallArgs &args) {
  RankedTensorType type = args.type(0);
  auto inner = args.integers(1);
  if (!type || !inner || inner->empty() ||
      static_cast<int64_t>(inner->size()) > type.getRank() ||
      type.getShape().take_back(inner->size()) != *inner)
    return failure();
  for (unsigned i : {2, 3})
    if (args.type(i) && args.type(i).getShape() != *inner)
      return failure();
  return ResultTypes{type};
}

static void lastDimsVjp(VjpContext &ctx, std::optional<unsigned> bias,
                        double eps, bool centre) {
  RankedTensorType type = ctx.type(0);
  Shape inner, outer;
  for (int64_t d = 0; d < type.getRank(); ++d)
    (d < type.getRank() - static_cast<int64_t>(ctx.args.integers(1)->size())
         ? outer
         : inner)
        .push_back(d);
  Type element = wide(type.getElementType());
  Normalised n =
      normalise(ctx, ctx.cast(ctx.in(0), element), inner, eps, centre);
  Value grad = ctx.cast(ctx.grad(), element);
  auto overOuter = [&](Value value) {
    return outer.empty() ? value : ctx.sum(value, outer, false);
  };
  if (ctx.needs(2))
    ctx.set(2, overOuter(ctx.mul(grad, n.value)));
  if (bias && ctx.needs(*bias))
    ctx.set(*bias, overOuter(grad));
  if (!ctx.needs(0))
    return;
  if (ctx.in(2))
    grad = ctx.mul(grad, ctx.cast(ctx.in(2), element));
  ctx.set(0, normaliseBack(ctx, n, grad, centre));
}

/// group_norm(input [N, C, *], groups, weight [C], bias [C], eps)
static void groupNormVjp(VjpContext &ctx) {
  RankedTensorType type = ctx.type(0);
  ArrayRef<int64_t> sizes = type.getShape();
  int64_t groups = *ctx.args.integer(1);
  Type element = wide(type.getElementType());
  Shape split = {sizes[0], groups,
                 type.getNumElements() /
                     std::max<int64_t>(sizes[0] * groups, 1)};
  Shape channels(type.getRank(), 1), others;
  channels[1] = sizes[1];
  for (int64_t d = 0; d < type.getRank(); ++d)
    if (d != 1)
      others.push_back(d);
  Value x = ctx.reshape(ctx.cast(ctx.in(0), element), split);
  Normalised n = normalise(ctx, x, {2}, *ctx.args.number(4), /*centre=*/true);
  Value grad = ctx.cast(ctx.grad(), element);
  if (ctx.needs(2))
    ctx.set(2,
            ctx.sum(ctx.mul(grad, ctx.reshape(n.value, sizes)), others, false));
  if (ctx.needs(3))
    ctx.set(3, ctx.sum(grad, others, false));
  if (!ctx.needs(0))
    return;
  if (ctx.in(2))
    grad = ctx.mul(grad, ctx.reshape(ctx.cast(ctx.in(2), element), channels));
  Value back = normaliseBack(ctx, n, ctx.reshape(grad, split), true);
  ctx.set(0, ctx.reshape(back, sizes));
}

/// rms_norm's eps if none is given: that of the type it computes in.
static double defaultEps(Type element) {
  return element.isF64() ? std::numeric_limits<double>::epsilon()
                         : std::numeric_limits<float>::epsilon();
}

/// The normalised dims are whole; weight and bias broadcast over the others.
static ShardingRule lastDimsRule(AtenOp op, const CallArgs &args) {
  int64_t rank = args.type(0).getRank();
  int64_t outer = rank - args.integers(1)->size();
  return pointwiseRule(op, llvm::to_vector(llvm::seq<int64_t>(outer, rank)));
}

/// Channels are (groups, channels of a group).
static ShardingRule groupNormRule(AtenOp op, const CallArgs &args) {
  Sizes shape = resultShape(op);
  int64_t groups = *args.integer(1);
  ShardingRule rule;
  TensorFactors tensor = newFactors(rule, shape, FactorKind::Whole);
  tensor[0] = {rule.factor(shape[0])};
  tensor[1] = {rule.factor(groups),
               rule.factor(shape[1] / groups, FactorKind::Whole)};
  rule.operands.assign(op->getNumOperands(), {tensor[1]});
  rule.operands[0] = tensor;
  rule.results = {tensor};
  return rule;
}
static void localGroups(AtenOp op, ArrayRef<RankedTensorType> localResults,
                        MutableArrayRef<Attribute> args) {
  CallArgs call(op.getArgs(), op.getInputs());
  int64_t size = call.type(0).getDimSize(1) / *call.integer(1);
  if (size)
    args[1] = IntegerAttr::get(cast<IntegerAttr>(args[1]).getType(),
                               localResults[0].getDimSize(1) / size);
}

void nxdt::registerNormalisation(OpRegistry &registry) {
  auto flops = [](double perElement) {
    return [perElement](const CallArgs &args, TypeRange) {
      return perElement * args.type(0).getNumElements();
    };
  };
  add(registry, "aten::layer_norm", lastDimsRule, inferNorm,
      [](VjpContext &ctx) {
        lastDimsVjp(ctx, 3, *ctx.args.number(4), /*centre=*/true);
      })
      .flops = flops(8);
  add(registry, "aten::rms_norm", lastDimsRule, inferNorm, [](VjpContext &ctx) {
    double eps =
        ctx.args.number(3).value_or(defaultEps(ctx.type(0).getElementType()));
    lastDimsVjp(ctx, std::nullopt, eps, /*centre=*/false);
  }).flops = flops(5);
  OpInfo &groupNorm = add(
      registry, "aten::group_norm", groupNormRule,
      [](const CallArgs &args) -> Infer {
        RankedTensorType type = args.type(0);
        auto groups = args.integer(1);
        if (!type || !groups || type.getRank() < 2 || *groups < 1 ||
            type.getDimSize(1) % *groups)
          return failure();
        for (unsigned i : {2, 3})
          if (args.type(i) &&
              args.type(i).getShape() != ArrayRef(type.getDimSize(1)))
            return failure();
        return ResultTypes{type};
      },
      groupNormVjp);
  groupNorm.flops = flops(8);
  groupNorm.localArgs = localGroups;
}
