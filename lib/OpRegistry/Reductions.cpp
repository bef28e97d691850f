//===- Reductions.cpp - sums along dims ---===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Families.h"

using namespace mlir;
using namespace nxdt;

/// `op(self, dims, keepdim, dtype)`.
static Infer inferDims(const CallArgs &args) {
  RankedTensorType type = args.type(0);
  if (!type)
    return failure();
  auto dims = wrapDims(args.integers(1), type.getRank());
  if (!dims)
    return failure();
  Type element = args.dtype(3);
  return ResultTypes{RankedTensorType::get(
      reducedShape(type, *dims, args.boolean(2).value_or(false)),
      element ? element : summed(type.getElementType()))};
}

/// `op(self, *, dtype)`.
static Infer inferAll(const CallArgs &args) {
  RankedTensorType type = args.type(0);
  if (!type)
    return failure();
  Type element = args.dtype(1);
  return ResultTypes{RankedTensorType::get(
      {}, element ? element : summed(type.getElementType()))};
}

/// The gradient of a reduced tensor, broadcast back to the operand's shape.
static Value broadcastBack(VjpContext &ctx, Value grad,
                           ArrayRef<int64_t> dims) {
  return ctx.call("aten::expand", {keepDims(ctx, grad, ctx.type(0), dims),
                                   ctx.type(0).getShape(), false});
}

static void registerSums(OpRegistry &registry) {
  for (bool all : {false, true}) {
    auto dimsOf = [all](VjpContext &ctx) {
      return *wrapDims(all ? std::nullopt : ctx.args.integers(1),
                       ctx.type(0).getRank());
    };
    auto rule = [all](FactorKind kind) {
      return each({0}, all ? reducing(kind) : reducing(kind, 1, 2));
    };
    add(registry, all ? "aten::sum" : "aten::sum.dim_IntList",
        rule(FactorKind::Reduce), all ? inferAll : inferDims,
        [dimsOf](VjpContext &ctx) {
          ctx.set(0, broadcastBack(ctx, ctx.grad(), dimsOf(ctx)));
        });
    // Divided by the size of a part, means of parts do not add up.
    add(registry, all ? "aten::mean" : "aten::mean.dim",
        rule(FactorKind::Whole), all ? inferAll : inferDims,
        [dimsOf](VjpContext &ctx) {
          Shape dims = dimsOf(ctx);
          Value scaled =
              ctx.call("aten::div.Scalar",
                       {ctx.grad(), reducedCount(ctx.type(0), dims)});
          ctx.set(0, broadcastBack(ctx, scaled, dims));
        });
  }
}

/// any and all: one bool, but u8 for u8.
static Type truth(RankedTensorType type) {
  Type element = type.getElementType();
  return element.isInteger(8) ? element : i1(element);
}

static void registerTruths(OpRegistry &registry) {
  // No collective takes bools: what is reduced to one is whole.
  for (StringRef op : {"any", "all"}) {
    constant(registry, ("aten::" + op).str(), kWhole).infer =
        [](const CallArgs &args) -> Infer {
      if (!args.type(0))
        return failure();
      return ResultTypes{RankedTensorType::get({}, truth(args.type(0)))};
    };
    constant(registry, ("aten::" + op + ".dim").str(),
             reducing(FactorKind::Whole, 1, 2))
        .infer = [](const CallArgs &args) -> Infer {
      RankedTensorType type = args.type(0);
      if (!type)
        return failure();
      auto dim = wrapDim(args.integer(1), type.getRank());
      if (!dim)
        return failure();
      return ResultTypes{RankedTensorType::get(
          reducedShape(type, {*dim}, args.boolean(2).value_or(false)),
          truth(type))};
    };
  }
}

/// cumsum(self, dim, dtype): the gradient is summed from the other end.
static void registerScans(OpRegistry &registry) {
  add(
      registry, "aten::cumsum", each({0}, wholeAlong(1)),
      [](const CallArgs &args) -> Infer {
        RankedTensorType type = args.type(0);
        if (!type || !wrapDim(args.integer(1), type.getRank()))
          return failure();
        Type element = args.dtype(2);
        return ResultTypes{withElement(
            type, element ? element : summed(type.getElementType()))};
      },
      [](VjpContext &ctx) {
        if (ctx.type(0).getRank() == 0)
          return ctx.set(0, ctx.grad());
        Shape dims = {*ctx.args.integer(1)};
        Value back = ctx.call("aten::flip", {ctx.grad(), dims});
        back = ctx.call("aten::cumsum", {back, dims[0], kNone});
        ctx.set(0, ctx.call("aten::flip", {back, dims}));
      });
}

void nxdt::registerReductions(OpRegistry &registry) {
  registerSums(registry);
  registerTruths(registry);
  registerScans(registry);
}
