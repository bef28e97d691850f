//===- Reshapes.cpp - the same elements in another shape ---===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Families.h"

using namespace mlir;
using namespace nxdt;

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

/// A dim that is not squeezed because it is larger than 1 would be, were its
/// parts 1: whole.
static ShardingRule squeezeRule(AtenOp op, const CallArgs &args) {
  RankedTensorType type = args.type(0);
  SmallVector<int64_t> named;
  if (std::optional<int64_t> dim = args.integer(1))
    named = {*wrapDim(dim, type.getRank())};
  else if (!args.integers(1) || !args.integers(1)->empty())
    named = *wrapDims(args.integers(1), type.getRank());
  ShardingRule rule;
  TensorFactors operand =
      newFactors(rule, type.getShape(), FactorKind::Map, named);
  TensorFactors result;
  for (auto [dim, factors] : llvm::enumerate(operand))
    if (type.getDimSize(dim) != 1 ||
        !llvm::is_contained(named, static_cast<int64_t>(dim)))
      result.push_back(factors);
  rule.operands.push_back(operand);
  rule.results.push_back(result);
  rule.linearEach({0});
  return rule;
}

/// The sizes of unflatten(self, dim, sizes) stand from `dim` on in the result.
static void unflattenSizes(AtenOp op, ArrayRef<RankedTensorType> localResults,
                           MutableArrayRef<Attribute> args) {
  CallArgs call(op.getArgs(), op.getInputs());
  Shape sizes(*call.integers(2));
  int64_t dim = *wrapDim(call.integer(1), call.type(0).getRank());
  for (auto [i, size] : llvm::enumerate(sizes))
    if (size >= 0)
      size = localResults[0].getDimSize(dim + i);
  args[2] = DenseI64ArrayAttr::get(op.getContext(), sizes);
}

/// An operator that only changes the shape, and its gradient.
static OpInfo &reshape(OpRegistry &registry, StringRef callee,
                       Aliasing aliasing, Infer (*infer)(const CallArgs &)) {
  OpInfo &info = add(registry, callee, reshaping(), infer, [](VjpContext &ctx) {
    ctx.set(0, ctx.reshape(ctx.grad(), ctx.type(0).getShape()));
  });
  info.aliasing = aliasing;
  info.keepsOrder = true;
  return info;
}

void nxdt::registerReshapes(OpRegistry &registry) {
  for (StringRef name : {"aten::view", "aten::reshape", "aten::_unsafe_view"}) {
    reshape(registry, name,
            name == "aten::reshape" ? Aliasing::MaybeView : Aliasing::View,
            [](const CallArgs &args) -> Infer {
              if (!args.type(0))
                return failure();
              FailureOr<Shape> shape =
                  resolveShape(args.type(0), args.integers(1));
              if (failed(shape))
                return failure();
              return shaped(args.type(0), *shape);
            })
        .localArgs = shapeAt(1);
  }
  reshape(registry, "aten::unsqueeze", Aliasing::View,
          [](const CallArgs &args) -> Infer {
            RankedTensorType type = args.type(0);
            if (!type)
              return failure();
            std::optional<int64_t> dim =
                wrapDim(args.integer(1), type.getRank() + 1);
            if (!dim)
              return failure();
            Shape shape(type.getShape());
            shape.insert(shape.begin() + *dim, 1);
            return shaped(type, shape);
          });
  reshape(registry, "aten::squeeze.dim", Aliasing::View,
          [](const CallArgs &args) -> Infer {
            RankedTensorType type = args.type(0);
            if (!type)
              return failure();
            std::optional<int64_t> dim =
                wrapDim(args.integer(1), type.getRank());
            if (!dim)
              return failure();
            Shape shape(type.getShape());
            if (type.getRank() && shape[*dim] == 1)
              shape.erase(shape.begin() + *dim);
            return shaped(type, shape);
          })
      .sharding = squeezeRule;
  reshape(registry, "aten::flatten.using_ints", Aliasing::MaybeView,
          [](const CallArgs &args) -> Infer {
            RankedTensorType type = args.type(0);
            if (!type)
              return failure();
            std::optional<int64_t> start =
                wrapDim(args.integer(1), type.getRank());
            std::optional<int64_t> end =
                wrapDim(args.integer(2), type.getRank());
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
          });
  reshape(registry, "aten::unflatten.int", Aliasing::View,
          [](const CallArgs &args) -> Infer {
            RankedTensorType type = args.type(0);
            if (!type)
              return failure();
            std::optional<int64_t> dim =
                wrapDim(args.integer(1), type.getRank());
            if (!dim || !type.getRank())
              return failure();
            auto inner =
                resolveShape(RankedTensorType::get({type.getDimSize(*dim)},
                                                   type.getElementType()),
                             args.integers(2));
            if (failed(inner))
              return failure();
            Shape shape(type.getShape().take_front(*dim));
            llvm::append_range(shape, *inner);
            llvm::append_range(shape, type.getShape().drop_front(*dim + 1));
            return shaped(type, shape);
          })
      .localArgs = unflattenSizes;

  for (StringRef name : {"aten::view_as", "aten::reshape_as"}) {
    reshape(registry, name,
            name == "aten::view_as" ? Aliasing::View : Aliasing::MaybeView,
            [](const CallArgs &args) -> Infer {
              if (!args.type(0) || !args.type(1) ||
                  args.type(0).getNumElements() !=
                      args.type(1).getNumElements())
                return failure();
              return shaped(args.type(0), args.type(1).getShape());
            })
        .sharding = [](AtenOp op, const CallArgs &) {
      ShardingRule rule = reshapeRule(op);
      rule.operands.push_back(rule.results[0]);
      rule.linearEach({0});
      return rule;
    };
  }
  reshape(registry, "aten::ravel", Aliasing::MaybeView,
          [](const CallArgs &args) -> Infer {
            if (!args.type(0))
              return failure();
            return shaped(args.type(0), {args.type(0).getNumElements()});
          });
  for (StringRef name : {"aten::squeeze", "aten::squeeze.dims"}) {
    reshape(registry, name, Aliasing::View, [](const CallArgs &args) -> Infer {
      RankedTensorType type = args.type(0);
      if (!type || (args.size() > 1 && !args.integers(1)))
        return failure();
      // squeeze.dims of no dims squeezes none; squeeze, all.
      auto dims = args.size() > 1 && args.integers(1)->empty()
                      ? std::optional<SmallVector<int64_t>>(Shape{})
                      : wrapDims(args.integers(1), type.getRank());
      if (!dims)
        return failure();
      Shape shape;
      for (auto [d, size] : llvm::enumerate(type.getShape()))
        if (size != 1 || !llvm::is_contained(*dims, int64_t(d)))
          shape.push_back(size);
      return shaped(type, shape);
    }).sharding = squeezeRule;
  }
}
