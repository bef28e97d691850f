//===- MatMul.cpp - matrix products ---------------------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Families.h"

using namespace mlir;
using namespace nxdt;

using Shape = SmallVector<int64_t>;

/// [..., n, k] x [..., k, m], at least one dim each, as aten::matmul.
static FailureOr<ResultTypes> inferMatmul(const CallArgs &args) {
  RankedTensorType a = args.type(0), b = args.type(1);
  if (!a || !b || !a.getRank() || !b.getRank() ||
      a.getElementType() != b.getElementType())
    return failure();
  ArrayRef<int64_t> sa = a.getShape(), sb = b.getShape();
  int64_t inner = sb.size() == 1 ? sb[0] : sb[sb.size() - 2];
  if (sa.back() != inner)
    return failure();
  FailureOr<Shape> batch =
      broadcast(sa.size() > 2 ? sa.drop_back(2) : ArrayRef<int64_t>{},
                sb.size() > 2 ? sb.drop_back(2) : ArrayRef<int64_t>{});
  if (failed(batch))
    return failure();
  if (sa.size() > 1)
    batch->push_back(sa[sa.size() - 2]);
  if (sb.size() > 1)
    batch->push_back(sb.back());
  return ResultTypes{RankedTensorType::get(*batch, a.getElementType())};
}

/// 2 * elements of the result * contracted size.
static double matmulFlops(const CallArgs &args, TypeRange results) {
  double elements = cast<RankedTensorType>(results[0]).getNumElements();
  return 2 * elements * args.type(0).getShape().back();
}

/// [..., n] as [rows, n].
static Value rows(AtenBuilder &builder, Value value) {
  auto type = cast<RankedTensorType>(value.getType());
  int64_t last = type.getShape().back();
  return builder.reshape(
      value, {type.getNumElements() / std::max<int64_t>(last, 1), last});
}

static void linearVjp(VjpContext &ctx) {
  // y [..., out] = x [..., in] w^T [in, out] + b.
  if (ctx.needs(0))
    ctx.set(0, ctx.call("aten::matmul", {ctx.grad(), ctx.in(1)}));
  if (!ctx.needs(1) && !ctx.needs(2))
    return;
  Value grad = rows(ctx, ctx.grad());
  if (ctx.needs(1))
    ctx.set(1, ctx.call("aten::mm",
                        {ctx.call("aten::t", {grad}), rows(ctx, ctx.in(0))}));
  if (ctx.needs(2))
    ctx.set(2, ctx.sum(grad, {0}, false));
}

static void matmulVjp(VjpContext &ctx) {
  Value a = ctx.in(0), b = ctx.in(1), grad = ctx.grad();
  RankedTensorType ta = ctx.type(0), tb = ctx.type(1);
  // Vectors become matrices; `set` sums and reshapes back to the operand.
  Shape full(cast<RankedTensorType>(grad.getType()).getShape());
  if (ta.getRank() == 1)
    a = ctx.view(a, {1, ta.getDimSize(0)});
  if (tb.getRank() == 1)
    b = ctx.view(b, {tb.getDimSize(0), 1});
  if (ta.getRank() == 1)
    full.insert(full.end() - (tb.getRank() > 1), 1);
  if (tb.getRank() == 1)
    full.push_back(1);
  grad = ctx.reshape(grad, full);
  if (ctx.needs(0)) {
    Value da = ctx.call("aten::matmul", {grad, ctx.transpose(b, -2, -1)});
    ctx.set(0, ta.getRank() == 1
                   ? ctx.reduceTo(da, cast<RankedTensorType>(a.getType()))
                   : da);
  }
  if (ctx.needs(1)) {
    Value db = ctx.call("aten::matmul", {ctx.transpose(a, -2, -1), grad});
    ctx.set(1, tb.getRank() == 1
                   ? ctx.reduceTo(db, cast<RankedTensorType>(b.getType()))
                   : db);
  }
}

void nxdt::registerMatMul(OpRegistry &registry) {
  auto &linear = registry.add("aten::linear");
  linear.infer = [](const CallArgs &args) -> FailureOr<ResultTypes> {
    RankedTensorType x = args.type(0), w = args.type(1);
    if (!x || !w || w.getRank() != 2 || !x.getRank() ||
        x.getShape().back() != w.getDimSize(1) ||
        x.getElementType() != w.getElementType())
      return failure();
    Shape shape(x.getShape());
    shape.back() = w.getDimSize(0);
    return ResultTypes{RankedTensorType::get(shape, x.getElementType())};
  };
  linear.vjp = linearVjp;
  linear.flops = matmulFlops;

  for (StringRef name : {"aten::matmul", "aten::mm", "aten::bmm"}) {
    OpInfo &info = registry.add(name);
    info.infer = inferMatmul;
    info.vjp = matmulVjp;
    info.flops = matmulFlops;
  }

  auto &addmm = registry.add("aten::addmm");
  addmm.infer = [](const CallArgs &args) -> FailureOr<ResultTypes> {
    RankedTensorType a = args.type(1), b = args.type(2);
    if (!a || !b || a.getRank() != 2 || b.getRank() != 2 ||
        a.getDimSize(1) != b.getDimSize(0))
      return failure();
    return ResultTypes{RankedTensorType::get({a.getDimSize(0), b.getDimSize(1)},
                                             a.getElementType())};
  };
  addmm.vjp = [](VjpContext &ctx) {
    double beta = ctx.args.number(3).value_or(1);
    double alpha = ctx.args.number(4).value_or(1);
    auto scaled = [&](Value value, double factor) {
      return factor == 1 ? value : ctx.mul(value, factor);
    };
    if (ctx.needs(0))
      ctx.set(0, scaled(ctx.grad(), beta));
    if (ctx.needs(1))
      ctx.set(1,
              scaled(ctx.call("aten::mm",
                              {ctx.grad(), ctx.call("aten::t", {ctx.in(2)})}),
                     alpha));
    if (ctx.needs(2))
      ctx.set(2, scaled(ctx.call("aten::mm", {ctx.call("aten::t", {ctx.in(1)}),
                                              ctx.grad()}),
                        alpha));
  };
  addmm.flops = [](const CallArgs &args, TypeRange results) {
    return 2.0 * cast<RankedTensorType>(results[0]).getNumElements() *
           args.type(1).getDimSize(1);
  };
}
