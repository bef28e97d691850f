//===- Indexing.cpp - look-ups by index ---===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Families.h"

using namespace mlir;
using namespace nxdt;

static bool isInteger(RankedTensorType type) {
  return type && type.getElementType().isInteger() &&
         !type.getElementType().isInteger(1);
}
static double noFlops(const CallArgs &, TypeRange) { return 0; }

//===----------------------------------------------------------------------===//
// Embeddings
//===----------------------------------------------------------------------===//

static void registerEmbedding(OpRegistry &registry) {
  // embedding(weight, indices, padding_idx, scale_grad_by_freq, sparse)
  OpInfo &embedding = add(
      registry, "aten::embedding",
      [](const CallArgs &args) -> Infer {
        RankedTensorType weight = args.type(0), ids = args.type(1);
        if (!weight || !isInteger(ids) || weight.getRank() != 2)
          return failure();
        Shape shape(ids.getShape());
        shape.push_back(weight.getDimSize(1));
        return shaped(weight, shape);
      },
      [](VjpContext &ctx) {
        ctx.set(0, ctx.call("aten::embedding_dense_backward",
                            {ctx.grad(), ctx.in(1), ctx.type(0).getDimSize(0),
                             ctx.args.integer(2).value_or(-1),
                             ctx.args.boolean(3).value_or(false)}));
      });
  embedding.flops = noFlops;
  // (grad, indices, num_weights, padding_idx, scale_grad_by_freq)
  registry.add("aten::embedding_dense_backward").infer =
      [](const CallArgs &args) -> Infer {
    RankedTensorType grad = args.type(0);
    if (!grad || !grad.getRank() || !args.integer(2))
      return failure();
    return shaped(grad, {*args.integer(2), grad.getShape().back()});
  };
  // one_hot(self, num_classes); without a number it depends on the data.
  constant(registry, "aten::one_hot").infer =
      [](const CallArgs &args) -> Infer {
    RankedTensorType type = args.type(0);
    auto classes = args.integer(1);
    if (!type || !classes || *classes < 1)
      return failure();
    Shape shape(type.getShape());
    shape.push_back(*classes);
    return shaped(type, shape);
  };
}

//===----------------------------------------------------------------------===//
// Along a dim
//===----------------------------------------------------------------------===//

/// Self's type, if a dim at 1 and indices at 2 are there.
static Infer inferInto(const CallArgs &args) {
  if (!args.type(0) || !wrapDim(args.integer(1), args.type(0).getRank()) ||
      !isInteger(args.type(2)))
    return failure();
  return ResultTypes{args.type(0)};
}

static void registerGather(OpRegistry &registry) {
  // gather(self, dim, index, sparse_grad)
  add(
      registry, "aten::gather",
      [](const CallArgs &args) -> Infer {
        if (failed(inferInto(args)))
          return failure();
        RankedTensorType self = args.type(0), index = args.type(2);
        int64_t rank = self.getRank();
        // 0-dim tensors count as [1]; other dims may be shorter, not longer.
        if (std::max<int64_t>(rank, 1) != std::max<int64_t>(index.getRank(), 1))
          return failure();
        for (int64_t d = 0; d < std::min(rank, index.getRank()); ++d)
          if (d != *wrapDim(args.integer(1), rank) &&
              index.getDimSize(d) > self.getDimSize(d))
            return failure();
        return shaped(self, index.getShape());
      },
      [](VjpContext &ctx) {
        ctx.set(0, ctx.call("aten::scatter_add",
                            {ctx.zeros(ctx.type(0)), Arg(ctx.args.attr(1)),
                             ctx.in(2), ctx.grad()}));
      })
      .flops = noFlops;
  auto gathered = [](VjpContext &ctx) {
    if (ctx.needs(3))
      ctx.set(3, ctx.call("aten::gather", {ctx.grad(), Arg(ctx.args.attr(1)),
                                           ctx.in(2), false}));
  };
  // scatter_add(self, dim, index, src)
  add(registry, "aten::scatter_add", inferInto, [gathered](VjpContext &ctx) {
    if (ctx.needs(0))
      ctx.set(0, ctx.grad());
    gathered(ctx);
  });
  auto cleared = [](VjpContext &ctx) {
    if (ctx.needs(0))
      ctx.set(0, ctx.call("aten::scatter.value",
                          {ctx.grad(), Arg(ctx.args.attr(1)), ctx.in(2), 0.0}));
  };
  add(registry, "aten::scatter.src", inferInto,
      [cleared, gathered](VjpContext &ctx) {
        cleared(ctx);
        gathered(ctx);
      });
  add(registry, "aten::scatter.value", inferInto, cleared);
}

static void registerIndexSelect(OpRegistry &registry) {
  // index_select(self, dim, index)
  add(
      registry, "aten::index_select",
      [](const CallArgs &args) -> Infer {
        RankedTensorType type = args.type(0), index = args.type(2);
        if (failed(inferInto(args)) || index.getRank() > 1)
          return failure();
        Shape shape(type.getShape());
        if (type.getRank())
          shape[*wrapDim(args.integer(1), type.getRank())] =
              index.getNumElements();
        return shaped(type, shape);
      },
      [](VjpContext &ctx) {
        ctx.set(0, ctx.call("aten::index_add",
                            {ctx.zeros(ctx.type(0)), Arg(ctx.args.attr(1)),
                             ctx.in(2), ctx.grad(), 1}));
      })
      .flops = noFlops;
  // index_add(self, dim, index, source, alpha)
  add(registry, "aten::index_add", inferInto, [](VjpContext &ctx) {
    if (ctx.needs(0))
      ctx.set(0, ctx.grad());
    if (!ctx.needs(3))
      return;
    Value grad = ctx.call("aten::index_select",
                          {ctx.grad(), Arg(ctx.args.attr(1)), ctx.in(2)});
    ctx.set(3, ctx.mul(grad, *ctx.args.number(4)));
  });
  // index_fill(self, dim, index, value)
  add(registry, "aten::index_fill.int_Scalar", inferInto, [](VjpContext &ctx) {
    ctx.set(0, ctx.call("aten::index_fill.int_Scalar",
                        {ctx.grad(), Arg(ctx.args.attr(1)), ctx.in(2), 0.0}));
  });
}

//===----------------------------------------------------------------------===//
// Several dims
//===----------------------------------------------------------------------===//

/// The shape of self[indices]: index tensors broadcast and stand where they
/// are adjacent, else in front. Masks depend on the data.
static std::optional<Shape> indexedShape(RankedTensorType self,
                                         ArrayRef<Value> indices) {
  Shape common, shape;
  SmallVector<int64_t> indexed;
  if (static_cast<int64_t>(indices.size()) > self.getRank())
    return std::nullopt;
  for (auto [d, index] : llvm::enumerate(indices)) {
    if (!index)
      continue;
    auto next = broadcast(common, typeOf(index).getShape());
    if (!isInteger(typeOf(index)) || failed(next))
      return std::nullopt;
    common = *next;
    indexed.push_back(d);
  }
  if (indexed.empty())
    return std::nullopt;
  bool adjacent = indexed.back() - indexed.front() + 1 ==
                  static_cast<int64_t>(indexed.size());
  if (!adjacent)
    shape = common;
  for (int64_t d = 0; d < self.getRank(); ++d) {
    if (adjacent && d == indexed.front())
      llvm::append_range(shape, common);
    if (!llvm::is_contained(indexed, d))
      shape.push_back(self.getDimSize(d));
  }
  return shape;
}

static void registerIndex(OpRegistry &registry) {
  // index(self, indices)
  add(
      registry, "aten::index.Tensor",
      [](const CallArgs &args) -> Infer {
        if (!args.type(0))
          return failure();
        auto shape = indexedShape(args.type(0), args.tensors(1));
        if (!shape)
          return failure();
        return shaped(args.type(0), *shape);
      },
      [](VjpContext &ctx) {
        ctx.set(0, ctx.call("aten::index_put",
                            {ctx.zeros(ctx.type(0)), ctx.args.tensors(1),
                             ctx.grad(), /*accumulate=*/true}));
      })
      .flops = noFlops;
  // index_put(self, indices, values, accumulate)
  add(
      registry, "aten::index_put",
      [](const CallArgs &args) -> Infer {
        if (!args.type(0) || !args.type(2) ||
            !indexedShape(args.type(0), args.tensors(1)))
          return failure();
        return ResultTypes{args.type(0)};
      },
      [](VjpContext &ctx) {
        SmallVector<Value> indices = ctx.args.tensors(1);
        Type element = typeOf(ctx.grad()).getElementType();
        if (ctx.needs(0)) {
          Value zero = ctx.zeros(RankedTensorType::get({}, element));
          ctx.set(0, ctx.args.boolean(3).value_or(false)
                         ? ctx.grad()
                         : ctx.call("aten::index_put",
                                    {ctx.grad(), indices, zero, false}));
        }
        if (ctx.needs(2))
          ctx.set(2, ctx.call("aten::index.Tensor", {ctx.grad(), indices}));
      });
}

void nxdt::registerIndexing(OpRegistry &registry) {
  registerEmbedding(registry);
  registerGather(registry);
  registerIndexSelect(registry);
  registerIndex(registry);
}
