//===- Functions.cpp - functions of one variable ---===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Families.h"

#include <cmath>

using namespace mlir;
using namespace nxdt;

/// A function whose gradient is grad * slope(ctx).
static void withSlope(OpRegistry &registry, StringRef callee,
                      std::function<Value(VjpContext &)> slope) {
  add(registry, callee, elementwise(), inferFloatUnary,
      [slope](VjpContext &ctx) {
        ctx.set(0, ctx.mul(ctx.grad(), slope(ctx)));
      });
}
/// A function whose gradient is grad / divisor(ctx).
static void withDivisor(OpRegistry &registry, StringRef callee,
                        std::function<Value(VjpContext &)> divisor) {
  add(registry, callee, elementwise(), inferFloatUnary,
      [divisor](VjpContext &ctx) {
        ctx.set(0, ctx.div(ctx.grad(), divisor(ctx)));
      });
}
static Value plus(VjpContext &ctx, Value value, double number) {
  return ctx.call("aten::add.Scalar", {value, number, 1});
}
/// number - value
static Value minusFrom(VjpContext &ctx, double number, Value value) {
  return ctx.call("aten::rsub.Scalar", {value, number, 1});
}
static Value unary(VjpContext &ctx, StringRef callee) {
  return ctx.call(callee, {ctx.in(0)});
}
static Value squared(VjpContext &ctx, Value value) {
  return ctx.mul(value, value);
}

static void registerExponentials(OpRegistry &registry) {
  withSlope(registry, "aten::exp", [](VjpContext &ctx) { return ctx.out(); });
  withSlope(registry, "aten::exp2",
            [](VjpContext &ctx) { return ctx.mul(ctx.out(), std::log(2.0)); });
  withSlope(registry, "aten::expm1",
            [](VjpContext &ctx) { return plus(ctx, ctx.out(), 1); });
  withDivisor(registry, "aten::log", [](VjpContext &ctx) { return ctx.in(0); });
  withDivisor(registry, "aten::log2", [](VjpContext &ctx) {
    return ctx.mul(ctx.in(0), std::log(2.0));
  });
  withDivisor(registry, "aten::log10", [](VjpContext &ctx) {
    return ctx.mul(ctx.in(0), std::log(10.0));
  });
  withDivisor(registry, "aten::log1p",
              [](VjpContext &ctx) { return plus(ctx, ctx.in(0), 1); });
  withDivisor(registry, "aten::sqrt",
              [](VjpContext &ctx) { return ctx.mul(ctx.out(), 2.0); });
  withSlope(registry, "aten::rsqrt", [](VjpContext &ctx) {
    return ctx.mul(ctx.call("aten::pow.Tensor_Scalar", {ctx.out(), 3}), -0.5);
  });
  withSlope(registry, "aten::reciprocal",
            [](VjpContext &ctx) { return ctx.neg(squared(ctx, ctx.out())); });
  withSlope(registry, "aten::erf", [](VjpContext &ctx) {
    Value bell = ctx.call("aten::exp", {ctx.neg(squared(ctx, ctx.in(0)))});
    return ctx.mul(bell, 2 / std::sqrt(M_PI));
  });
}

static void registerTrigonometry(OpRegistry &registry) {
  withSlope(registry, "aten::sin",
            [](VjpContext &ctx) { return unary(ctx, "aten::cos"); });
  withSlope(registry, "aten::cos",
            [](VjpContext &ctx) { return ctx.neg(unary(ctx, "aten::sin")); });
  withSlope(registry, "aten::tan", [](VjpContext &ctx) {
    return plus(ctx, squared(ctx, ctx.out()), 1);
  });
  withSlope(registry, "aten::sinh",
            [](VjpContext &ctx) { return unary(ctx, "aten::cosh"); });
  withSlope(registry, "aten::cosh",
            [](VjpContext &ctx) { return unary(ctx, "aten::sinh"); });
  withDivisor(registry, "aten::atan", [](VjpContext &ctx) {
    return plus(ctx, squared(ctx, ctx.in(0)), 1);
  });
  withDivisor(registry, "aten::atanh", [](VjpContext &ctx) {
    return minusFrom(ctx, 1, squared(ctx, ctx.in(0)));
  });
  withSlope(registry, "aten::asin", [](VjpContext &ctx) {
    return ctx.call("aten::rsqrt",
                    {minusFrom(ctx, 1, squared(ctx, ctx.in(0)))});
  });
  withSlope(registry, "aten::acos", [](VjpContext &ctx) {
    return ctx.neg(
        ctx.call("aten::rsqrt", {minusFrom(ctx, 1, squared(ctx, ctx.in(0)))}));
  });
  withSlope(registry, "aten::asinh", [](VjpContext &ctx) {
    return ctx.call("aten::rsqrt", {plus(ctx, squared(ctx, ctx.in(0)), 1)});
  });
}

static void registerSigns(OpRegistry &registry) {
  add(registry, "aten::neg", linearElementwise(), inferSame,
      [](VjpContext &ctx) { ctx.set(0, ctx.neg(ctx.grad())); });
  OpInfo &positive =
      add(registry, "aten::positive", linearElementwise(), inferSame,
          [](VjpContext &ctx) { ctx.set(0, ctx.grad()); });
  positive.aliasing = Aliasing::View;
  positive.keepsOrder = true;
  add(registry, "aten::abs", elementwise(), inferSame, [](VjpContext &ctx) {
    ctx.set(0, ctx.mul(ctx.grad(), unary(ctx, "aten::sgn")));
  });
  add(registry, "aten::frac", elementwise(), inferSame,
      [](VjpContext &ctx) { ctx.set(0, ctx.grad()); });
  for (StringRef name : {"aten::sgn", "aten::sign", "aten::floor", "aten::ceil",
                         "aten::round", "aten::trunc"})
    constant(registry, name, elementwise()).infer = inferSame;
}

void nxdt::registerFunctions(OpRegistry &registry) {
  registerExponentials(registry);
  registerTrigonometry(registry);
  registerSigns(registry);
}
