//===- Parts.cpp - slices, splits and writing into them ---===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Families.h"

#include <numeric>

using namespace mlir;
using namespace nxdt;

//===----------------------------------------------------------------------===//
// How parts may be split
//===----------------------------------------------------------------------===//

/// select and unbind: the dim is gone from the results.
static ShardingRule removing(AtenOp op, const CallArgs &args) {
  int64_t dim = *wrapDim(args.integer(1), args.type(0).getRank());
  return reductionRule(op, {dim}, /*keepDim=*/false, FactorKind::Whole);
}

/// A tensor whose two dims are at this position and the next, and its diagonal:
/// the other dims in order and a last one.
static ShardingRule diagonalOf(Sizes shape, int64_t length,
                               const CallArgs &args, unsigned position) {
  int64_t rank = shape.size();
  SmallVector<int64_t> dims = {*wrapDim(args.integer(position), rank),
                               *wrapDim(args.integer(position + 1), rank)};
  ShardingRule rule;
  TensorFactors tensor = newFactors(rule, shape, FactorKind::Map, dims);
  TensorFactors diagonal;
  for (int64_t dim = 0; dim < rank; ++dim)
    if (!llvm::is_contained(dims, dim))
      diagonal.push_back(tensor[dim]);
  diagonal.push_back({rule.factor(length, FactorKind::Whole)});
  rule.operands = {tensor};
  rule.results = {diagonal};
  return rule;
}
static ShardingRule diagonalRule(AtenOp op, const CallArgs &args) {
  return diagonalOf(operandShape(op, 0), resultShape(op).back(), args, 2);
}
static ShardingRule diagonalBackRule(AtenOp op, const CallArgs &args) {
  ShardingRule rule =
      diagonalOf(resultShape(op), operandShape(op, 0).back(), args, 3);
  std::swap(rule.operands, rule.results);
  return rule;
}
static ShardingRule diagonalScatterRule(AtenOp op, const CallArgs &args) {
  ShardingRule rule =
      diagonalOf(resultShape(op), operandShape(op, 1).back(), args, 3);
  TensorFactors tensor = rule.operands[0], diagonal = rule.results[0];
  rule.operands = {tensor, diagonal};
  rule.results = {tensor};
  return rule;
}

/// A tensor and its windows along a dim at a position: as many in its place,
/// their elements last.
static ShardingRule windowsOf(Sizes shape, Sizes windows, const CallArgs &args,
                              unsigned position) {
  int64_t dim = *wrapDim(args.integer(position), shape.size());
  ShardingRule rule;
  TensorFactors tensor = newFactors(rule, shape, FactorKind::Map, {dim});
  TensorFactors unfolded = tensor;
  unfolded[dim] = {rule.factor(windows[dim], FactorKind::Whole)};
  unfolded.push_back({rule.factor(windows.back(), FactorKind::Whole)});
  rule.operands = {tensor};
  rule.results = {unfolded};
  return rule;
}
static ShardingRule unfoldRule(AtenOp op, const CallArgs &args) {
  return windowsOf(operandShape(op, 0), resultShape(op), args, 1);
}
static ShardingRule unfoldBackRule(AtenOp op, const CallArgs &args) {
  ShardingRule rule = windowsOf(resultShape(op), operandShape(op, 0), args, 2);
  std::swap(rule.operands, rule.results);
  return rule;
}

//===----------------------------------------------------------------------===//
// One part
//===----------------------------------------------------------------------===//

/// Start and end of a slice, clamped as libtorch does.
static std::pair<int64_t, int64_t> sliceBounds(const CallArgs &args,
                                               int64_t size) {
  auto clamp = [&](std::optional<int64_t> bound, int64_t absent) {
    if (!bound)
      return absent;
    int64_t value = *bound < 0 ? *bound + size : *bound;
    return std::clamp<int64_t>(value, 0, size);
  };
  int64_t start = clamp(args.integer(2), 0);
  int64_t end = clamp(args.integer(3), size);
  return {start, std::max(start, end)};
}

/// A dim that is cut is whole; one that is taken in full may be split, as
/// bounds beyond the end are clamped.
static ShardingRule sliceRule(AtenOp op, const CallArgs &args) {
  Sizes from = operandShape(op, 0), to = resultShape(op);
  int64_t dim = *wrapDim(args.integer(1), from.size());
  return from[dim] == to[dim] ? pointwiseRule(op) : sameDimsRule(op, {dim});
}
/// Nothing is clamped here: a start counted from the end is that of the whole.
static ShardingRule narrowRule(AtenOp op, const CallArgs &args) {
  if (args.integer(2) == 0)
    return sliceRule(op, args);
  return sameDimsRule(op, {*wrapDim(args.integer(1), args.type(0).getRank())});
}

static void registerSlices(OpRegistry &registry) {
  auto &slice = registry.add("aten::slice.Tensor");
  slice.infer = [](const CallArgs &args) -> FailureOr<ResultTypes> {
    RankedTensorType type = args.type(0);
    if (!type || !type.getRank())
      return failure();
    auto dim = wrapDim(args.integer(1), type.getRank());
    int64_t step = args.integer(4).value_or(1);
    if (!dim || step < 1)
      return failure();
    auto [start, end] = sliceBounds(args, type.getDimSize(*dim));
    Shape shape(type.getShape());
    shape[*dim] = (end - start + step - 1) / step;
    return shaped(type, shape);
  };
  slice.vjp = [](VjpContext &ctx) {
    ctx.set(0,
            ctx.call("aten::slice_backward",
                     {ctx.grad(), ctx.type(0).getShape(), Arg(ctx.args.attr(1)),
                      ctx.args.has(2) ? *ctx.args.integer(2) : 0,
                      ctx.args.has(3)
                          ? *ctx.args.integer(3)
                          : ctx.type(0).getDimSize(*wrapDim(
                                ctx.args.integer(1), ctx.type(0).getRank())),
                      Arg(ctx.args.attr(4))}));
  };
  slice.aliasing = Aliasing::View;
  slice.sharding = each({0}, sliceRule);
  auto &narrow = registry.add("aten::narrow");
  narrow.infer = [](const CallArgs &args) -> FailureOr<ResultTypes> {
    RankedTensorType type = args.type(0);
    auto start = args.integer(2), length = args.integer(3);
    if (!type || !type.getRank() || !start || !length)
      return failure();
    auto dim = wrapDim(args.integer(1), type.getRank());
    if (!dim)
      return failure();
    int64_t size = type.getDimSize(*dim);
    if (*start < -size || *start > size || *length < 0 ||
        (*start < 0 ? *start + size : *start) + *length > size)
      return failure();
    Shape shape(type.getShape());
    shape[*dim] = *length;
    return shaped(type, shape);
  };
  narrow.vjp = [](VjpContext &ctx) {
    int64_t dim = *wrapDim(ctx.args.integer(1), ctx.type(0).getRank());
    int64_t start = *ctx.args.integer(2);
    if (start < 0)
      start += ctx.type(0).getDimSize(dim);
    ctx.set(0, ctx.call("aten::slice_backward",
                        {ctx.grad(), ctx.type(0).getShape(), dim, start,
                         start + *ctx.args.integer(3), 1}));
  };
  narrow.aliasing = Aliasing::View;
  narrow.sharding = each({0}, narrowRule);
  narrow.localArgs = sizeAlong(3, 1);
  // Only built by gradients; the shape is argument 1.
  struct Backward {
    StringRef callee;
    RuleOf sharding;
  };
  for (const Backward &back :
       {Backward{"aten::slice_backward", wholeAlong(2)},
        Backward{"aten::select_backward", inserting(2)},
        Backward{"aten::diagonal_backward", diagonalBackRule},
        Backward{"aten::unfold_backward", unfoldBackRule}}) {
    OpInfo &info = registry.add(back.callee);
    info.infer = [](const CallArgs &args) -> FailureOr<ResultTypes> {
      if (!args.type(0) || !args.integers(1))
        return failure();
      return shaped(args.type(0), *args.integers(1));
    };
    info.sharding = each({0}, back.sharding);
    info.localArgs = shapeAt(1);
  }
  auto &select = registry.add("aten::select.int");
  select.infer = [](const CallArgs &args) -> FailureOr<ResultTypes> {
    RankedTensorType type = args.type(0);
    if (!type || !type.getRank())
      return failure();
    auto dim = wrapDim(args.integer(1), type.getRank());
    if (!dim || !wrapDim(args.integer(2), type.getDimSize(*dim)))
      return failure();
    Shape shape(type.getShape());
    shape.erase(shape.begin() + *dim);
    return shaped(type, shape);
  };
  select.vjp = [](VjpContext &ctx) {
    ctx.set(0, ctx.call("aten::select_backward",
                        {ctx.grad(), ctx.type(0).getShape(),
                         Arg(ctx.args.attr(1)), Arg(ctx.args.attr(2))}));
  };
  select.aliasing = Aliasing::View;
  select.sharding = each({0}, removing);
}

//===----------------------------------------------------------------------===//
// Several parts
//===----------------------------------------------------------------------===//

/// Sizes of the parts along a dim of this size.
using PartSizes = std::optional<Shape> (*)(const CallArgs &, int64_t size);

static Shape equalParts(int64_t size, int64_t part) {
  Shape sizes;
  for (int64_t start = 0; start < size; start += part)
    sizes.push_back(std::min(part, size - start));
  // libtorch gives one empty part rather than none.
  if (sizes.empty())
    sizes.push_back(0);
  return sizes;
}
static std::optional<Shape> sizesOfSplit(const CallArgs &args, int64_t size) {
  auto part = args.integer(1);
  if (!part || *part < 0 || (*part == 0 && size != 0))
    return std::nullopt;
  return equalParts(size, std::max<int64_t>(*part, 1));
}
static std::optional<Shape> sizesGiven(const CallArgs &args, int64_t size) {
  auto sizes = args.integers(1);
  if (!sizes ||
      std::accumulate(sizes->begin(), sizes->end(), int64_t(0)) != size)
    return std::nullopt;
  return Shape(*sizes);
}
static std::optional<Shape> sizesOfChunk(const CallArgs &args, int64_t size) {
  auto chunks = args.integer(1);
  if (!chunks || *chunks < 1)
    return std::nullopt;
  if (size == 0)
    return Shape(*chunks, 0);
  return equalParts(size, (size + *chunks - 1) / *chunks);
}
static std::optional<Shape> sizesOfSections(const CallArgs &args,
                                            int64_t size) {
  auto sections = args.integer(1);
  if (!sections || *sections < 1)
    return std::nullopt;
  Shape sizes(*sections, size / *sections);
  for (int64_t i = 0; i < size % *sections; ++i)
    ++sizes[i];
  return sizes;
}

/// The gradients of parts put together again; zeros for what nobody used.
static void joinParts(VjpContext &ctx, int64_t dim, bool stacked) {
  SmallVector<Value> parts;
  for (unsigned i = 0; i < ctx.op->getNumResults(); ++i)
    parts.push_back(ctx.grad(i) ? ctx.grad(i) : ctx.zeros(typeOf(ctx.out(i))));
  ctx.set(0, ctx.call(stacked ? "aten::stack" : "aten::cat", {parts, dim}));
}

static void registerSplits(OpRegistry &registry) {
  struct Kind {
    StringRef callee;
    PartSizes sizes;
  };
  for (Kind kind : {Kind{"aten::split.Tensor", sizesOfSplit},
                    Kind{"aten::split.sizes", sizesGiven},
                    Kind{"aten::split_with_sizes", sizesGiven},
                    Kind{"aten::chunk", sizesOfChunk},
                    Kind{"aten::tensor_split.sections", sizesOfSections}}) {
    OpInfo &info = registry.add(kind.callee);
    info.infer = [sizes = kind.sizes](const CallArgs &args) -> Infer {
      RankedTensorType type = args.type(0);
      if (!type || !type.getRank())
        return failure();
      auto dim = wrapDim(args.integer(2), type.getRank());
      if (!dim)
        return failure();
      auto parts = sizes(args, type.getDimSize(*dim));
      if (!parts || llvm::any_of(*parts, [](int64_t s) { return s < 0; }))
        return failure();
      ResultTypes types;
      Shape shape(type.getShape());
      for (int64_t part : *parts) {
        shape[*dim] = part;
        types.push_back(RankedTensorType::get(shape, type.getElementType()));
      }
      return types;
    };
    info.vjp = [](VjpContext &ctx) {
      joinParts(ctx, *ctx.args.integer(2), /*stacked=*/false);
    };
    info.aliasing = Aliasing::View;
    info.sharding = each({0}, wholeAlong(2));
  }
  OpInfo &unbind = registry.add("aten::unbind.int");
  unbind.infer = [](const CallArgs &args) -> Infer {
    RankedTensorType type = args.type(0);
    if (!type || !type.getRank())
      return failure();
    auto dim = wrapDim(args.integer(1), type.getRank());
    if (!dim)
      return failure();
    Shape shape(type.getShape());
    shape.erase(shape.begin() + *dim);
    return ResultTypes(type.getDimSize(*dim),
                       RankedTensorType::get(shape, type.getElementType()));
  };
  unbind.vjp = [](VjpContext &ctx) {
    joinParts(ctx, *ctx.args.integer(1), /*stacked=*/true);
  };
  unbind.aliasing = Aliasing::View;
  unbind.sharding = each({0}, removing);
}

//===----------------------------------------------------------------------===//
// Diagonals and windows
//===----------------------------------------------------------------------===//

/// diagonal(self, offset, dim1, dim2): both dims replaced by a last one.
static std::optional<Shape> diagonalShape(const CallArgs &args,
                                          unsigned position) {
  RankedTensorType type = args.type(0);
  auto offset = args.integer(position);
  if (!type || type.getRank() < 2 || !offset)
    return std::nullopt;
  auto dim1 = wrapDim(args.integer(position + 1), type.getRank());
  auto dim2 = wrapDim(args.integer(position + 2), type.getRank());
  if (!dim1 || !dim2 || *dim1 == *dim2)
    return std::nullopt;
  int64_t rows = type.getDimSize(*dim1), columns = type.getDimSize(*dim2);
  int64_t length = *offset >= 0 ? std::min(rows, columns - *offset)
                                : std::min(rows + *offset, columns);
  Shape shape = reducedShape(type, {*dim1, *dim2}, /*keepDim=*/false);
  shape.push_back(std::max<int64_t>(length, 0));
  return shape;
}

static void registerDiagonals(OpRegistry &registry) {
  OpInfo &diagonal = add(
      registry, "aten::diagonal", each({0}, diagonalRule),
      [](const CallArgs &args) -> Infer {
        auto shape = diagonalShape(args, 1);
        if (!shape)
          return failure();
        return shaped(args.type(0), *shape);
      },
      [](VjpContext &ctx) {
        ctx.set(0, ctx.call("aten::diagonal_backward",
                            {ctx.grad(), ctx.type(0).getShape(),
                             Arg(ctx.args.attr(1)), Arg(ctx.args.attr(2)),
                             Arg(ctx.args.attr(3))}));
      });
  diagonal.aliasing = Aliasing::View;
  OpInfo &unfold = add(
      registry, "aten::unfold", each({0}, unfoldRule),
      [](const CallArgs &args) -> Infer {
        RankedTensorType type = args.type(0);
        if (!type || !type.getRank())
          return failure();
        auto dim = wrapDim(args.integer(1), type.getRank());
        auto size = args.integer(2), step = args.integer(3);
        if (!dim || !size || !step || *step < 1 || *size < 0 ||
            *size > type.getDimSize(*dim))
          return failure();
        Shape shape(type.getShape());
        shape[*dim] = (shape[*dim] - *size) / *step + 1;
        shape.push_back(*size);
        return shaped(type, shape);
      },
      [](VjpContext &ctx) {
        ctx.set(0, ctx.call("aten::unfold_backward",
                            {ctx.grad(), ctx.type(0).getShape(),
                             Arg(ctx.args.attr(1)), Arg(ctx.args.attr(2)),
                             Arg(ctx.args.attr(3))}));
      });
  unfold.aliasing = Aliasing::View;
}

//===----------------------------------------------------------------------===//
// Writing into a part of a copy
//===----------------------------------------------------------------------===//

/// `scatter` writes operand 1 where `part`, with the same further arguments,
/// would read. Self keeps what was not overwritten.
static void scatterVjp(VjpContext &ctx, StringRef scatter, StringRef part) {
  auto call = [&](StringRef callee, SmallVector<Arg> args) {
    for (unsigned i = 2; i < ctx.args.size(); ++i)
      args.push_back(Arg(ctx.args.attr(i)));
    return ctx.call(callee, args);
  };
  if (ctx.needs(0)) {
    auto type = withElement(ctx.type(1), typeOf(ctx.grad()).getElementType());
    ctx.set(0, call(scatter, {ctx.grad(), ctx.zeros(type)}));
  }
  if (ctx.needs(1))
    ctx.set(1, call(part, {ctx.grad()}));
}

static void registerScatters(OpRegistry &registry) {
  struct Kind {
    StringRef scatter, part;
    RuleOf sharding;
  };
  for (const Kind &kind :
       {Kind{"aten::slice_scatter", "aten::slice.Tensor", wholeAlong(2)},
        Kind{"aten::select_scatter", "aten::select.int", inserting(2)},
        Kind{"aten::diagonal_scatter", "aten::diagonal",
             diagonalScatterRule}}) {
    std::string scatter = kind.scatter.str(), part = kind.part.str();
    add(
        registry, scatter, joint({}, kind.sharding),
        [](const CallArgs &args) -> Infer {
          if (!args.type(1))
            return failure();
          return inferSame(args);
        },
        [scatter, part](VjpContext &ctx) { scatterVjp(ctx, scatter, part); });
  }
}

void nxdt::registerParts(OpRegistry &registry) {
  registerSlices(registry);
  registerSplits(registry);
  registerDiagonals(registry);
  registerScatters(registry);
}
