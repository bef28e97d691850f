//===- CollectiveVerifiers.cpp - reshards and collectives -----------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Nxdt/IR/Sharding.h"

using namespace mlir;
using namespace nxdt;

LogicalResult ReshardOp::verify() {
  RankedTensorType from = typeOf(getInput()), to = typeOf(getResult());
  if (globalType(from) != globalType(to))
    return emitOpError("changes shape or element type, from ")
           << globalType(from) << " to " << globalType(to);
  ShardingAttr a = shardingOf(from), b = shardingOf(to);
  if (!a || !b)
    return emitOpError("needs a sharding on both sides");
  if (a.getMesh() != b.getMesh())
    return emitOpError("cannot go from one mesh to another");
  if (failed(verifyShardedTypes(*this)))
    return failure();
  // A whole value is no term of a sum.
  for (AxisAttr axis : b.partialAxes())
    if (!llvm::is_contained(a.partialAxes(), axis))
      return emitOpError("makes the value partial over '")
             << axis.getName().getValue() << "'";
  if (b.isPartial() && a.getReduction() != b.getReduction())
    return emitOpError("changes the reduction of a partial value");
  return success();
}

static int64_t sizeOf(ArrayAttr axes) {
  int64_t size = 1;
  for (auto axis : axes.getAsRange<AxisAttr>())
    size *= axis.getSize();
  return size;
}

static LogicalResult verifyReduction(Operation *op, StringRef reduction) {
  if (reduction == "sum" || reduction == "max")
    return success();
  return op->emitOpError("unknown reduction '")
         << reduction << "'; known are sum, max";
}

/// The result is the input with `dim` times or divided by the group's size.
static LogicalResult verifyDim(Operation *op, ArrayAttr axes, int64_t dim,
                               bool grows) {
  auto from = typeOf(op->getOperand(0)), to = typeOf(op->getResult(0));
  if (dim < 0 || dim >= from.getRank())
    return op->emitOpError("has no dimension ") << dim;
  SmallVector<int64_t> shape(from.getShape());
  int64_t size = sizeOf(axes);
  if (!grows && shape[dim] % size != 0)
    return op->emitOpError("dimension ")
           << dim << " of size " << shape[dim] << " does not split into "
           << size << " parts";
  shape[dim] = grows ? shape[dim] * size : shape[dim] / size;
  if (to.getShape() != ArrayRef<int64_t>(shape) ||
      to.getElementType() != from.getElementType())
    return op->emitOpError("the result is ")
           << globalType(to) << ", wanted "
           << RankedTensorType::get(shape, from.getElementType());
  return success();
}

static LogicalResult verifyGroup(Operation *op, ArrayAttr axes) {
  if (sizeOf(axes) < 2)
    return op->emitOpError("over a group of one rank");
  return success();
}

LogicalResult AllReduceOp::verify() {
  if (failed(verifyGroup(*this, getAxes())) ||
      failed(verifyReduction(*this, getReduction())))
    return failure();
  if (globalType(typeOf(getInput())) != globalType(typeOf(getResult())))
    return emitOpError("changes the type");
  return success();
}

LogicalResult AllGatherOp::verify() {
  return success(succeeded(verifyGroup(*this, getAxes())) &&
                 succeeded(verifyDim(*this, getAxes(), getDim(), true)));
}

LogicalResult ReduceScatterOp::verify() {
  return success(succeeded(verifyGroup(*this, getAxes())) &&
                 succeeded(verifyReduction(*this, getReduction())) &&
                 succeeded(verifyDim(*this, getAxes(), getDim(), false)));
}

LogicalResult AllSliceOp::verify() {
  return success(succeeded(verifyGroup(*this, getAxes())) &&
                 succeeded(verifyDim(*this, getAxes(), getDim(), false)));
}
