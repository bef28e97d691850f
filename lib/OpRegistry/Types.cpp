//===- Types.cpp - what the families share ---===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Families.h"

using namespace mlir;
using namespace nxdt;

std::optional<int64_t> nxdt::wrapDim(std::optional<int64_t> dim, int64_t rank) {
  if (!dim)
    return std::nullopt;
  int64_t bound = std::max<int64_t>(rank, 1);
  int64_t wrapped = *dim < 0 ? *dim + bound : *dim;
  if (wrapped < 0 || wrapped >= bound)
    return std::nullopt;
  return wrapped;
}

std::optional<SmallVector<int64_t>>
nxdt::wrapDims(std::optional<ArrayRef<int64_t>> dims, int64_t rank) {
  SmallVector<int64_t> result;
  if (!dims || dims->empty()) {
    for (int64_t d = 0; d < rank; ++d)
      result.push_back(d);
    return result;
  }
  for (int64_t dim : *dims) {
    std::optional<int64_t> wrapped = wrapDim(dim, rank);
    if (!wrapped || llvm::is_contained(result, *wrapped))
      return std::nullopt;
    result.push_back(*wrapped);
  }
  llvm::sort(result);
  // A 0-dim tensor takes dim 0 and has none.
  if (rank == 0)
    result.clear();
  return result;
}

Shape nxdt::reducedShape(RankedTensorType type, ArrayRef<int64_t> dims,
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

double nxdt::reducedCount(RankedTensorType type, ArrayRef<int64_t> dims) {
  double count = 1;
  for (int64_t dim : dims)
    count *= type.getDimSize(dim);
  return count;
}

Value nxdt::keepDims(AtenBuilder &builder, Value reduced, RankedTensorType type,
                     ArrayRef<int64_t> dims) {
  return builder.reshape(reduced, reducedShape(type, dims, /*keepDim=*/true));
}

Infer nxdt::shaped(RankedTensorType like, ArrayRef<int64_t> shape) {
  for (int64_t size : shape)
    if (size < 0)
      return failure();
  return ResultTypes{RankedTensorType::get(shape, like.getElementType())};
}

/// bool < integers < floats, as libtorch orders categories.
static int category(Type type) {
  if (isa<FloatType>(type))
    return 2;
  return type.isInteger(1) ? 0 : 1;
}

/// The wider of two element types; bf16 with f16 widens to f32.
static Type promoteTypes(Type a, Type b) {
  if (!a || !b)
    return a ? a : b;
  if (a == b)
    return a;
  if (category(a) != category(b))
    return category(a) > category(b) ? a : b;
  unsigned wa = a.getIntOrFloatBitWidth(), wb = b.getIntOrFloatBitWidth();
  if (wa == wb)
    return f32(a);
  return wa > wb ? a : b;
}

Type nxdt::promoteAll(ArrayRef<RankedTensorType> types) {
  // 0-dim tensors count only if their category is the higher one.
  Type tensors, scalars;
  for (RankedTensorType type : types) {
    Type &slot = type.getRank() ? tensors : scalars;
    slot = promoteTypes(slot, type.getElementType());
  }
  if (!tensors || !scalars)
    return tensors ? tensors : scalars;
  return category(tensors) >= category(scalars) ? tensors : scalars;
}

Type nxdt::promote(RankedTensorType a, RankedTensorType b) {
  return promoteAll({a, b});
}

Type nxdt::elementOfScalar(Attribute scalar) {
  if (auto number = dyn_cast<FloatAttr>(scalar))
    return f32(number.getType());
  if (auto integer = dyn_cast<IntegerAttr>(scalar))
    return integer.getType().isInteger(1) ? Type(integer.getType())
                                          : i64(integer.getType());
  return nullptr;
}

Type nxdt::promoteScalar(Type element, Attribute scalar) {
  Type number = elementOfScalar(scalar);
  return number && category(number) > category(element) ? number : element;
}

FailureOr<SmallVector<int64_t>> nxdt::broadcast(ArrayRef<int64_t> a,
                                                ArrayRef<int64_t> b) {
  SmallVector<int64_t> shape(std::max(a.size(), b.size()));
  for (size_t i = 0; i < shape.size(); ++i) {
    int64_t da = i < a.size() ? a[a.size() - 1 - i] : 1;
    int64_t db = i < b.size() ? b[b.size() - 1 - i] : 1;
    if (da != db && da != 1 && db != 1)
      return failure();
    shape[shape.size() - 1 - i] = da == 1 ? db : da;
  }
  return shape;
}

Infer nxdt::broadcastResult(ArrayRef<RankedTensorType> types, Type element) {
  Shape shape;
  for (RankedTensorType type : types) {
    if (!type)
      return failure();
    FailureOr<Shape> next = broadcast(shape, type.getShape());
    if (failed(next))
      return failure();
    shape = *next;
  }
  return ResultTypes{RankedTensorType::get(shape, element)};
}

Infer nxdt::inferSame(const CallArgs &args) {
  if (RankedTensorType type = args.type(0))
    return ResultTypes{type};
  return failure();
}

Infer nxdt::inferFloatUnary(const CallArgs &args) {
  RankedTensorType type = args.type(0);
  if (!type)
    return failure();
  return ResultTypes{withElement(type, floating(type.getElementType()))};
}

Infer nxdt::inferBinary(const CallArgs &args) {
  RankedTensorType a = args.type(0), b = args.type(1);
  if (!a || !b)
    return failure();
  return broadcastResult({a, b}, promote(a, b));
}

Infer nxdt::inferScalar(const CallArgs &args) {
  RankedTensorType type = args.type(0);
  if (!type || !args.number(1))
    return failure();
  return ResultTypes{
      withElement(type, promoteScalar(type.getElementType(), args.attr(1)))};
}

OpInfo &nxdt::constant(OpRegistry &registry, StringRef callee,
                       RuleOf sharding) {
  OpInfo &info = registry.add(callee);
  info.noGradient = true;
  info.sharding = std::move(sharding);
  return info;
}

OpInfo &nxdt::add(OpRegistry &registry, StringRef callee, RuleOf sharding,
                  FailureOr<ResultTypes> (*infer)(const CallArgs &), Vjp vjp) {
  OpInfo &info = registry.add(callee);
  info.sharding = std::move(sharding);
  info.infer = infer;
  info.vjp = std::move(vjp);
  return info;
}
