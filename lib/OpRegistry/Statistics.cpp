//===- Statistics.cpp - variances and norms ---===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Families.h"

#include <cmath>

using namespace mlir;
using namespace nxdt;

//===----------------------------------------------------------------------===//
// Variances
//===----------------------------------------------------------------------===//

namespace {
/// What the overloads of var and std say in their own ways.
struct Spread {
  Shape dims;
  double correction = 1;
  bool keepDim = false;
};
enum class Overload { All, Dims, Correction };
} // namespace

static std::optional<Spread> spreadOf(const CallArgs &args, Overload overload) {
  RankedTensorType type = args.type(0);
  if (!type || !isFloat(type))
    return std::nullopt;
  Spread spread;
  auto dims =
      wrapDims(overload == Overload::All ? std::nullopt : args.integers(1),
               type.getRank());
  if (!dims)
    return std::nullopt;
  spread.dims = *dims;
  if (overload == Overload::Correction)
    spread.correction = args.number(2).value_or(1);
  else
    spread.correction =
        args.boolean(overload == Overload::All ? 1 : 2).value_or(true);
  spread.keepDim = overload != Overload::All && args.boolean(3).value_or(false);
  return spread;
}

/// grad * 2 / (n - correction) * (x - mean)
static Value varianceBack(VjpContext &ctx, Value grad, const Spread &spread) {
  RankedTensorType type = ctx.type(0);
  double count = reducedCount(type, spread.dims) - spread.correction;
  Value mean =
      spread.dims.empty()
          ? ctx.in(0)
          : ctx.call("aten::mean.dim", {ctx.in(0), spread.dims, true, kNone});
  Value centred = ctx.sub(ctx.in(0), mean);
  return ctx.mul(keepDims(ctx, grad, type, spread.dims),
                 ctx.mul(centred, 2 / std::max(count, 0.0)));
}

/// The gradient of a deviation as that of the variance; 0 where it is 0.
static Value deviationBack(VjpContext &ctx, Value grad, Value deviation) {
  Value twice = ctx.mul(deviation, 2.0);
  Value flat = ctx.call("aten::eq.Scalar", {deviation, 0});
  return ctx.call("aten::where.ScalarSelf", {flat, 0.0, ctx.div(grad, twice)});
}

static void registerSpread(OpRegistry &registry, StringRef callee,
                           Overload overload, bool isDeviation, bool withMean) {
  OpInfo &info = registry.add(callee);
  info.infer = [=](const CallArgs &args) -> Infer {
    auto spread = spreadOf(args, overload);
    if (!spread)
      return failure();
    Infer one = shaped(args.type(0), reducedShape(args.type(0), spread->dims,
                                                  spread->keepDim));
    if (withMean && succeeded(one))
      one->push_back(one->front());
    return one;
  };
  // Variances are no sums of variances: over all dims, all are whole.
  if (overload != Overload::All)
    info.sharding = [=](AtenOp op, const CallArgs &args) {
      Spread spread = *spreadOf(args, overload);
      return reductionRule(op, spread.dims, spread.keepDim, FactorKind::Whole);
    };
  info.vjp = [=](VjpContext &ctx) {
    Spread spread = *spreadOf(ctx.args, overload);
    if (Value grad = ctx.grad()) {
      if (isDeviation)
        grad = deviationBack(ctx, grad, ctx.out());
      ctx.set(0, varianceBack(ctx, grad, spread));
    }
    if (!withMean || !ctx.grad(1))
      return;
    RankedTensorType type = ctx.type(0);
    Value scaled = ctx.call("aten::div.Scalar",
                            {ctx.grad(1), reducedCount(type, spread.dims)});
    ctx.set(0,
            ctx.call("aten::expand", {keepDims(ctx, scaled, type, spread.dims),
                                      type.getShape(), false}));
  };
}

//===----------------------------------------------------------------------===//
// Norms
//===----------------------------------------------------------------------===//

/// grad * d(norm)/dx for the p-norm over dims, in the norm's type.
static void normVjp(VjpContext &ctx, double p, ArrayRef<int64_t> dims) {
  RankedTensorType type = ctx.type(0);
  Value norm = keepDims(ctx, ctx.out(), type, dims);
  Value grad = keepDims(ctx, ctx.grad(), type, dims);
  Value x = ctx.cast(ctx.in(0), typeOf(norm).getElementType());
  auto sign = [&] { return ctx.call("aten::sgn", {x}); };
  auto zeroWhereZero = [&](Value tensor, Value value) {
    Value flat = ctx.call("aten::eq.Scalar", {tensor, 0});
    return ctx.call("aten::where.ScalarSelf", {flat, 0.0, value});
  };
  if (p == 0)
    return ctx.set(0, ctx.zeros(type));
  if (p == 1)
    return ctx.set(0, ctx.mul(grad, sign()));
  if (p == 2)
    return ctx.set(0, ctx.mul(zeroWhereZero(norm, ctx.div(grad, norm)), x));
  Value size = ctx.call("aten::abs", {x});
  if (std::isinf(p)) {
    // Ties share the gradient.
    Value winners = ctx.call("aten::eq.Tensor", {size, norm});
    Value count = winners;
    if (!dims.empty())
      count = ctx.sum(winners, dims, /*keepDim=*/true);
    return ctx.set(0, ctx.mul(ctx.mul(ctx.div(grad, count), winners), sign()));
  }
  Value slope =
      ctx.mul(sign(), ctx.call("aten::pow.Tensor_Scalar", {size, p - 1}));
  Value scale = ctx.call("aten::pow.Tensor_Scalar", {norm, 1 - p});
  Value whole = zeroWhereZero(norm, ctx.mul(grad, scale));
  ctx.set(0, zeroWhereZero(x, ctx.mul(whole, slope)));
}

/// (self, p, dims, keepdim, dtype); the positions that an overload lacks are
/// past its end.
static Infer inferNorm(const CallArgs &args) {
  RankedTensorType type = args.type(0);
  if (!type || !isFloat(type))
    return failure();
  auto dims = wrapDims(args.integers(2), type.getRank());
  if (!dims)
    return failure();
  Type element = args.dtype(4);
  return ResultTypes{RankedTensorType::get(
      reducedShape(type, *dims, args.boolean(3).value_or(false)),
      element ? element : type.getElementType())};
}

/// Sums of sizes and counts are sums over parts, the largest size is the
/// largest over parts; other norms are no sums of norms.
static ShardingRule normRule(AtenOp op, const CallArgs &args) {
  double p = args.number(1).value_or(2);
  bool isMax = p == INFINITY;
  ShardingRule rule = reductionRule(
      op, *wrapDims(args.integers(2), args.type(0).getRank()),
      args.boolean(3).value_or(false),
      p == 0 || p == 1 || isMax ? FactorKind::Reduce : FactorKind::Whole);
  if (isMax)
    rule.reduction = Reduction::Max;
  return rule;
}

void nxdt::registerStatistics(OpRegistry &registry) {
  for (bool isDeviation : {false, true}) {
    std::string op = isDeviation ? "aten::std" : "aten::var";
    registerSpread(registry, op, Overload::All, isDeviation, false);
    registerSpread(registry, op + ".dim", Overload::Dims, isDeviation, false);
    registerSpread(registry, op + ".correction", Overload::Correction,
                   isDeviation, false);
    registerSpread(registry, op + "_mean.correction", Overload::Correction,
                   isDeviation, true);
  }
  for (StringRef name : {"aten::linalg_vector_norm", "aten::norm.Scalar",
                         "aten::norm.ScalarOpt_dim"})
    add(registry, name, normRule, inferNorm, [](VjpContext &ctx) {
      normVjp(ctx, ctx.args.number(1).value_or(2),
              *wrapDims(ctx.args.integers(2), ctx.type(0).getRank()));
    });
}
