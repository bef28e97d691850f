//===- Pointwise.cpp - elementwise operators ------------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Families.h"

using namespace mlir;
using namespace nxdt;

//===----------------------------------------------------------------------===//
// Result types
//===----------------------------------------------------------------------===//

static Type f32(Type like) { return Float32Type::get(like.getContext()); }

/// Same type as operand 0; integers become f32 (sqrt, exp, ...).
static FailureOr<ResultTypes> inferFloatUnary(const CallArgs &args) {
  RankedTensorType type = args.type(0);
  if (!type)
    return failure();
  return ResultTypes{
      isFloat(type) ? type : withElement(type, f32(type.getElementType()))};
}

static FailureOr<ResultTypes> inferSame(const CallArgs &args) {
  if (RankedTensorType type = args.type(0))
    return ResultTypes{type};
  return failure();
}

static FailureOr<ResultTypes>
broadcastResult(RankedTensorType a, RankedTensorType b, Type element) {
  FailureOr<SmallVector<int64_t>> shape = broadcast(a.getShape(), b.getShape());
  if (failed(shape))
    return failure();
  return ResultTypes{RankedTensorType::get(*shape, element)};
}

static FailureOr<ResultTypes> inferBinary(const CallArgs &args) {
  RankedTensorType a = args.type(0), b = args.type(1);
  if (!a || !b)
    return failure();
  return broadcastResult(a, b, promote(a, b));
}

/// True division: integers become f32.
static FailureOr<ResultTypes> inferDivision(const CallArgs &args) {
  RankedTensorType a = args.type(0), b = args.type(1);
  if (!a || !b)
    return failure();
  Type element = promote(a, b);
  return broadcastResult(a, b, isFloat(element) ? element : f32(element));
}

/// Tensor with a number: the number's category may widen the tensor's.
static Type promoteScalar(RankedTensorType type, Attribute scalar) {
  Type element = type.getElementType();
  if (isFloat(element))
    return element;
  if (isa<FloatAttr>(scalar))
    return f32(element);
  auto integer = dyn_cast<IntegerAttr>(scalar);
  if (integer && element.isInteger(1) && !integer.getType().isInteger(1))
    return IntegerType::get(element.getContext(), 64);
  return element;
}

static FailureOr<ResultTypes> inferScalar(const CallArgs &args) {
  RankedTensorType type = args.type(0);
  if (!type || !args.number(1))
    return failure();
  return ResultTypes{withElement(type, promoteScalar(type, args.attr(1)))};
}

static FailureOr<ResultTypes> inferScalarDivision(const CallArgs &args) {
  RankedTensorType type = args.type(0);
  if (!type || !args.number(1))
    return failure();
  Type element = type.getElementType();
  return ResultTypes{
      withElement(type, isFloat(element) ? element : f32(element))};
}

static FailureOr<ResultTypes> inferCompare(const CallArgs &args) {
  RankedTensorType a = args.type(0), b = args.type(1);
  if (!a)
    return failure();
  Type boolean = IntegerType::get(a.getContext(), 1);
  if (b)
    return broadcastResult(a, b, boolean);
  return ResultTypes{withElement(a, boolean)};
}

//===----------------------------------------------------------------------===//
// Registration helpers
//===----------------------------------------------------------------------===//

using Vjp = std::function<void(VjpContext &)>;

static void unary(OpRegistry &registry, StringRef callee, Vjp vjp) {
  OpInfo &info = registry.add(callee);
  info.infer = inferFloatUnary;
  info.vjp = std::move(vjp);
}

static void compare(OpRegistry &registry, StringRef callee) {
  OpInfo &info = registry.add(callee);
  info.infer = inferCompare;
  info.noGradient = true;
}

static double scalarOr(const VjpContext &ctx, unsigned position, double value) {
  return ctx.args.number(position).value_or(value);
}

static void registerArithmetic(OpRegistry &registry) {
  auto &add = registry.add("aten::add.Tensor");
  add.infer = inferBinary;
  add.vjp = [](VjpContext &ctx) {
    if (ctx.needs(0))
      ctx.set(0, ctx.grad());
    double alpha = scalarOr(ctx, 2, 1);
    if (ctx.needs(1))
      ctx.set(1, alpha == 1 ? ctx.grad() : ctx.mul(ctx.grad(), alpha));
  };
  auto &sub = registry.add("aten::sub.Tensor");
  sub.infer = inferBinary;
  sub.vjp = [](VjpContext &ctx) {
    if (ctx.needs(0))
      ctx.set(0, ctx.grad());
    if (ctx.needs(1))
      ctx.set(1, ctx.mul(ctx.grad(), -scalarOr(ctx, 2, 1)));
  };
  auto &mul = registry.add("aten::mul.Tensor");
  mul.infer = inferBinary;
  mul.vjp = [](VjpContext &ctx) {
    if (ctx.needs(0))
      ctx.set(0, ctx.mul(ctx.grad(), ctx.in(1)));
    if (ctx.needs(1))
      ctx.set(1, ctx.mul(ctx.grad(), ctx.in(0)));
  };
  auto &div = registry.add("aten::div.Tensor");
  div.infer = inferDivision;
  div.vjp = [](VjpContext &ctx) {
    Value scaled = ctx.div(ctx.grad(), ctx.in(1));
    if (ctx.needs(0))
      ctx.set(0, scaled);
    if (ctx.needs(1))
      ctx.set(1, ctx.neg(ctx.mul(scaled, ctx.out())));
  };

  for (StringRef name : {"aten::add.Scalar", "aten::sub.Scalar"}) {
    OpInfo &info = registry.add(name);
    info.infer = inferScalar;
    info.vjp = [](VjpContext &ctx) { ctx.set(0, ctx.grad()); };
  }
  auto &mulScalar = registry.add("aten::mul.Scalar");
  mulScalar.infer = inferScalar;
  mulScalar.vjp = [](VjpContext &ctx) {
    ctx.set(0, ctx.mul(ctx.grad(), *ctx.args.number(1)));
  };
  auto &divScalar = registry.add("aten::div.Scalar");
  divScalar.infer = inferScalarDivision;
  divScalar.vjp = [](VjpContext &ctx) {
    ctx.set(0, ctx.call("aten::div.Scalar", {ctx.grad(), *ctx.args.number(1)}));
  };
  auto &rsub = registry.add("aten::rsub.Scalar");
  rsub.infer = inferScalar;
  rsub.vjp = [](VjpContext &ctx) {
    ctx.set(0, ctx.mul(ctx.grad(), -scalarOr(ctx, 2, 1)));
  };

  auto &pow = registry.add("aten::pow.Tensor_Scalar");
  pow.infer = inferScalar;
  pow.vjp = [](VjpContext &ctx) {
    double exponent = *ctx.args.number(1);
    if (exponent == 0) {
      ctx.set(0, ctx.zeros(ctx.type(0)));
      return;
    }
    Value slope = exponent == 2 ? ctx.mul(ctx.in(0), 2.0)
                                : ctx.mul(ctx.call("aten::pow.Tensor_Scalar",
                                                   {ctx.in(0), exponent - 1}),
                                          exponent);
    ctx.set(0, ctx.mul(ctx.grad(), slope));
  };
  auto &powScalar = registry.add("aten::pow.Scalar");
  powScalar.infer = [](const CallArgs &args) -> FailureOr<ResultTypes> {
    RankedTensorType type = args.type(1);
    if (!type || !args.number(0))
      return failure();
    return ResultTypes{withElement(type, promoteScalar(type, args.attr(0)))};
  };
  powScalar.vjp = [](VjpContext &ctx) {
    double base = *ctx.args.number(0);
    ctx.set(1, ctx.mul(ctx.mul(ctx.grad(), ctx.out()), std::log(base)));
  };
}

static void registerFunctions(OpRegistry &registry) {
  auto &neg = registry.add("aten::neg");
  neg.infer = inferSame;
  neg.vjp = [](VjpContext &ctx) { ctx.set(0, ctx.neg(ctx.grad())); };

  unary(registry, "aten::exp",
        [](VjpContext &ctx) { ctx.set(0, ctx.mul(ctx.grad(), ctx.out())); });
  unary(registry, "aten::log",
        [](VjpContext &ctx) { ctx.set(0, ctx.div(ctx.grad(), ctx.in(0))); });
  unary(registry, "aten::sqrt", [](VjpContext &ctx) {
    ctx.set(0, ctx.div(ctx.mul(ctx.grad(), 0.5), ctx.out()));
  });
  unary(registry, "aten::rsqrt", [](VjpContext &ctx) {
    Value cube = ctx.call("aten::pow.Tensor_Scalar", {ctx.out(), 3});
    ctx.set(0, ctx.mul(ctx.mul(ctx.grad(), -0.5), cube));
  });
  unary(registry, "aten::reciprocal", [](VjpContext &ctx) {
    Value square = ctx.mul(ctx.out(), ctx.out());
    ctx.set(0, ctx.neg(ctx.mul(ctx.grad(), square)));
  });
  unary(registry, "aten::cos", [](VjpContext &ctx) {
    ctx.set(0,
            ctx.neg(ctx.mul(ctx.grad(), ctx.call("aten::sin", {ctx.in(0)}))));
  });
  unary(registry, "aten::sin", [](VjpContext &ctx) {
    ctx.set(0, ctx.mul(ctx.grad(), ctx.call("aten::cos", {ctx.in(0)})));
  });
  unary(registry, "aten::tanh", [](VjpContext &ctx) {
    ctx.set(0, ctx.call("aten::tanh_backward", {ctx.grad(), ctx.out()}));
  });
  unary(registry, "aten::sigmoid", [](VjpContext &ctx) {
    ctx.set(0, ctx.call("aten::sigmoid_backward", {ctx.grad(), ctx.out()}));
  });
  unary(registry, "aten::silu", [](VjpContext &ctx) {
    ctx.set(0, ctx.call("aten::silu_backward", {ctx.grad(), ctx.in(0)}));
  });
  unary(registry, "aten::gelu", [](VjpContext &ctx) {
    ctx.set(0, ctx.call("aten::gelu_backward",
                        {ctx.grad(), ctx.in(0), Arg(ctx.args.attr(1))}));
  });
  auto &relu = registry.add("aten::relu");
  relu.infer = inferSame;
  relu.vjp = [](VjpContext &ctx) {
    ctx.set(0,
            ctx.call("aten::threshold_backward", {ctx.grad(), ctx.out(), 0}));
  };
  auto &abs = registry.add("aten::abs");
  abs.infer = inferSame;
  abs.vjp = [](VjpContext &ctx) {
    ctx.set(0, ctx.mul(ctx.grad(), ctx.call("aten::sgn", {ctx.in(0)})));
  };
  auto &sgn = registry.add("aten::sgn");
  sgn.infer = inferSame;
  sgn.noGradient = true;

  // Only built by the formulas above; their own gradients stay with autograd.
  for (StringRef name :
       {"aten::tanh_backward", "aten::sigmoid_backward", "aten::silu_backward",
        "aten::gelu_backward", "aten::threshold_backward"})
    registry.add(name).infer = inferSame;
}

/// Copies and casts: the gradient is cast back by VjpContext::set.
static void registerCopies(OpRegistry &registry) {
  auto passThrough = [](VjpContext &ctx) { ctx.set(0, ctx.grad()); };
  auto withDtype = [](unsigned position) {
    return [position](const CallArgs &args) -> FailureOr<ResultTypes> {
      RankedTensorType type = args.type(0);
      if (!type)
        return failure();
      Type element = args.dtype(position);
      return ResultTypes{element ? withElement(type, element) : type};
    };
  };
  auto copy = [&](StringRef callee, unsigned dtypePosition, Aliasing aliasing) {
    OpInfo &info = registry.add(callee);
    info.infer = withDtype(dtypePosition);
    info.vjp = passThrough;
    info.aliasing = aliasing;
  };
  copy("aten::to.dtype", 1, Aliasing::Fresh);
  copy("aten::to.dtype_layout", 1, Aliasing::Fresh);
  copy("aten::_to_copy", 1, Aliasing::Fresh);
  auto &toOther = registry.add("aten::to.other");
  toOther.infer = [](const CallArgs &args) -> FailureOr<ResultTypes> {
    if (!args.type(0) || !args.type(1))
      return failure();
    return ResultTypes{
        withElement(args.type(0), args.type(1).getElementType())};
  };
  toOther.vjp = passThrough;
  auto same = [&](StringRef callee, Aliasing aliasing) {
    OpInfo &info = registry.add(callee);
    info.infer = inferSame;
    info.vjp = passThrough;
    info.aliasing = aliasing;
  };
  same("aten::clone", Aliasing::Fresh);
  same("aten::contiguous", Aliasing::MaybeView);
  same("aten::alias", Aliasing::View);
  same("aten::lift_fresh", Aliasing::View);
  auto &detach = registry.add("aten::detach");
  detach.infer = inferSame;
  detach.noGradient = true;
  detach.aliasing = Aliasing::View;
  // Legal at capture only where it is the identity (p = 0 or not training).
  auto &dropout = registry.add("aten::dropout");
  dropout.infer = inferSame;
  dropout.vjp = passThrough;
  dropout.aliasing = Aliasing::View;
}

static void registerSelection(OpRegistry &registry) {
  for (StringRef op : {"eq", "ne", "lt", "le", "gt", "ge"}) {
    compare(registry, ("aten::" + op + ".Tensor").str());
    compare(registry, ("aten::" + op + ".Scalar").str());
  }
  for (StringRef op :
       {"aten::logical_not", "aten::logical_and", "aten::logical_or"})
    compare(registry, op);
  auto &bitwiseNot = registry.add("aten::bitwise_not");
  bitwiseNot.infer = inferSame;
  bitwiseNot.noGradient = true;
  for (StringRef op : {"aten::bitwise_and.Tensor", "aten::bitwise_or.Tensor"}) {
    OpInfo &info = registry.add(op);
    info.infer = inferBinary;
    info.noGradient = true;
  }

  auto &where = registry.add("aten::where.self");
  where.infer = [](const CallArgs &args) -> FailureOr<ResultTypes> {
    RankedTensorType c = args.type(0), a = args.type(1), b = args.type(2);
    if (!c || !a || !b)
      return failure();
    FailureOr<ResultTypes> ab = broadcastResult(a, b, promote(a, b));
    if (failed(ab))
      return failure();
    return broadcastResult(c, (*ab)[0], (*ab)[0].getElementType());
  };
  where.vjp = [](VjpContext &ctx) {
    Value zero = ctx.zeros(RankedTensorType::get(
        {}, cast<RankedTensorType>(ctx.out().getType()).getElementType()));
    if (ctx.needs(1))
      ctx.set(1, ctx.call("aten::where.self", {ctx.in(0), ctx.grad(), zero}));
    if (ctx.needs(2))
      ctx.set(2, ctx.call("aten::where.self", {ctx.in(0), zero, ctx.grad()}));
  };
  auto &fill = registry.add("aten::masked_fill.Scalar");
  fill.infer = [](const CallArgs &args) -> FailureOr<ResultTypes> {
    RankedTensorType a = args.type(0), mask = args.type(1);
    if (!a || !mask)
      return failure();
    return broadcastResult(a, mask, a.getElementType());
  };
  fill.vjp = [](VjpContext &ctx) {
    ctx.set(0,
            ctx.call("aten::masked_fill.Scalar", {ctx.grad(), ctx.in(1), 0.0}));
  };

  auto &clampMax = registry.add("aten::clamp_max");
  clampMax.infer = inferScalar;
  clampMax.vjp = [](VjpContext &ctx) {
    Value kept =
        ctx.call("aten::le.Scalar", {ctx.in(0), Arg(ctx.args.attr(1))});
    ctx.set(0, ctx.mul(ctx.grad(), kept));
  };
  auto &clampMin = registry.add("aten::clamp_min");
  clampMin.infer = inferScalar;
  clampMin.vjp = [](VjpContext &ctx) {
    Value kept =
        ctx.call("aten::ge.Scalar", {ctx.in(0), Arg(ctx.args.attr(1))});
    ctx.set(0, ctx.mul(ctx.grad(), kept));
  };
}

void nxdt::registerPointwise(OpRegistry &registry) {
  registerArithmetic(registry);
  registerFunctions(registry);
  registerCopies(registry);
  registerSelection(registry);
}
