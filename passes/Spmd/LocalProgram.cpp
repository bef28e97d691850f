//===- LocalProgram.cpp - one rank's form of a program --------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "LocalProgram.h"

#include <cmath>

using namespace mlir;
using namespace nxdt;

static RankedTensorType withDim(Value value, unsigned dim, int64_t size) {
  SmallVector<int64_t> shape(typeOf(value).getShape());
  shape[dim] = size;
  return RankedTensorType::get(shape, typeOf(value).getElementType());
}

Value LocalProgram::coordinate(AxisAttr axis, MeshAttr mesh) {
  Value &known = coordinates[axis];
  if (known)
    return known;
  std::string name = "coordinate." + axisText(axis, mesh);
  auto type = RankedTensorType::get({}, builder.getI64Type());
  Location nameLoc = NameLoc::get(builder.getStringAttr(name));
  auto buffer = symbols.lookup<BufferOp>(name);
  if (!buffer) {
    OpBuilder global(func);
    buffer = BufferOp::create(global, nameLoc, name, "coordinate", type);
    buffer.setAxesAttr(global.getArrayAttr({axis}));
    symbols.insert(buffer);
  }
  extraArguments.push_back(buffer.getSymNameAttr());
  known = body->addArgument(type, nameLoc);
  return known;
}

Value LocalProgram::start(int64_t size, ArrayRef<AxisAttr> axes,
                          MeshAttr mesh) {
  Value sum;
  for (AxisAttr axis : axes) {
    size = partSize(size, axis);
    Value offset =
        aten().call("aten::mul.Scalar", {coordinate(axis, mesh), size});
    sum = sum ? aten().add(sum, offset) : offset;
  }
  return sum;
}

/// Bools [part size]: what of this rank's part lies within the dimension.
Value LocalProgram::inside(int64_t size, ArrayRef<AxisAttr> axes,
                           MeshAttr mesh) {
  SmallVector<int64_t> sizes = {size};
  for (AxisAttr axis : axes)
    sizes.push_back(partSize(sizes.back(), axis));
  Value index = aten().call(
      "aten::arange",
      {sizes.back(), Type(builder.getI64Type()), kNone,
       Arg(Attribute(DeviceAttr::get(builder.getContext()))), kNone});
  Value all;
  for (size_t k = axes.size(); k > 0; --k) {
    index = aten().add(index,
                       aten().call("aten::mul.Scalar",
                                   {coordinate(axes[k - 1], mesh), sizes[k]}));
    if (sizes[k] * axes[k - 1].getSize() == sizes[k - 1])
      continue;
    Value below = aten().call("aten::lt.Scalar", {index, sizes[k - 1]});
    all = all ? aten().call("aten::logical_and", {all, below}) : below;
  }
  return all;
}

Value LocalProgram::mask(Value local, ArrayRef<int64_t> shape,
                         ShardingAttr sharding, ArrayRef<unsigned> dims,
                         double fill) {
  for (unsigned dim : dims) {
    Value valid = inside(shape[dim], sharding.axesOf(dim), sharding.getMesh());
    SmallVector<int64_t> place(shape.size(), 1);
    place[dim] = typeOf(local).getDimSize(dim);
    Value outside = aten().call("aten::logical_not", {valid});
    Attribute number = builder.getF64FloatAttr(fill);
    if (!isFloatTensor(local))
      number = builder.getI64IntegerAttr(std::isfinite(fill) ? fill : 0);
    local = aten().call("aten::masked_fill.Scalar",
                        {local, aten().view(outside, place), number});
  }
  return local;
}

Value LocalProgram::pad(Value local, unsigned dim, int64_t size) {
  auto type = typeOf(local);
  if (type.getDimSize(dim) == size)
    return local;
  // Pairs of (before, after), last dimension first.
  SmallVector<int64_t> pads(2 * (type.getRank() - dim), 0);
  pads.back() = size - type.getDimSize(dim);
  return aten()
      .callMulti("aten::constant_pad_nd", {local, pads, 0},
                 withDim(local, dim, size))
      ->getResult(0);
}

Value LocalProgram::shorten(Value local, unsigned dim, int64_t size) {
  if (typeOf(local).getDimSize(dim) == size)
    return local;
  return aten().call("aten::slice.Tensor",
                     {local, static_cast<int64_t>(dim), 0, size, 1});
}

static ArrayAttr axesAttr(OpBuilder &builder, ArrayRef<AxisAttr> axes) {
  return builder.getArrayAttr(SmallVector<Attribute>(axes.begin(), axes.end()));
}

static StringRef text(Reduction reduction) {
  return reduction == Reduction::Sum ? "sum" : "max";
}

Value LocalProgram::allReduce(Value local, ArrayRef<AxisAttr> axes,
                              Reduction reduction, StringRef reason) {
  return AllReduceOp::create(
      builder, loc, local.getType(), local, axesAttr(builder, axes),
      builder.getStringAttr(text(reduction)), builder.getStringAttr(reason));
}

Value LocalProgram::allGather(Value local, unsigned dim,
                              ArrayRef<AxisAttr> axes, StringRef reason) {
  int64_t size = typeOf(local).getDimSize(dim) * partsOf(axes);
  return AllGatherOp::create(
      builder, loc, withDim(local, dim, size), local, axesAttr(builder, axes),
      builder.getI64IntegerAttr(dim), builder.getStringAttr(reason));
}

Value LocalProgram::reduceScatter(Value local, unsigned dim,
                                  ArrayRef<AxisAttr> axes, Reduction reduction,
                                  StringRef reason) {
  int64_t part = partSize(typeOf(local).getDimSize(dim), axes);
  local = pad(local, dim, part * partsOf(axes));
  return ReduceScatterOp::create(
      builder, loc, withDim(local, dim, part), local, axesAttr(builder, axes),
      builder.getI64IntegerAttr(dim), builder.getStringAttr(text(reduction)),
      builder.getStringAttr(reason));
}

Value LocalProgram::allSlice(Value local, unsigned dim, ArrayRef<AxisAttr> axes,
                             StringRef reason) {
  int64_t part = partSize(typeOf(local).getDimSize(dim), axes);
  local = pad(local, dim, part * partsOf(axes));
  return AllSliceOp::create(
      builder, loc, withDim(local, dim, part), local, axesAttr(builder, axes),
      builder.getI64IntegerAttr(dim), builder.getStringAttr(reason));
}
