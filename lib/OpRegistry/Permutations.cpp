//===- Permutations.cpp - dims reordered or repeated ---===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Families.h"

using namespace mlir;
using namespace nxdt;

/// Undoes a permutation on the gradient.
static void permuteBack(VjpContext &ctx, ArrayRef<int64_t> dims) {
  Shape inverse(dims.size());
  for (auto [to, from] : llvm::enumerate(dims))
    inverse[*wrapDim(from, dims.size())] = to;
  ctx.set(0, ctx.call("aten::permute", {ctx.grad(), inverse}));
}

/// The permutation that movedim(self, source, destination) is.
static std::optional<Shape> movedDims(const CallArgs &args, int64_t rank) {
  auto list = [&](unsigned position) -> Shape {
    if (auto dims = args.integers(position))
      return Shape(*dims);
    if (auto dim = args.integer(position))
      return {*dim};
    return {};
  };
  Shape sources = list(1), destinations = list(2);
  if (sources.size() != destinations.size())
    return std::nullopt;
  Shape dims(rank, -1);
  llvm::SmallBitVector moved(rank);
  for (auto [source, destination] : llvm::zip(sources, destinations)) {
    auto from = wrapDim(source, rank), to = wrapDim(destination, rank);
    if (!from || !to || rank == 0 || dims[*to] >= 0 || moved.test(*from))
      return std::nullopt;
    dims[*to] = *from;
    moved.set(*from);
  }
  int64_t next = 0;
  for (int64_t &dim : dims) {
    if (dim >= 0)
      continue;
    while (moved.test(next))
      ++next;
    dim = next++;
  }
  return dims;
}

/// A rule from result dim to operand dim.
static RuleOf permuting(std::optional<Shape> (*dims)(const CallArgs &,
                                                     int64_t rank)) {
  return [dims](AtenOp op, const CallArgs &args) {
    return permutationRule(op, *dims(args, args.type(0).getRank()));
  };
}

static std::optional<Shape> swappedDims(const CallArgs &args, int64_t rank) {
  Shape dims = llvm::to_vector(llvm::seq<int64_t>(0, rank));
  if (rank)
    std::swap(dims[*wrapDim(args.integer(1), rank)],
              dims[*wrapDim(args.integer(2), rank)]);
  return dims;
}
static std::optional<Shape> reversedDims(const CallArgs &, int64_t rank) {
  return Shape(llvm::reverse(llvm::seq<int64_t>(0, rank)));
}
static std::optional<Shape> listedDims(const CallArgs &args, int64_t rank) {
  Shape dims(*args.integers(1));
  for (int64_t &dim : dims)
    dim = *wrapDim(dim, rank);
  return dims;
}
static std::optional<Shape> lastTwoSwapped(const CallArgs &, int64_t rank) {
  Shape dims = llvm::to_vector(llvm::seq<int64_t>(0, rank));
  std::swap(dims[rank - 1], dims[rank - 2]);
  return dims;
}

void nxdt::registerPermutations(OpRegistry &registry) {
  for (StringRef name :
       {"aten::transpose.int", "aten::swapaxes", "aten::swapdims"}) {
    auto &transpose = registry.add(name);
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
    transpose.sharding = permuting(swappedDims);
  }
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
  t.sharding = permuting(reversedDims);
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
    permuteBack(ctx, *ctx.args.integers(1));
  };
  permute.aliasing = Aliasing::View;
  permute.sharding = permuting(listedDims);
  for (StringRef name : {"aten::expand", "aten::broadcast_to"}) {
    auto &expand = registry.add(name);
    expand.infer = [](const CallArgs &args) -> FailureOr<ResultTypes> {
      RankedTensorType type = args.type(0);
      auto sizes = args.integers(1);
      if (!type || !sizes ||
          static_cast<int64_t>(sizes->size()) < type.getRank())
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
    expand.sharding = linearElementwise();
    expand.localArgs = shapeAt(1);
  }
  OpInfo &expandAs = add(
      registry, "aten::expand_as", linearElementwise(),
      [](const CallArgs &args) -> Infer {
        if (!args.type(0) || !args.type(1))
          return failure();
        auto shape =
            broadcast(args.type(0).getShape(), args.type(1).getShape());
        if (failed(shape) || ArrayRef(*shape) != args.type(1).getShape())
          return failure();
        return shaped(args.type(0), *shape);
      },
      [](VjpContext &ctx) { ctx.set(0, ctx.grad()); });
  expandAs.aliasing = Aliasing::View;
  // Reversed dims; mT only the last two.
  OpInfo &reversed = add(
      registry, "aten::numpy_T", permuting(reversedDims),
      [](const CallArgs &args) -> Infer {
        if (!args.type(0))
          return failure();
        return shaped(args.type(0),
                      Shape(llvm::reverse(args.type(0).getShape())));
      },
      [](VjpContext &ctx) {
        Shape dims;
        for (int64_t d = ctx.type(0).getRank(); d-- > 0;)
          dims.push_back(d);
        ctx.set(0, ctx.call("aten::permute", {ctx.grad(), dims}));
      });
  reversed.aliasing = Aliasing::View;
  OpInfo &mT = add(
      registry, "aten::mT", permuting(lastTwoSwapped),
      [](const CallArgs &args) -> Infer {
        RankedTensorType type = args.type(0);
        if (!type || type.getRank() < 2)
          return failure();
        Shape shape(type.getShape());
        std::swap(shape[shape.size() - 1], shape[shape.size() - 2]);
        return shaped(type, shape);
      },
      [](VjpContext &ctx) { ctx.set(0, ctx.transpose(ctx.grad(), -2, -1)); });
  mT.aliasing = Aliasing::View;
  for (StringRef op : {"movedim", "moveaxis"})
    for (StringRef overload : {"int", "intlist"}) {
      OpInfo &info = add(
          registry, ("aten::" + op + "." + overload).str(),
          permuting(movedDims),
          [](const CallArgs &args) -> Infer {
            RankedTensorType type = args.type(0);
            if (!type)
              return failure();
            auto dims = movedDims(args, type.getRank());
            if (!dims)
              return failure();
            Shape shape;
            for (int64_t dim : *dims)
              shape.push_back(type.getDimSize(dim));
            return shaped(type, shape);
          },
          [](VjpContext &ctx) {
            permuteBack(ctx, *movedDims(ctx.args, ctx.type(0).getRank()));
          });
      info.aliasing = Aliasing::View;
    }
}
