//===- Factories.cpp - operators that make tensors from nothing -----------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Families.h"

#include <cmath>

using namespace mlir;
using namespace nxdt;

static Infer sized(std::optional<ArrayRef<int64_t>> sizes, Type element) {
  if (!sizes || !element)
    return failure();
  for (int64_t size : *sizes)
    if (size < 0)
      return failure();
  return ResultTypes{RankedTensorType::get(*sizes, element)};
}

/// `arange` with its numbers at these positions, dtype behind them.
static auto inferArange(int start, unsigned end, int step, unsigned dtype) {
  return [=](const CallArgs &args) -> Infer {
    auto last = args.number(end);
    double from = start < 0 ? 0 : args.number(start).value_or(NAN);
    double by = step < 0 ? 1 : args.number(step).value_or(NAN);
    if (!last || !(by != 0) || std::isnan(from))
      return failure();
    Type element = args.dtype(dtype);
    if (!element) {
      bool floating = isa<FloatAttr>(args.attr(end)) ||
                      (start >= 0 && isa<FloatAttr>(args.attr(start))) ||
                      (step >= 0 && isa<FloatAttr>(args.attr(step)));
      MLIRContext *context = args.attr(end).getContext();
      element = floating ? Type(Float32Type::get(context))
                         : IntegerType::get(context, 64);
    }
    double count = std::ceil((*last - from) / by);
    if (count < 0)
      return failure();
    return ResultTypes{
        RankedTensorType::get({static_cast<int64_t>(count)}, element)};
  };
}

void nxdt::registerFactories(OpRegistry &registry) {
  // The same value everywhere: a part needs only its size.
  auto factory = [&](StringRef callee, unsigned shape) -> OpInfo & {
    OpInfo &info = constant(registry, callee, fromSizes());
    info.localArgs = shapeAt(shape);
    return info;
  };
  // Values that depend on where they stand.
  auto pattern = [&](StringRef callee) -> OpInfo & {
    return constant(registry, callee, kWhole);
  };
  for (StringRef name :
       {"aten::zeros", "aten::ones", "aten::empty.memory_format"})
    factory(name, 0).infer = [](const CallArgs &args) -> Infer {
      Type element = args.dtype(1);
      if (!element && args.size())
        element = Float32Type::get(args.attr(0).getContext());
      return sized(args.integers(0), element);
    };
  factory("aten::full", 0).infer = [](const CallArgs &args) -> Infer {
    if (args.size() < 2)
      return failure();
    Type element = args.dtype(2);
    return sized(args.integers(0),
                 element ? element : elementOfScalar(args.attr(1)));
  };
  pattern("aten::scalar_tensor").infer = [](const CallArgs &args) -> Infer {
    Type element = args.dtype(1);
    if (!element && args.size())
      element = Float32Type::get(args.attr(0).getContext());
    return sized(ArrayRef<int64_t>{}, element);
  };
  pattern("aten::arange").infer = inferArange(-1, 0, -1, 1);
  pattern("aten::arange.start").infer = inferArange(0, 1, -1, 2);
  pattern("aten::arange.start_step").infer = inferArange(0, 1, 2, 3);

  // linspace(start, end, steps, dtype)
  pattern("aten::linspace").infer = [](const CallArgs &args) -> Infer {
    auto steps = args.integer(2);
    if (!steps || !args.number(0) || !args.number(1))
      return failure();
    Type element = args.dtype(3);
    return sized(ArrayRef<int64_t>(*steps),
                 element ? element
                         : Float32Type::get(args.attr(2).getContext()));
  };
  // eye(n, dtype), eye(n, m, dtype)
  for (bool square : {true, false})
    pattern(square ? "aten::eye" : "aten::eye.m").infer =
        [square](const CallArgs &args) -> Infer {
      auto rows = args.integer(0);
      auto columns = square ? rows : args.integer(1);
      if (!rows || !columns)
        return failure();
      Type element = args.dtype(square ? 1 : 2);
      return sized(ArrayRef<int64_t>{*rows, *columns},
                   element ? element
                           : Float32Type::get(args.attr(0).getContext()));
    };

  // *_like: operand 0's shape; dtype at the position given.
  auto like = [&](StringRef callee, unsigned dtype) {
    constant(registry, callee, elementwise()).infer =
        [dtype](const CallArgs &args) -> Infer {
      if (!args.type(0))
        return failure();
      Type element = args.dtype(dtype);
      return ResultTypes{element ? withElement(args.type(0), element)
                                 : args.type(0)};
    };
  };
  like("aten::zeros_like", 1);
  like("aten::ones_like", 1);
  like("aten::empty_like", 1);
  like("aten::full_like", 2);
  // new_*: sizes at 1; dtype behind them, else operand 0's.
  auto fresh = [&](StringRef callee, unsigned dtype) {
    factory(callee, 1).infer = [dtype](const CallArgs &args) -> Infer {
      if (!args.type(0))
        return failure();
      Type element = args.dtype(dtype);
      return sized(args.integers(1),
                   element ? element : args.type(0).getElementType());
    };
  };
  fresh("aten::new_zeros", 2);
  fresh("aten::new_ones", 2);
  fresh("aten::new_empty", 2);
  fresh("aten::new_full", 3);
}
