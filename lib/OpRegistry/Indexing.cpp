//===- Indexing.cpp - look-ups by index ---===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Families.h"

#include "nxdt/Registry/ShardingRules.h"

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

/// table [v, h], indices [...] -> [..., h].
static ShardingRule embeddingRule(AtenOp op, const CallArgs &) {
  ShardingRule rule;
  TensorFactors result = newFactors(rule, resultShape(op), FactorKind::Map);
  unsigned rows = rule.factor(operandShape(op, 0)[0], FactorKind::Reduce);
  TensorFactors indices = result;
  indices.pop_back();
  rule.operands = {{{rows}, result.back()}, indices};
  rule.results = {result};
  rule.indexedFactor = rows;
  rule.indexOperand = 1;
  rule.linearEach({0});
  return rule;
}

/// grad [..., h], indices [...] -> [v, h].
static ShardingRule embeddingBackRule(AtenOp op, const CallArgs &args) {
  // Gradients scaled by how often an index is there need all indices, and a
  // padding row's number cannot differ from rank to rank.
  bool byFrequency = args.boolean(4).value_or(false);
  bool hasPadding = args.integer(3).value_or(-1) >= 0;
  ShardingRule rule;
  TensorFactors indices =
      newFactors(rule, operandShape(op, 1),
                 byFrequency ? FactorKind::Whole : FactorKind::Reduce);
  Sizes table = resultShape(op);
  unsigned rows =
      rule.factor(table[0], byFrequency || hasPadding ? FactorKind::Whole
                                                      : FactorKind::Map);
  unsigned columns = rule.factor(table[1]);
  TensorFactors grad = indices;
  grad.push_back({columns});
  rule.operands = {grad, indices};
  rule.results = {{{rows}, {columns}}};
  rule.indexedFactor = rows;
  rule.indexOperand = 1;
  rule.linearEach({0});
  return rule;
}

static ShardingRule oneHotRule(AtenOp op, const CallArgs &) {
  ShardingRule rule;
  int64_t classes = resultShape(op).size() - 1;
  TensorFactors result =
      newFactors(rule, resultShape(op), FactorKind::Map, {classes});
  rule.operands = {TensorFactors(ArrayRef(result).drop_back())};
  rule.results = {result};
  return rule;
}

static void registerEmbedding(OpRegistry &registry) {
  // embedding(weight, indices, padding_idx, scale_grad_by_freq, sparse)
  OpInfo &embedding = add(
      registry, "aten::embedding", embeddingRule,
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
  OpInfo &back = registry.add("aten::embedding_dense_backward");
  back.infer = [](const CallArgs &args) -> Infer {
    RankedTensorType grad = args.type(0);
    if (!grad || !grad.getRank() || !args.integer(2))
      return failure();
    return shaped(grad, {*args.integer(2), grad.getShape().back()});
  };
  back.sharding = embeddingBackRule;
  back.localArgs = sizeAt(2, 0);
  // one_hot(self, num_classes); without a number it depends on the data.
  constant(registry, "aten::one_hot", oneHotRule).infer =
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

/// Self, indices and what is scattered share the dims in which they are equally
/// long, but that of the indices: any of them may point anywhere.
static ShardingRule scatterRule(AtenOp op, const CallArgs &args) {
  Sizes self = resultShape(op);
  SmallVector<int64_t> whole;
  for (int64_t d = 0, e = self.size(); d < e; ++d)
    if (d == *wrapDim(args.integer(1), e) ||
        llvm::any_of(op->getOperands(), [&](Value operand) {
          return d >= typeOf(operand).getRank() ||
                 typeOf(operand).getDimSize(d) != self[d];
        }))
      whole.push_back(d);
  if (llvm::any_of(op->getOperands(), [&](Value operand) {
        return typeOf(operand).getRank() != int64_t(self.size());
      }))
    return wholeRule(op); // 0-dim tensors beside [1]
  return sameDimsRule(op, whole);
}

/// The same, but results lie as the indices do, along their dim too.
static ShardingRule gatherRule(AtenOp op, const CallArgs &args) {
  Sizes self = operandShape(op, 0), index = operandShape(op, 1);
  if (self.size() != index.size())
    return wholeRule(op); // 0-dim tensors beside [1]
  ShardingRule rule;
  TensorFactors picked, source;
  for (int64_t d = 0, e = self.size(); d < e; ++d) {
    bool along = d == *wrapDim(args.integer(1), e);
    bool shared = !along && self[d] == index[d];
    picked.push_back({rule.factor(
        index[d], along || shared ? FactorKind::Map : FactorKind::Whole)});
    source.push_back(shared
                         ? picked.back()
                         : DimFactors{rule.factor(self[d], FactorKind::Whole)});
  }
  rule.operands = {source, picked};
  rule.results = {picked};
  rule.linearEach({0});
  return rule;
}

/// Partial sums in operand 0, if the number that is put into it is 0.
static RuleOf linearIfZero(RuleOf rule) {
  return [rule = std::move(rule)](AtenOp op, const CallArgs &args) {
    ShardingRule filled = rule(op, args);
    if (args.number(3) == 0.0)
      filled.linearEach({0});
    return filled;
  };
}

static void registerGather(OpRegistry &registry) {
  // gather(self, dim, index, sparse_grad)
  add(
      registry, "aten::gather", gatherRule,
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
  add(registry, "aten::scatter_add", joint({0, 2}, scatterRule), inferInto,
      [gathered](VjpContext &ctx) {
        if (ctx.needs(0))
          ctx.set(0, ctx.grad());
        gathered(ctx);
      });
  auto cleared = [](VjpContext &ctx) {
    if (ctx.needs(0))
      ctx.set(0, ctx.call("aten::scatter.value",
                          {ctx.grad(), Arg(ctx.args.attr(1)), ctx.in(2), 0.0}));
  };
  add(registry, "aten::scatter.src", joint({0, 2}, scatterRule), inferInto,
      [cleared, gathered](VjpContext &ctx) {
        cleared(ctx);
        gathered(ctx);
      });
  add(registry, "aten::scatter.value", linearIfZero(scatterRule), inferInto,
      cleared);
}

/// index_select(self, dim, index): the dim is the index's in the result.
static ShardingRule selectRule(AtenOp op, const CallArgs &args) {
  Sizes self = operandShape(op, 0);
  if (self.empty() || operandShape(op, 1).empty())
    return wholeRule(op);
  int64_t dim = *wrapDim(args.integer(1), self.size());
  ShardingRule rule;
  TensorFactors result = newFactors(rule, resultShape(op), FactorKind::Map);
  TensorFactors source = result;
  source[dim] = {rule.factor(self[dim], FactorKind::Whole)};
  rule.operands = {source, {result[dim]}};
  rule.results = {result};
  rule.linearEach({0});
  return rule;
}

/// index_add and index_fill: the dim and its indices are whole, as self would
/// count once per part of the indices.
static ShardingRule alongIndexRule(AtenOp op, const CallArgs &args) {
  Sizes self = resultShape(op);
  if (self.empty())
    return wholeRule(op);
  int64_t dim = *wrapDim(args.integer(1), self.size());
  ShardingRule rule;
  TensorFactors shared = newFactors(rule, self, FactorKind::Map, {dim});
  rule.operands = {shared,
                   newFactors(rule, operandShape(op, 1), FactorKind::Whole)};
  rule.results = {shared};
  if (op->getNumOperands() > 2) {
    Sizes source = operandShape(op, 2);
    if (source.size() != self.size())
      return wholeRule(op);
    shared[dim] = {rule.factor(source[dim], FactorKind::Whole)};
    rule.operands.push_back(shared);
  }
  return rule;
}

static void registerIndexSelect(OpRegistry &registry) {
  // index_select(self, dim, index)
  add(
      registry, "aten::index_select", selectRule,
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
  add(registry, "aten::index_add", joint({0, 2}, alongIndexRule), inferInto,
      [](VjpContext &ctx) {
        if (ctx.needs(0))
          ctx.set(0, ctx.grad());
        if (!ctx.needs(3))
          return;
        Value grad = ctx.call("aten::index_select",
                              {ctx.grad(), Arg(ctx.args.attr(1)), ctx.in(2)});
        ctx.set(3, ctx.mul(grad, *ctx.args.number(4)));
      });
  // index_fill(self, dim, index, value)
  add(registry, "aten::index_fill.int_Scalar", linearIfZero(alongIndexRule),
      inferInto, [](VjpContext &ctx) {
        ctx.set(0,
                ctx.call("aten::index_fill.int_Scalar",
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

/// self[indices]: dims that are indexed are whole, the indices' own dims stand
/// in the result where indexedShape() has them.
static ShardingRule indexRuleOf(Sizes self, ArrayRef<Value> indices,
                                FactorKind ofIndices) {
  ShardingRule rule;
  Shape common;
  SmallVector<int64_t> indexed;
  for (auto [d, index] : llvm::enumerate(indices))
    if (index) {
      common = *broadcast(common, typeOf(index).getShape());
      indexed.push_back(d);
    }
  TensorFactors source = newFactors(rule, self, FactorKind::Map, indexed);
  TensorFactors shared = newFactors(rule, common, ofIndices);
  bool adjacent = indexed.back() - indexed.front() + 1 ==
                  static_cast<int64_t>(indexed.size());
  TensorFactors result;
  if (!adjacent)
    result = shared;
  for (int64_t d = 0, e = self.size(); d < e; ++d) {
    if (adjacent && d == indexed.front())
      llvm::append_range(result, shared);
    if (!llvm::is_contained(indexed, d))
      result.push_back(source[d]);
  }
  rule.operands = {source};
  for (Value index : indices)
    if (index)
      rule.operands.push_back(
          broadcastFactors(rule, typeOf(index).getShape(), shared));
  rule.results = {result};
  return rule;
}
static ShardingRule indexRule(AtenOp op, const CallArgs &args) {
  ShardingRule rule =
      indexRuleOf(operandShape(op, 0), args.tensors(1), FactorKind::Map);
  rule.linearEach({0});
  return rule;
}
/// Self would count once per part of the indices: they are whole.
static ShardingRule indexPutRule(AtenOp op, const CallArgs &args) {
  ShardingRule rule =
      indexRuleOf(operandShape(op, 0), args.tensors(1), FactorKind::Whole);
  TensorFactors picked = rule.results[0];
  rule.results = {rule.operands[0]};
  unsigned values = op->getNumOperands() - 1;
  rule.operands.push_back(
      broadcastFactors(rule, operandShape(op, values), picked));
  rule.linearJoint({0, values});
  return rule;
}

static void registerIndex(OpRegistry &registry) {
  // index(self, indices)
  add(
      registry, "aten::index.Tensor", indexRule,
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
      registry, "aten::index_put", indexPutRule,
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
