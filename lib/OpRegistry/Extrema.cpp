//===- Extrema.cpp - largest, smallest, sorted ---===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Families.h"

using namespace mlir;
using namespace nxdt;

/// Ties share the gradient of `out`, an extremum of operand 0 over these dims.
static void sharedVjp(VjpContext &ctx, ArrayRef<int64_t> dims) {
  RankedTensorType type = ctx.type(0);
  Value out = keepDims(ctx, ctx.out(), type, dims);
  Value grad = keepDims(ctx, ctx.grad(), type, dims);
  Value winners = ctx.call("aten::eq.Tensor", {ctx.in(0), out});
  Value count = winners;
  if (!dims.empty())
    count = ctx.sum(winners, dims, /*keepDim=*/true);
  ctx.set(0, ctx.mul(ctx.div(grad, count), winners));
}

/// (values, indices) picked along a dim; what was picked gets the gradient.
static void pickedVjp(VjpContext &ctx, int64_t dim, bool keepsDim) {
  if (!ctx.grad(0))
    return;
  ctx.set(0, ctx.call("aten::value_selecting_reduction_backward",
                      {ctx.grad(0), dim, ctx.out(1), ctx.type(0).getShape(),
                       keepsDim}));
}

static Infer valuesAndIndices(RankedTensorType like, ArrayRef<int64_t> shape) {
  Type element = like.getElementType();
  return ResultTypes{RankedTensorType::get(shape, element),
                     RankedTensorType::get(shape, i64(element))};
}

static void registerAll(OpRegistry &registry) {
  for (StringRef op : {"max", "min"}) {
    // No collective takes minima: what is reduced to one is whole.
    bool isMax = op == "max";
    add(
        registry, ("aten::" + op).str(), isMax ? maximising() : RuleOf(kWhole),
        [](const CallArgs &args) -> Infer {
          if (!args.type(0) || args.type(0).getNumElements() == 0)
            return failure();
          return shaped(args.type(0), {});
        },
        [](VjpContext &ctx) {
          sharedVjp(ctx, *wrapDims(std::nullopt, ctx.type(0).getRank()));
        });
    // amax(self, dims, keepdim)
    add(
        registry, ("aten::a" + op).str(),
        isMax ? maximising(1, 2) : reducing(FactorKind::Whole, 1, 2),
        [](const CallArgs &args) -> Infer {
          RankedTensorType type = args.type(0);
          if (!type)
            return failure();
          auto dims = wrapDims(args.integers(1), type.getRank());
          if (!dims)
            return failure();
          return shaped(
              type, reducedShape(type, *dims, args.boolean(2).value_or(false)));
        },
        [](VjpContext &ctx) {
          sharedVjp(ctx,
                    *wrapDims(ctx.args.integers(1), ctx.type(0).getRank()));
        });
    // max(self, dim, keepdim)
    add(
        registry, ("aten::" + op + ".dim").str(),
        reducing(FactorKind::Whole, 1, 2),
        [](const CallArgs &args) -> Infer {
          RankedTensorType type = args.type(0);
          if (!type)
            return failure();
          auto dim = wrapDim(args.integer(1), type.getRank());
          if (!dim)
            return failure();
          return valuesAndIndices(
              type,
              reducedShape(type, {*dim}, args.boolean(2).value_or(false)));
        },
        [](VjpContext &ctx) {
          pickedVjp(ctx, *ctx.args.integer(1), *ctx.args.boolean(2));
        });
    // argmax(self, dim, keepdim)
    constant(registry, ("aten::arg" + op).str(),
             reducing(FactorKind::Whole, 1, 2))
        .infer = [](const CallArgs &args) -> Infer {
      RankedTensorType type = args.type(0);
      if (!type)
        return failure();
      Shape dims;
      if (args.has(1)) {
        auto dim = wrapDim(args.integer(1), type.getRank());
        if (!dim)
          return failure();
        dims.push_back(*dim);
      } else {
        dims = *wrapDims(std::nullopt, type.getRank());
      }
      return ResultTypes{RankedTensorType::get(
          reducedShape(type, dims, args.boolean(2).value_or(false)),
          i64(type.getElementType()))};
    };
  }
}

static void registerOrders(OpRegistry &registry) {
  // sort(self, dim, descending)
  add(
      registry, "aten::sort", wholeAlong(1),
      [](const CallArgs &args) -> Infer {
        RankedTensorType type = args.type(0);
        if (!type || !wrapDim(args.integer(1), type.getRank()))
          return failure();
        return valuesAndIndices(type, type.getShape());
      },
      [](VjpContext &ctx) {
        pickedVjp(ctx, *ctx.args.integer(1), /*keepsDim=*/true);
      });
  constant(registry, "aten::argsort", wholeAlong(1)).infer =
      [](const CallArgs &args) -> Infer {
    RankedTensorType type = args.type(0);
    if (!type || !wrapDim(args.integer(1), type.getRank()))
      return failure();
    return ResultTypes{withElement(type, i64(type.getElementType()))};
  };
  // topk(self, k, dim, largest, sorted)
  add(
      registry, "aten::topk", wholeAlong(2),
      [](const CallArgs &args) -> Infer {
        RankedTensorType type = args.type(0);
        auto k = args.integer(1);
        if (!type || !k || *k < 0)
          return failure();
        auto dim = wrapDim(args.integer(2), type.getRank());
        if (!dim || (type.getRank() && *k > type.getDimSize(*dim)))
          return failure();
        Shape shape(type.getShape());
        if (type.getRank())
          shape[*dim] = *k;
        return valuesAndIndices(type, shape);
      },
      [](VjpContext &ctx) {
        pickedVjp(ctx, *ctx.args.integer(2), /*keepsDim=*/true);
      });
  // (grad, dim, indices, sizes, keepdim); only built by gradients.
  OpInfo &back = registry.add("aten::value_selecting_reduction_backward");
  back.infer = [](const CallArgs &args) -> Infer {
    if (!args.type(0) || !args.integers(3))
      return failure();
    return shaped(args.type(0), *args.integers(3));
  };
  back.sharding = each({0}, inserting(1));
  back.localArgs = shapeAt(3);
}

void nxdt::registerExtrema(OpRegistry &registry) {
  registerAll(registry);
  registerOrders(registry);
}
