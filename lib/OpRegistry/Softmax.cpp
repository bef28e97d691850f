//===- Softmax.cpp - softmax and its kin ---===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Families.h"

using namespace mlir;
using namespace nxdt;

/// softmax(self, dim, dtype)
static Infer inferSoftmax(const CallArgs &args) {
  RankedTensorType type = args.type(0);
  if (!type || !wrapDim(args.integer(1), type.getRank()))
    return failure();
  Type element = args.dtype(2);
  return ResultTypes{element ? withElement(type, element) : type};
}

/// _softmax(self, dim, half_to_float)
static Infer inferKernel(const CallArgs &args) {
  RankedTensorType type = args.type(0);
  if (!type || !wrapDim(args.integer(1), type.getRank()))
    return failure();
  return ResultTypes{args.boolean(2).value_or(false)
                         ? withElement(type, f32(type.getElementType()))
                         : type};
}

void nxdt::registerSoftmax(OpRegistry &registry) {
  for (StringRef op : {"softmax", "log_softmax"}) {
    std::string backward = ("aten::_" + op + "_backward_data").str();
    auto vjp = [backward](VjpContext &ctx) {
      ctx.set(0,
              ctx.call(backward, {ctx.grad(), ctx.out(), Arg(ctx.args.attr(1)),
                                  typeOf(ctx.out()).getElementType()}));
    };
    add(registry, ("aten::" + op + ".int").str(), wholeAlong(1), inferSoftmax,
        vjp);
    add(registry, ("aten::_" + op).str(), wholeAlong(1), inferKernel, vjp);
    // (grad, output, dim, input_dtype): the dtype says only what the forward
    // widened from. On the CPU, all types are equal.
    OpInfo &kernel = registry.add(backward);
    kernel.infer = [](const CallArgs &args) -> Infer {
      if (!args.type(0) || !args.dtype(3))
        return failure();
      return ResultTypes{args.type(0)};
    };
    kernel.sharding = each({0}, wholeAlong(2));
  }
  // logsumexp(self, dims, keepdim)
  add(
      registry, "aten::logsumexp", reducing(FactorKind::Whole, 1, 2),
      [](const CallArgs &args) -> Infer {
        RankedTensorType type = args.type(0);
        if (!type)
          return failure();
        auto dims = wrapDims(args.integers(1), type.getRank());
        if (!dims)
          return failure();
        return ResultTypes{RankedTensorType::get(
            reducedShape(type, *dims, args.boolean(2).value_or(false)),
            floating(type.getElementType()))};
      },
      [](VjpContext &ctx) {
        RankedTensorType type = ctx.type(0);
        Shape dims = *wrapDims(ctx.args.integers(1), type.getRank());
        Value shifted =
            ctx.sub(ctx.in(0), keepDims(ctx, ctx.out(), type, dims));
        ctx.set(0, ctx.mul(keepDims(ctx, ctx.grad(), type, dims),
                           ctx.call("aten::exp", {shifted})));
      });
}
