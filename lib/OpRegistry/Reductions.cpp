//===- Reductions.cpp - operators that reduce along dims ------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Families.h"

using namespace mlir;
using namespace nxdt;

using Shape = SmallVector<int64_t>;

static Shape reducedShape(RankedTensorType type, ArrayRef<int64_t> dims,
                          bool keepDim) {
  Shape shape;
  for (int64_t d = 0; d < type.getRank(); ++d) {
    if (!llvm::is_contained(dims, d))
      shape.push_back(type.getDimSize(d));
    else if (keepDim)
      shape.push_back(1);
  }
  return shape;
}

/// `op(self, dims, keepdim, dtype)`.
static FailureOr<ResultTypes> inferDims(const CallArgs &args) {
  RankedTensorType type = args.type(0);
  if (!type)
    return failure();
  auto dims = wrapDims(args.integers(1), type.getRank());
  if (!dims)
    return failure();
  Type element = args.dtype(3);
  if (!element)
    element = isFloat(type) ? type.getElementType()
                            : IntegerType::get(type.getContext(), 64);
  return ResultTypes{RankedTensorType::get(
      reducedShape(type, *dims, args.boolean(2).value_or(false)), element)};
}

/// `op(self, *, dtype)`.
static FailureOr<ResultTypes> inferAll(const CallArgs &args) {
  RankedTensorType type = args.type(0);
  if (!type)
    return failure();
  Type element = args.dtype(1);
  if (!element)
    element = isFloat(type) ? type.getElementType()
                            : IntegerType::get(type.getContext(), 64);
  return ResultTypes{RankedTensorType::get({}, element)};
}

/// The gradient of a reduced tensor, broadcast back to the operand's shape.
static Value broadcastBack(VjpContext &ctx, Value grad,
                           ArrayRef<int64_t> dims) {
  RankedTensorType type = ctx.type(0);
  grad = ctx.reshape(grad, reducedShape(type, dims, /*keepDim=*/true));
  return ctx.call("aten::expand", {grad, type.getShape(), false});
}

static double reducedCount(RankedTensorType type, ArrayRef<int64_t> dims) {
  double count = 1;
  for (int64_t dim : dims)
    count *= type.getDimSize(dim);
  return count;
}

static SmallVector<int64_t> dimsOf(VjpContext &ctx, bool all) {
  return *wrapDims(all ? std::nullopt : ctx.args.integers(1),
                   ctx.type(0).getRank());
}

static void registerSums(OpRegistry &registry) {
  for (bool all : {false, true}) {
    OpInfo &sum = registry.add(all ? "aten::sum" : "aten::sum.dim_IntList");
    sum.infer = all ? inferAll : inferDims;
    sum.vjp = [all](VjpContext &ctx) {
      ctx.set(0, broadcastBack(ctx, ctx.grad(), dimsOf(ctx, all)));
    };
    OpInfo &mean = registry.add(all ? "aten::mean" : "aten::mean.dim");
    mean.infer = all ? inferAll : inferDims;
    mean.vjp = [all](VjpContext &ctx) {
      SmallVector<int64_t> dims = dimsOf(ctx, all);
      Value scaled = ctx.call("aten::div.Scalar",
                              {ctx.grad(), reducedCount(ctx.type(0), dims)});
      ctx.set(0, broadcastBack(ctx, scaled, dims));
    };
  }
}

/// Softmax along one dim, the composite and the kernel.
static void registerSoftmax(OpRegistry &registry) {
  auto infer = [](const CallArgs &args) -> FailureOr<ResultTypes> {
    RankedTensorType type = args.type(0);
    if (!type || !wrapDim(args.integer(1), type.getRank()))
      return failure();
    Type element = args.dtype(2);
    return ResultTypes{element ? withElement(type, element) : type};
  };
  struct Kind {
    StringRef callee, backward;
  };
  for (Kind kind :
       {Kind{"aten::softmax.int", "aten::_softmax_backward_data"},
        Kind{"aten::log_softmax.int", "aten::_log_softmax_backward_data"}}) {
    OpInfo &info = registry.add(kind.callee);
    info.infer = infer;
    std::string backward = kind.backward.str();
    info.vjp = [backward](VjpContext &ctx) {
      auto type = cast<RankedTensorType>(ctx.out().getType());
      ctx.set(0,
              ctx.call(backward, {ctx.grad(), ctx.out(), Arg(ctx.args.attr(1)),
                                  type.getElementType()}));
    };
    OpInfo &back = registry.add(kind.backward);
    back.infer = [](const CallArgs &args) -> FailureOr<ResultTypes> {
      if (!args.type(0) || !args.dtype(3))
        return failure();
      return ResultTypes{withElement(args.type(0), args.dtype(3))};
    };
  }
  for (StringRef name : {"aten::_softmax", "aten::_log_softmax"})
    registry.add(name).infer =
        [](const CallArgs &args) -> FailureOr<ResultTypes> {
      RankedTensorType type = args.type(0);
      if (!type || !wrapDim(args.integer(1), type.getRank()))
        return failure();
      return ResultTypes{
          args.boolean(2).value_or(false)
              ? withElement(type, Float32Type::get(type.getContext()))
              : type};
    };
}

void nxdt::registerReductions(OpRegistry &registry) {
  registerSums(registry);
  registerSoftmax(registry);
}
