//===- Selection.cpp - choosing between elements ---===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Families.h"

using namespace mlir;
using namespace nxdt;

/// `value` where the mask holds, zero elsewhere.
static Value keepWhere(VjpContext &ctx, Value mask, Value value) {
  return ctx.call("aten::where.ScalarOther", {mask, value, 0.0});
}
/// Zero where the mask holds, `value` elsewhere.
static Value dropWhere(VjpContext &ctx, Value mask, Value value) {
  return ctx.call("aten::where.ScalarSelf", {mask, 0.0, value});
}
static Value compare(VjpContext &ctx, StringRef callee, Arg a, Arg b) {
  return ctx.call(callee, {a, b});
}

/// bool, or u8 as of old.
static bool isCondition(RankedTensorType type) {
  return type.getElementType().isInteger(1) ||
         type.getElementType().isInteger(8);
}

static Infer inferWhere(const CallArgs &args) {
  RankedTensorType c = args.type(0), a = args.type(1), b = args.type(2);
  if (!c || !a || !b || !isCondition(c))
    return failure();
  return broadcastResult({c, a, b}, promote(a, b));
}

/// Elementwise; partial sums in an operand, if the number put beside them is 0.
static RuleOf linearIfZero(unsigned position, unsigned operand) {
  return [=](AtenOp op, const CallArgs &args) {
    ShardingRule rule = pointwiseRule(op);
    if (args.number(position) == 0.0)
      rule.linearEach({operand});
    return rule;
  };
}

static void registerWhere(OpRegistry &registry) {
  add(registry, "aten::where.self", joint({1, 2}, elementwise()), inferWhere,
      [](VjpContext &ctx) {
        if (ctx.needs(1))
          ctx.set(1, keepWhere(ctx, ctx.in(0), ctx.grad()));
        if (ctx.needs(2))
          ctx.set(2, dropWhere(ctx, ctx.in(0), ctx.grad()));
      });
  add(
      registry, "aten::where.ScalarSelf", linearIfZero(1, 1),
      [](const CallArgs &args) -> Infer {
        RankedTensorType c = args.type(0), b = args.type(2);
        if (!c || !b || !args.number(1) || !isCondition(c))
          return failure();
        return broadcastResult({c, b},
                               promoteScalar(b.getElementType(), args.attr(1)));
      },
      [](VjpContext &ctx) {
        ctx.set(2, dropWhere(ctx, ctx.in(0), ctx.grad()));
      });
  add(
      registry, "aten::where.ScalarOther", linearIfZero(2, 1),
      [](const CallArgs &args) -> Infer {
        RankedTensorType c = args.type(0), a = args.type(1);
        if (!c || !a || !args.number(2) || !isCondition(c))
          return failure();
        return broadcastResult({c, a},
                               promoteScalar(a.getElementType(), args.attr(2)));
      },
      [](VjpContext &ctx) {
        ctx.set(1, keepWhere(ctx, ctx.in(0), ctx.grad()));
      });
  constant(registry, "aten::where.Scalar", elementwise()).infer =
      [](const CallArgs &args) -> Infer {
    if (!args.type(0) || !args.number(1) || !args.number(2))
      return failure();
    return ResultTypes{
        withElement(args.type(0), promoteScalar(elementOfScalar(args.attr(1)),
                                                args.attr(2)))};
  };
}

static Infer inferFill(const CallArgs &args) {
  RankedTensorType self = args.type(0), mask = args.type(1);
  if (!self || !mask || !mask.getElementType().isInteger(1))
    return failure();
  return broadcastResult({self, mask}, self.getElementType());
}

static void registerFills(OpRegistry &registry) {
  auto self = [](VjpContext &ctx) {
    if (ctx.needs(0))
      ctx.set(0, dropWhere(ctx, ctx.in(1), ctx.grad()));
  };
  add(registry, "aten::masked_fill.Scalar", linearIfZero(2, 0), inferFill,
      self);
  add(registry, "aten::masked_fill.Tensor", joint({0, 2}, elementwise()),
      inferFill, [self](VjpContext &ctx) {
        self(ctx);
        if (ctx.needs(2))
          ctx.set(2, keepWhere(ctx, ctx.in(1), ctx.grad()));
      });
}

static void registerClamps(OpRegistry &registry) {
  // Bounds included: the slope is 1 on them.
  struct Bound {
    std::string name, within, beyond;
  };
  for (const Bound &b : {Bound{"aten::clamp_max", "aten::le", "aten::gt"},
                         Bound{"aten::clamp_min", "aten::ge", "aten::lt"}}) {
    add(registry, b.name, elementwise(), inferScalar, [b](VjpContext &ctx) {
      Value kept =
          compare(ctx, b.within + ".Scalar", ctx.in(0), Arg(ctx.args.attr(1)));
      ctx.set(0, keepWhere(ctx, kept, ctx.grad()));
    });
    add(registry, b.name + ".Tensor", elementwise(), inferBinary,
        [b](VjpContext &ctx) {
          for (unsigned i : {0, 1})
            if (ctx.needs(i)) {
              Value kept = compare(ctx, (i ? b.beyond : b.within) + ".Tensor",
                                   ctx.in(0), ctx.in(1));
              ctx.set(i, keepWhere(ctx, kept, ctx.grad()));
            }
        });
  }
  add(
      registry, "aten::clamp", elementwise(),
      [](const CallArgs &args) -> Infer {
        RankedTensorType type = args.type(0);
        if (!type || (!args.number(1) && !args.number(2)))
          return failure();
        Type element = type.getElementType();
        for (unsigned i : {1, 2})
          if (args.number(i))
            element = promoteScalar(element, args.attr(i));
        return ResultTypes{withElement(type, element)};
      },
      [](VjpContext &ctx) {
        Value grad = ctx.grad();
        for (unsigned i : {1, 2})
          if (ctx.args.number(i))
            grad = keepWhere(
                ctx,
                compare(ctx, i == 1 ? "aten::ge.Scalar" : "aten::le.Scalar",
                        ctx.in(0), Arg(ctx.args.attr(i))),
                grad);
        ctx.set(0, grad);
      });
  add(
      registry, "aten::clamp.Tensor", elementwise(),
      [](const CallArgs &args) -> Infer {
        SmallVector<RankedTensorType> types;
        for (unsigned i : {0, 1, 2})
          if (args.type(i))
            types.push_back(args.type(i));
        if (!args.type(0) || types.size() < 2)
          return failure();
        return broadcastResult(types, promoteAll(types));
      },
      [](VjpContext &ctx) {
        Value self = ctx.in(0), low = ctx.in(1), high = ctx.in(2);
        if (ctx.needs(0)) {
          Value grad = ctx.grad();
          if (low)
            grad = keepWhere(ctx, compare(ctx, "aten::ge.Tensor", self, low),
                             grad);
          if (high)
            grad = keepWhere(ctx, compare(ctx, "aten::le.Tensor", self, high),
                             grad);
          ctx.set(0, grad);
        }
        // The upper bound wins where the bounds cross.
        if (ctx.needs(1)) {
          Value kept = compare(ctx, "aten::lt.Tensor", self, low);
          if (high)
            kept = ctx.call("aten::logical_and",
                            {kept, compare(ctx, "aten::lt.Tensor", low, high)});
          ctx.set(1, keepWhere(ctx, kept, ctx.grad()));
        }
        if (ctx.needs(2)) {
          Value kept = compare(ctx, "aten::gt.Tensor", self, high);
          if (low)
            kept = ctx.call("aten::logical_or",
                            {kept, compare(ctx, "aten::lt.Tensor", high, low)});
          ctx.set(2, keepWhere(ctx, kept, ctx.grad()));
        }
      });
}

/// The larger or smaller of two; ties share the gradient.
static void registerPairs(OpRegistry &registry) {
  struct Pair {
    std::string name, comparison;
  };
  for (const Pair &p : {Pair{"aten::maximum", "aten::lt.Tensor"},
                        Pair{"aten::max.other", "aten::lt.Tensor"},
                        Pair{"aten::minimum", "aten::gt.Tensor"},
                        Pair{"aten::min.other", "aten::gt.Tensor"}})
    add(registry, p.name, elementwise(), inferBinary, [p](VjpContext &ctx) {
      Value a = ctx.in(0), b = ctx.in(1);
      Value shared =
          ctx.call("aten::where.self", {compare(ctx, "aten::eq.Tensor", a, b),
                                        ctx.mul(ctx.grad(), 0.5), ctx.grad()});
      if (ctx.needs(0))
        ctx.set(0, dropWhere(ctx, compare(ctx, p.comparison, a, b), shared));
      if (ctx.needs(1))
        ctx.set(1, dropWhere(ctx, compare(ctx, p.comparison, b, a), shared));
    });
  // The same, but ties and NaNs go to the first.
  for (const Pair &p : {Pair{"aten::fmax", "aten::ge.Tensor"},
                        Pair{"aten::fmin", "aten::le.Tensor"}})
    add(registry, p.name, elementwise(), inferBinary, [p](VjpContext &ctx) {
      Value wins = ctx.call("aten::logical_or",
                            {compare(ctx, p.comparison, ctx.in(0), ctx.in(1)),
                             ctx.call("aten::isnan", {ctx.in(1)})});
      if (ctx.needs(0))
        ctx.set(0, keepWhere(ctx, wins, ctx.grad()));
      if (ctx.needs(1))
        ctx.set(1, dropWhere(ctx, wins, ctx.grad()));
    });
}

void nxdt::registerSelection(OpRegistry &registry) {
  registerWhere(registry);
  registerFills(registry);
  registerClamps(registry);
  registerPairs(registry);
}
