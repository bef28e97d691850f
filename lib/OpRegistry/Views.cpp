//===- Views.cpp - operators that move elements without computing ---------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Families.h"

using namespace mlir;
using namespace nxdt;

using Shape = SmallVector<int64_t>;

static FailureOr<ResultTypes> shaped(RankedTensorType like,
                                     ArrayRef<int64_t> shape) {
  for (int64_t size : shape)
    if (size < 0)
      return failure();
  return ResultTypes{RankedTensorType::get(shape, like.getElementType())};
}

//===----------------------------------------------------------------------===//
// Reshapes
//===----------------------------------------------------------------------===//

/// Replaces the one -1 of a view's shape.
static FailureOr<Shape> resolveShape(RankedTensorType type,
                                     std::optional<ArrayRef<int64_t>> wanted) {
  if (!wanted)
    return failure();
  Shape shape(wanted->begin(), wanted->end());
  int64_t known = 1;
  int64_t *unknown = nullptr;
  for (int64_t &size : shape) {
    if (size == -1) {
      if (unknown)
        return failure();
      unknown = &size;
    } else {
      known *= size;
    }
  }
  if (unknown) {
    if (known == 0 || type.getNumElements() % known)
      return failure();
    *unknown = type.getNumElements() / known;
  } else if (known != type.getNumElements()) {
    return failure();
  }
  return shape;
}

/// The gradient of anything that only changes the shape.
static void reshapeBack(VjpContext &ctx) {
  ctx.set(0, ctx.reshape(ctx.grad(), ctx.type(0).getShape()));
}

static void registerReshapes(OpRegistry &registry) {
  for (StringRef name : {"aten::view", "aten::reshape", "aten::_unsafe_view"}) {
    OpInfo &info = registry.add(name);
    info.infer = [](const CallArgs &args) -> FailureOr<ResultTypes> {
      if (!args.type(0))
        return failure();
      FailureOr<Shape> shape = resolveShape(args.type(0), args.integers(1));
      if (failed(shape))
        return failure();
      return shaped(args.type(0), *shape);
    };
    info.vjp = reshapeBack;
    info.aliasing =
        name == "aten::reshape" ? Aliasing::MaybeView : Aliasing::View;
  }
  auto &unsqueeze = registry.add("aten::unsqueeze");
  unsqueeze.infer = [](const CallArgs &args) -> FailureOr<ResultTypes> {
    RankedTensorType type = args.type(0);
    if (!type)
      return failure();
    std::optional<int64_t> dim = wrapDim(args.integer(1), type.getRank() + 1);
    if (!dim)
      return failure();
    Shape shape(type.getShape());
    shape.insert(shape.begin() + *dim, 1);
    return shaped(type, shape);
  };
  unsqueeze.vjp = reshapeBack;
  unsqueeze.aliasing = Aliasing::View;
  auto &squeeze = registry.add("aten::squeeze.dim");
  squeeze.infer = [](const CallArgs &args) -> FailureOr<ResultTypes> {
    RankedTensorType type = args.type(0);
    if (!type)
      return failure();
    std::optional<int64_t> dim = wrapDim(args.integer(1), type.getRank());
    if (!dim)
      return failure();
    Shape shape(type.getShape());
    if (type.getRank() && shape[*dim] == 1)
      shape.erase(shape.begin() + *dim);
    return shaped(type, shape);
  };
  squeeze.vjp = reshapeBack;
  squeeze.aliasing = Aliasing::View;
  auto &flatten = registry.add("aten::flatten.using_ints");
  flatten.infer = [](const CallArgs &args) -> FailureOr<ResultTypes> {
    RankedTensorType type = args.type(0);
    if (!type)
      return failure();
    std::optional<int64_t> start = wrapDim(args.integer(1), type.getRank());
    std::optional<int64_t> end = wrapDim(args.integer(2), type.getRank());
    if (!start || !end || *start > *end)
      return failure();
    Shape shape(type.getShape().take_front(*start));
    int64_t product = 1;
    for (int64_t size : type.getShape().slice(
             *start, std::min(*end + 1, type.getRank()) - *start))
      product *= size;
    shape.push_back(product);
    if (*end + 1 < type.getRank())
      llvm::append_range(shape, type.getShape().drop_front(*end + 1));
    return shaped(type, shape);
  };
  flatten.vjp = reshapeBack;
  flatten.aliasing = Aliasing::MaybeView;
  auto &unflatten = registry.add("aten::unflatten.int");
  unflatten.infer = [](const CallArgs &args) -> FailureOr<ResultTypes> {
    RankedTensorType type = args.type(0);
    if (!type)
      return failure();
    std::optional<int64_t> dim = wrapDim(args.integer(1), type.getRank());
    if (!dim || !type.getRank())
      return failure();
    auto inner = resolveShape(
        RankedTensorType::get({type.getDimSize(*dim)}, type.getElementType()),
        args.integers(2));
    if (failed(inner))
      return failure();
    Shape shape(type.getShape().take_front(*dim));
    llvm::append_range(shape, *inner);
    llvm::append_range(shape, type.getShape().drop_front(*dim + 1));
    return shaped(type, shape);
  };
  unflatten.vjp = reshapeBack;
  unflatten.aliasing = Aliasing::View;
}

//===----------------------------------------------------------------------===//
// Permutations and broadcasts
//===----------------------------------------------------------------------===//

static void registerPermutations(OpRegistry &registry) {
  auto &transpose = registry.add("aten::transpose.int");
  transpose.infer = [](const CallArgs &args) -> FailureOr<ResultTypes> {
    RankedTensorType type = args.type(0);
    if (!type)
      return failure();
    auto a = wrapDim(args.integer(1), type.getRank());
    auto b = wrapDim(args.integer(2), type.getRank());
    if (!a || !b)
      return failure();
    Shape shape(type.getShape());
    if (type.getRank())
      std::swap(shape[*a], shape[*b]);
    return shaped(type, shape);
  };
  transpose.vjp = [](VjpContext &ctx) {
    ctx.set(0, ctx.transpose(ctx.grad(), *ctx.args.integer(1),
                             *ctx.args.integer(2)));
  };
  transpose.aliasing = Aliasing::View;
  auto &t = registry.add("aten::t");
  t.infer = [](const CallArgs &args) -> FailureOr<ResultTypes> {
    RankedTensorType type = args.type(0);
    if (!type || type.getRank() > 2)
      return failure();
    Shape shape(llvm::reverse(type.getShape()));
    return shaped(type, shape);
  };
  t.vjp = [](VjpContext &ctx) {
    ctx.set(0, ctx.call("aten::t", {ctx.grad()}));
  };
  t.aliasing = Aliasing::View;
  auto &permute = registry.add("aten::permute");
  permute.infer = [](const CallArgs &args) -> FailureOr<ResultTypes> {
    RankedTensorType type = args.type(0);
    auto dims = args.integers(1);
    if (!type || !dims || static_cast<int64_t>(dims->size()) != type.getRank())
      return failure();
    Shape shape;
    llvm::SmallBitVector seen(type.getRank());
    for (int64_t dim : *dims) {
      auto wrapped = wrapDim(dim, type.getRank());
      if (!wrapped || seen.test(*wrapped))
        return failure();
      seen.set(*wrapped);
      shape.push_back(type.getDimSize(*wrapped));
    }
    return shaped(type, shape);
  };
  permute.vjp = [](VjpContext &ctx) {
    ArrayRef<int64_t> dims = *ctx.args.integers(1);
    Shape inverse(dims.size());
    for (auto [to, from] : llvm::enumerate(dims))
      inverse[*wrapDim(from, dims.size())] = to;
    ctx.set(0, ctx.call("aten::permute", {ctx.grad(), inverse}));
  };
  permute.aliasing = Aliasing::View;
  auto &expand = registry.add("aten::expand");
  expand.infer = [](const CallArgs &args) -> FailureOr<ResultTypes> {
    RankedTensorType type = args.type(0);
    auto sizes = args.integers(1);
    if (!type || !sizes || static_cast<int64_t>(sizes->size()) < type.getRank())
      return failure();
    Shape shape(sizes->begin(), sizes->end());
    int64_t extra = shape.size() - type.getRank();
    for (int64_t d = extra; d < static_cast<int64_t>(shape.size()); ++d) {
      int64_t from = type.getDimSize(d - extra);
      if (shape[d] == -1)
        shape[d] = from;
      else if (from != 1 && from != shape[d])
        return failure();
    }
    return shaped(type, shape);
  };
  expand.vjp = [](VjpContext &ctx) { ctx.set(0, ctx.grad()); };
  expand.aliasing = Aliasing::View;
}

//===----------------------------------------------------------------------===//
// Parts
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

static void registerParts(OpRegistry &registry) {
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
  auto &narrow = registry.add("aten::narrow");
  narrow.infer = [](const CallArgs &args) -> FailureOr<ResultTypes> {
    RankedTensorType type = args.type(0);
    if (!type || !type.getRank() || !args.integer(3))
      return failure();
    auto dim = wrapDim(args.integer(1), type.getRank());
    if (!dim || *args.integer(3) > type.getDimSize(*dim))
      return failure();
    Shape shape(type.getShape());
    shape[*dim] = *args.integer(3);
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
  // The shape is an argument: [1] of slice_backward and select_backward.
  for (StringRef name : {"aten::slice_backward", "aten::select_backward"})
    registry.add(name).infer =
        [](const CallArgs &args) -> FailureOr<ResultTypes> {
      if (!args.type(0) || !args.integers(1))
        return failure();
      return shaped(args.type(0), *args.integers(1));
    };
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

  auto &cat = registry.add("aten::cat");
  cat.infer = [](const CallArgs &args) -> FailureOr<ResultTypes> {
    SmallVector<Value> parts = args.tensors(0);
    if (parts.empty() || llvm::is_contained(parts, Value()))
      return failure();
    auto type = cast<RankedTensorType>(parts[0].getType());
    auto dim = wrapDim(args.integer(1), type.getRank());
    if (!dim || !type.getRank())
      return failure();
    Shape shape(type.getShape());
    Type element = type.getElementType();
    for (Value part : ArrayRef(parts).drop_front()) {
      auto other = cast<RankedTensorType>(part.getType());
      if (other.getRank() != type.getRank())
        return failure();
      for (int64_t d = 0; d < type.getRank(); ++d)
        if (d != *dim && other.getDimSize(d) != shape[d])
          return failure();
      shape[*dim] += other.getDimSize(*dim);
      element = promote(RankedTensorType::get({1}, element),
                        RankedTensorType::get({1}, other.getElementType()));
    }
    return ResultTypes{RankedTensorType::get(shape, element)};
  };
  cat.vjp = [](VjpContext &ctx) {
    int64_t start = 0;
    unsigned operand = ctx.args.operandIndex(0);
    for (Value part : ctx.args.tensors(0)) {
      auto type = cast<RankedTensorType>(part.getType());
      int64_t dim = *wrapDim(ctx.args.integer(1), type.getRank());
      int64_t end = start + type.getDimSize(dim);
      if (ctx.needsOperand(operand))
        ctx.setOperand(operand, ctx.call("aten::slice.Tensor",
                                         {ctx.grad(), dim, start, end, 1}));
      start = end;
      ++operand;
    }
  };
  auto &stack = registry.add("aten::stack");
  stack.infer = [](const CallArgs &args) -> FailureOr<ResultTypes> {
    SmallVector<Value> parts = args.tensors(0);
    if (parts.empty() || llvm::is_contained(parts, Value()))
      return failure();
    auto type = cast<RankedTensorType>(parts[0].getType());
    auto dim = wrapDim(args.integer(1), type.getRank() + 1);
    if (!dim || !llvm::all_of(
                    parts, [&](Value part) { return part.getType() == type; }))
      return failure();
    Shape shape(type.getShape());
    shape.insert(shape.begin() + *dim, parts.size());
    return shaped(type, shape);
  };
  stack.vjp = [](VjpContext &ctx) {
    unsigned operand = ctx.args.operandIndex(0);
    for (int64_t i = 0, e = ctx.args.tensors(0).size(); i < e; ++i, ++operand)
      if (ctx.needsOperand(operand))
        ctx.setOperand(operand,
                       ctx.call("aten::select.int",
                                {ctx.grad(), *ctx.args.integer(1), i}));
  };

  for (StringRef name : {"aten::triu", "aten::tril"}) {
    OpInfo &info = registry.add(name);
    info.infer = [](const CallArgs &args) -> FailureOr<ResultTypes> {
      if (!args.type(0) || args.type(0).getRank() < 2)
        return failure();
      return ResultTypes{args.type(0)};
    };
    std::string callee = name.str();
    info.vjp = [callee](VjpContext &ctx) {
      ctx.set(0, ctx.call(callee, {ctx.grad(), Arg(ctx.args.attr(1))}));
    };
  }
}

void nxdt::registerViews(OpRegistry &registry) {
  registerReshapes(registry);
  registerPermutations(registry);
  registerParts(registry);
}
