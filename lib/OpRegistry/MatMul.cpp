//===- MatMul.cpp - matrix products ---------------------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Families.h"

using namespace mlir;
using namespace nxdt;

/// [..., n, k] x [..., k, m], at least one dim each, as aten::matmul.
static Infer productType(RankedTensorType a, RankedTensorType b) {
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

static Infer inferMatmul(const CallArgs &args) {
  return productType(args.type(0), args.type(1));
}

/// 2 * elements of the result * contracted size.
static double matmulFlops(const CallArgs &args, TypeRange results) {
  double elements = cast<RankedTensorType>(results[0]).getNumElements();
  return 2 * elements * args.type(0).getShape().back();
}

static void linearVjp(VjpContext &ctx) {
  // y [..., out] = x [..., in] w^T [in, out] + b.
  if (ctx.needs(0))
    ctx.set(0, ctx.call("aten::matmul", {ctx.grad(), ctx.in(1)}));
  if (!ctx.needs(1) && !ctx.needs(2))
    return;
  if (ctx.needs(1))
    ctx.set(1, WeightGradOp::create(ctx.builder, ctx.loc, ctx.type(1),
                                    ctx.grad(), ctx.in(0)));
  if (!ctx.needs(2))
    return;
  auto leading =
      llvm::to_vector(llvm::seq<int64_t>(0, typeOf(ctx.grad()).getRank() - 1));
  ctx.set(2,
          leading.empty() ? ctx.grad() : ctx.sum(ctx.grad(), leading, false));
}

namespace {
/// grad @ b^T and a^T @ grad for the product of a [.., n, k] or [k] and
/// b [.., k, m] or [k]; broadcast batches are summed by `set`.
struct ProductGradients {
  ProductGradients(VjpContext &ctx, Value a, Value b, Value grad)
      : ctx(ctx), ta(typeOf(a)), tb(typeOf(b)), a(a), b(b), grad(grad) {
    // Vectors become matrices.
    Shape full(typeOf(grad).getShape());
    if (ta.getRank() == 1) {
      this->a = ctx.reshape(a, {1, ta.getDimSize(0)});
      full.insert(full.end() - (tb.getRank() > 1), 1);
    }
    if (tb.getRank() == 1) {
      this->b = ctx.reshape(b, {tb.getDimSize(0), 1});
      full.push_back(1);
    }
    this->grad = ctx.reshape(grad, full);
  }
  Value left() const {
    Value da = ctx.call("aten::matmul", {grad, ctx.transpose(b, -2, -1)});
    return ta.getRank() == 1 ? asVector(da, a) : da;
  }
  Value right() const {
    Value db = ctx.call("aten::matmul", {ctx.transpose(a, -2, -1), grad});
    return tb.getRank() == 1 ? asVector(db, b) : db;
  }

private:
  /// The gradient of a vector that became this matrix.
  Value asVector(Value grad, Value matrix) const {
    return ctx.reshape(ctx.reduceTo(grad, typeOf(matrix)),
                       {typeOf(matrix).getNumElements()});
  }

  VjpContext &ctx;
  RankedTensorType ta, tb;
  Value a, b, grad;
};
} // namespace

static void matmulVjp(VjpContext &ctx) {
  ProductGradients gradients(ctx, ctx.in(0), ctx.in(1), ctx.grad());
  if (ctx.needs(0))
    ctx.set(0, gradients.left());
  if (ctx.needs(1))
    ctx.set(1, gradients.right());
}

static void addProductVjp(VjpContext &ctx) {
  double beta = ctx.args.number(3).value_or(1);
  double alpha = ctx.args.number(4).value_or(1);
  auto scaled = [&](double factor) {
    return factor == 1 ? ctx.grad() : ctx.mul(ctx.grad(), factor);
  };
  if (ctx.needs(0))
    ctx.set(0, scaled(beta));
  if (!ctx.needs(1) && !ctx.needs(2))
    return;
  ProductGradients gradients(ctx, ctx.in(1), ctx.in(2), scaled(alpha));
  if (ctx.needs(1))
    ctx.set(1, gradients.left());
  if (ctx.needs(2))
    ctx.set(2, gradients.right());
}

/// x [..., in], w [out, in] (, b [out]).
static ShardingRule linearRule(AtenOp op, const CallArgs &args) {
  ShardingRule rule;
  TensorFactors result = newFactors(rule, resultShape(op), FactorKind::Map);
  // Every rank would add the bias: with one, the contracted dim is whole.
  bool biased = args.has(2);
  DimFactors in = {
      rule.factor(args.type(1).getDimSize(1),
                  biased ? FactorKind::Whole : FactorKind::Reduce)};
  TensorFactors x = result;
  x.back() = in;
  rule.operands = {x, {result.back(), in}};
  if (biased)
    rule.operands.push_back({result.back()});
  rule.results = {result};
  if (biased)
    rule.linearJoint({0, 2});
  else
    rule.linearEach({0, 1});
  return rule;
}

static ShardingRule outerRule(AtenOp op, const CallArgs &) {
  ShardingRule rule;
  TensorFactors result = newFactors(rule, resultShape(op), FactorKind::Map);
  rule.operands = {{result[0]}, {result[1]}};
  rule.results = {result};
  return rule;
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
  linear.sharding = linearRule;

  struct Product {
    StringRef callee;
    int64_t left, right; ///< ranks; 0 = any
  };
  for (Product p : {Product{"aten::matmul", 0, 0}, Product{"aten::mm", 2, 2},
                    Product{"aten::bmm", 3, 3}, Product{"aten::mv", 2, 1},
                    Product{"aten::dot", 1, 1}, Product{"aten::vdot", 1, 1}}) {
    OpInfo &info = registry.add(p.callee);
    info.infer = [p](const CallArgs &args) -> Infer {
      if ((p.left && args.type(0) && args.type(0).getRank() != p.left) ||
          (p.right && args.type(1) && args.type(1).getRank() != p.right))
        return failure();
      // Only matmul broadcasts batches.
      if (p.left == 3 && args.type(0) && args.type(1) &&
          args.type(0).getDimSize(0) != args.type(1).getDimSize(0))
        return failure();
      return inferMatmul(args);
    };
    info.vjp = matmulVjp;
    info.flops = matmulFlops;
    info.sharding = each({0, 1}, [](AtenOp op, const CallArgs &) {
      return productRule(op, 0, FactorKind::Reduce);
    });
  }
  // outer(self [n], vec2 [m]); types are promoted, as in a product of elements.
  add(
      registry, "aten::outer", each({0, 1}, outerRule),
      [](const CallArgs &args) -> Infer {
        RankedTensorType a = args.type(0), b = args.type(1);
        if (!a || !b || a.getRank() != 1 || b.getRank() != 1)
          return failure();
        return ResultTypes{RankedTensorType::get(
            {a.getDimSize(0), b.getDimSize(0)}, promote(a, b))};
      },
      [](VjpContext &ctx) {
        if (ctx.needs(0))
          ctx.set(0, ctx.sum(ctx.mul(ctx.grad(), ctx.in(1)), {1}, false));
        if (ctx.needs(1)) {
          Value column = ctx.view(ctx.in(0), {ctx.type(0).getDimSize(0), 1});
          ctx.set(1, ctx.sum(ctx.mul(ctx.grad(), column), {0}, false));
        }
      });

  // beta * self + alpha * (left @ right), self broadcast.
  for (Product p : {Product{"aten::addmm", 2, 2}, Product{"aten::addmv", 2, 1},
                    Product{"aten::baddbmm", 3, 3}}) {
    OpInfo &info = registry.add(p.callee);
    info.infer = [p](const CallArgs &args) -> Infer {
      RankedTensorType self = args.type(0), a = args.type(1), b = args.type(2);
      if (!self || !a || !b || a.getRank() != p.left || b.getRank() != p.right)
        return failure();
      Infer product = productType(a, b);
      if (failed(product))
        return failure();
      ArrayRef<int64_t> shape = product->front().getShape();
      auto sum = broadcast(self.getShape(), shape);
      if (failed(sum) || ArrayRef(*sum) != shape)
        return failure();
      return product;
    };
    info.vjp = addProductVjp;
    // Every rank would add self: the contracted dim is whole.
    info.sharding = joint({0, 1}, [](AtenOp op, const CallArgs &) {
      return productRule(op, 1, FactorKind::Whole);
    });
    info.flops = [](const CallArgs &args, TypeRange results) {
      return 2.0 * cast<RankedTensorType>(results[0]).getNumElements() *
             args.type(1).getShape().back();
    };
  }
}
