//===- Arithmetic.cpp - sums, products, powers ---===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Families.h"

#include <cmath>

using namespace mlir;
using namespace nxdt;

/// True division: integers become f32.
static Infer inferDivision(const CallArgs &args) {
  RankedTensorType a = args.type(0), b = args.type(1);
  if (!a || !b)
    return failure();
  return broadcastResult({a, b}, floating(promote(a, b)));
}

static Infer inferScalarDivision(const CallArgs &args) {
  RankedTensorType type = args.type(0);
  if (!type || !args.number(1))
    return failure();
  return ResultTypes{withElement(type, floating(type.getElementType()))};
}

/// Tensors at 0, 1 and 2.
static Infer inferTernary(const CallArgs &args) {
  SmallVector<RankedTensorType> types = {args.type(0), args.type(1),
                                         args.type(2)};
  if (llvm::is_contained(types, RankedTensorType()))
    return failure();
  return broadcastResult(types, promoteAll(types));
}

static double scalarOr(const VjpContext &ctx, unsigned position, double value) {
  return ctx.args.number(position).value_or(value);
}
static Value scaled(VjpContext &ctx, Value value, double factor) {
  return factor == 1 ? value : ctx.mul(value, factor);
}

static void divisionVjp(VjpContext &ctx) {
  Value scaled = ctx.div(ctx.grad(), ctx.in(1));
  if (ctx.needs(0))
    ctx.set(0, scaled);
  if (ctx.needs(1))
    ctx.set(1, ctx.neg(ctx.mul(scaled, ctx.out())));
}
static void scalarDivisionVjp(VjpContext &ctx) {
  ctx.set(0, ctx.call("aten::div.Scalar", {ctx.grad(), *ctx.args.number(1)}));
}
static void passThrough(VjpContext &ctx) { ctx.set(0, ctx.grad()); }

static void registerSums(OpRegistry &registry) {
  add(registry, "aten::add.Tensor", joint({}, elementwise()), inferBinary,
      [](VjpContext &ctx) {
        if (ctx.needs(0))
          ctx.set(0, ctx.grad());
        if (ctx.needs(1))
          ctx.set(1, scaled(ctx, ctx.grad(), scalarOr(ctx, 2, 1)));
      });
  add(registry, "aten::sub.Tensor", joint({}, elementwise()), inferBinary,
      [](VjpContext &ctx) {
        if (ctx.needs(0))
          ctx.set(0, ctx.grad());
        if (ctx.needs(1))
          ctx.set(1, ctx.mul(ctx.grad(), -scalarOr(ctx, 2, 1)));
      });
  add(registry, "aten::rsub.Tensor", joint({}, elementwise()), inferBinary,
      [](VjpContext &ctx) {
        if (ctx.needs(0))
          ctx.set(0, ctx.mul(ctx.grad(), -scalarOr(ctx, 2, 1)));
        if (ctx.needs(1))
          ctx.set(1, ctx.grad());
      });
  // A number would be added once by every rank: not linear.
  add(registry, "aten::add.Scalar", elementwise(), inferScalar, passThrough);
  add(registry, "aten::sub.Scalar", elementwise(), inferScalar, passThrough);
  add(registry, "aten::rsub.Scalar", elementwise(), inferScalar,
      [](VjpContext &ctx) {
        ctx.set(0, ctx.mul(ctx.grad(), -scalarOr(ctx, 2, 1)));
      });
  // lerp(self, end, weight) = self + weight * (end - self)
  add(
      registry, "aten::lerp.Scalar", joint({}, elementwise()),
      [](const CallArgs &args) -> Infer {
        return args.number(2) ? inferBinary(args) : Infer(failure());
      },
      [](VjpContext &ctx) {
        double weight = *ctx.args.number(2);
        if (ctx.needs(0))
          ctx.set(0, ctx.mul(ctx.grad(), 1 - weight));
        if (ctx.needs(1))
          ctx.set(1, ctx.mul(ctx.grad(), weight));
      });
  add(registry, "aten::lerp.Tensor", joint({0, 1}, elementwise()), inferTernary,
      [](VjpContext &ctx) {
        Value weighted = ctx.mul(ctx.grad(), ctx.in(2));
        if (ctx.needs(0))
          ctx.set(0, ctx.sub(ctx.grad(), weighted));
        if (ctx.needs(1))
          ctx.set(1, weighted);
        if (ctx.needs(2))
          ctx.set(2, ctx.mul(ctx.grad(), ctx.sub(ctx.in(1), ctx.in(0))));
      });
}

static void registerProducts(OpRegistry &registry) {
  add(registry, "aten::mul.Tensor", each({0, 1}, elementwise()), inferBinary,
      [](VjpContext &ctx) {
        if (ctx.needs(0))
          ctx.set(0, ctx.mul(ctx.grad(), ctx.in(1)));
        if (ctx.needs(1))
          ctx.set(1, ctx.mul(ctx.grad(), ctx.in(0)));
      });
  add(registry, "aten::mul.Scalar", linearElementwise(), inferScalar,
      [](VjpContext &ctx) {
        ctx.set(0, ctx.mul(ctx.grad(), *ctx.args.number(1)));
      });
  add(registry, "aten::div.Tensor", linearElementwise(), inferDivision,
      divisionVjp);
  add(registry, "aten::div.Scalar", linearElementwise(), inferScalarDivision,
      scalarDivisionVjp);
  // Rounded quotients are constant almost everywhere, and not linear.
  RuleOf division = [](AtenOp op, const CallArgs &args) {
    return args.has(2) ? elementwise()(op, args)
                       : linearElementwise()(op, args);
  };
  add(
      registry, "aten::div.Tensor_mode", division,
      [](const CallArgs &args) -> Infer {
        return args.has(2) ? inferBinary(args) : inferDivision(args);
      },
      [](VjpContext &ctx) {
        if (!ctx.args.has(2))
          return divisionVjp(ctx);
        for (unsigned i : {0, 1})
          if (ctx.needs(i))
            ctx.set(i, ctx.zeros(ctx.type(i)));
      });
  add(
      registry, "aten::div.Scalar_mode", division,
      [](const CallArgs &args) -> Infer {
        return args.has(2) ? inferScalar(args) : inferScalarDivision(args);
      },
      [](VjpContext &ctx) {
        if (!ctx.args.has(2))
          return scalarDivisionVjp(ctx);
        ctx.set(0, ctx.zeros(ctx.type(0)));
      });
  // self - other * rounded(self / other)
  struct Remainder {
    StringRef name, rounding;
  };
  for (Remainder op :
       {Remainder{"remainder", "floor"}, Remainder{"fmod", "trunc"}}) {
    add(registry, ("aten::" + op.name + ".Scalar").str(), elementwise(),
        inferScalar, passThrough);
    std::string rounding = op.rounding.str();
    add(registry, ("aten::" + op.name + ".Tensor").str(), elementwise(),
        inferBinary, [rounding](VjpContext &ctx) {
          if (ctx.needs(0))
            ctx.set(0, ctx.grad());
          if (!ctx.needs(1))
            return;
          Attribute mode = ctx.builder.getStringAttr(rounding);
          Value quotient = ctx.call("aten::div.Tensor_mode",
                                    {ctx.in(0), ctx.in(1), Arg(mode)});
          ctx.set(1, ctx.neg(ctx.mul(ctx.grad(), quotient)));
        });
  }
  // self + value * tensor1 * tensor2
  add(registry, "aten::addcmul", joint({0, 1}, elementwise()), inferTernary,
      [](VjpContext &ctx) {
        Value grad = scaled(ctx, ctx.grad(), scalarOr(ctx, 3, 1));
        if (ctx.needs(0))
          ctx.set(0, ctx.grad());
        if (ctx.needs(1))
          ctx.set(1, ctx.mul(grad, ctx.in(2)));
        if (ctx.needs(2))
          ctx.set(2, ctx.mul(grad, ctx.in(1)));
      });
  // self + value * tensor1 / tensor2
  add(registry, "aten::addcdiv", joint({0, 1}, elementwise()), inferTernary,
      [](VjpContext &ctx) {
        Value grad =
            ctx.div(scaled(ctx, ctx.grad(), scalarOr(ctx, 3, 1)), ctx.in(2));
        if (ctx.needs(0))
          ctx.set(0, ctx.grad());
        if (ctx.needs(1))
          ctx.set(1, grad);
        if (ctx.needs(2))
          ctx.set(2, ctx.neg(ctx.mul(grad, ctx.div(ctx.in(1), ctx.in(2)))));
      });
}

/// Zero where a comparison with a number holds.
static Value zeroWhere(VjpContext &ctx, StringRef comparison, Value tensor,
                       double number, Value value) {
  Value mask = ctx.call(comparison, {tensor, number});
  return ctx.call("aten::where.ScalarSelf", {mask, 0.0, value});
}

static void registerPowers(OpRegistry &registry) {
  add(registry, "aten::pow.Tensor_Scalar", elementwise(), inferScalar,
      [](VjpContext &ctx) {
        double exponent = *ctx.args.number(1);
        if (exponent == 0)
          return ctx.set(0, ctx.zeros(ctx.type(0)));
        Value power = exponent == 2 ? ctx.in(0)
                                    : ctx.call("aten::pow.Tensor_Scalar",
                                               {ctx.in(0), exponent - 1});
        ctx.set(0, ctx.mul(ctx.grad(), ctx.mul(power, exponent)));
      });
  add(
      registry, "aten::pow.Scalar", elementwise(),
      [](const CallArgs &args) -> Infer {
        RankedTensorType type = args.type(1);
        if (!type || !args.number(0))
          return failure();
        return ResultTypes{withElement(
            type, promoteScalar(type.getElementType(), args.attr(0)))};
      },
      [](VjpContext &ctx) {
        double base = *ctx.args.number(0);
        Value grad = ctx.mul(ctx.mul(ctx.grad(), ctx.out()), std::log(base));
        if (base == 0)
          grad = zeroWhere(ctx, "aten::ge.Scalar", ctx.in(1), 0, grad);
        ctx.set(1, grad);
      });
  add(registry, "aten::pow.Tensor_Tensor", elementwise(), inferBinary,
      [](VjpContext &ctx) {
        Value base = ctx.in(0), exponent = ctx.in(1);
        if (ctx.needs(0)) {
          Value lower = ctx.call("aten::sub.Scalar", {exponent, 1, 1});
          Value slope = ctx.mul(
              exponent, ctx.call("aten::pow.Tensor_Tensor", {base, lower}));
          ctx.set(0, zeroWhere(ctx, "aten::eq.Scalar", exponent, 0,
                               ctx.mul(ctx.grad(), slope)));
        }
        if (ctx.needs(1)) {
          Value slope = ctx.mul(ctx.out(), ctx.call("aten::log", {base}));
          // 0^x is flat for x >= 0, though log 0 is not a number to multiply
          // by.
          Value flat = ctx.call("aten::logical_and",
                                {ctx.call("aten::eq.Scalar", {base, 0}),
                                 ctx.call("aten::ge.Scalar", {exponent, 0})});
          ctx.set(1, ctx.call("aten::where.ScalarSelf",
                              {flat, 0.0, ctx.mul(ctx.grad(), slope)}));
        }
      });
  // A power of the integer 2: bools count.
  add(
      registry, "aten::square", elementwise(),
      [](const CallArgs &args) -> Infer {
        RankedTensorType type = args.type(0);
        if (!type)
          return failure();
        Type element = type.getElementType();
        return ResultTypes{
            withElement(type, element.isInteger(1) ? i64(element) : element)};
      },
      [](VjpContext &ctx) {
        ctx.set(0, ctx.mul(ctx.grad(), ctx.mul(ctx.in(0), 2.0)));
      });
  // atan2(y, x): (x dy - y dx) / (x^2 + y^2)
  add(registry, "aten::atan2", elementwise(), inferDivision,
      [](VjpContext &ctx) {
        Value y = ctx.in(0), x = ctx.in(1);
        Value grad = ctx.div(ctx.grad(), ctx.add(ctx.mul(x, x), ctx.mul(y, y)));
        if (ctx.needs(0))
          ctx.set(0, ctx.mul(grad, x));
        if (ctx.needs(1))
          ctx.set(1, ctx.neg(ctx.mul(grad, y)));
      });
  add(registry, "aten::hypot", elementwise(), inferBinary, [](VjpContext &ctx) {
    Value grad = ctx.div(ctx.grad(), ctx.out());
    for (unsigned i : {0, 1})
      if (ctx.needs(i))
        ctx.set(i, ctx.mul(grad, ctx.in(i)));
  });
}

void nxdt::registerArithmetic(OpRegistry &registry) {
  registerSums(registry);
  registerProducts(registry);
  registerPowers(registry);
}
