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
static LogicalResult verifyDim(Operation *op, RankedTensorType from,
                               RankedTensorType to, ArrayAttr axes, int64_t dim,
                               bool grows) {
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

static LogicalResult verifyDim(Operation *op, ArrayAttr axes, int64_t dim,
                               bool grows) {
  return verifyDim(op, typeOf(op->getOperand(0)), typeOf(op->getResult(0)),
                   axes, dim, grows);
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

//===----------------------------------------------------------------------===//
// Collectives under way
//===----------------------------------------------------------------------===//

LogicalResult PendingType::verify(function_ref<InFlightDiagnostic()> emitError,
                                  ArrayRef<Type> types) {
  if (types.empty())
    return emitError() << "nothing is pending";
  for (Type type : types)
    if (!isa<RankedTensorType>(type))
      return emitError() << type << " is no tensor";
  return success();
}

WaitOp nxdt::waitOf(Operation *start) {
  return cast<WaitOp>(*start->getResult(0).user_begin());
}

/// Operands and what is pending go together one by one.
static LogicalResult
verifyStart(Operation *op, ArrayAttr axes,
            function_ref<LogicalResult(RankedTensorType, RankedTensorType)>
                verifyPair) {
  if (failed(verifyGroup(op, axes)))
    return failure();
  ArrayRef<Type> results =
      cast<PendingType>(op->getResult(0).getType()).getTypes();
  if (results.size() != op->getNumOperands())
    return op->emitOpError("has ") << op->getNumOperands() << " operands, but "
                                   << results.size() << " tensors are pending";
  for (StringRef list : {"modules", "reasons"})
    if (auto names = op->getAttrOfType<ArrayAttr>(list);
        names ? names.size() != results.size() : results.size() > 1)
      return op->emitOpError("needs '") << list << "', one for each operand";
  Type element = typeOf(op->getOperand(0)).getElementType();
  for (auto [operand, result] : llvm::zip(op->getOperands(), results)) {
    if (typeOf(operand).getElementType() != element)
      return op->emitOpError("sends ")
             << element << " and " << typeOf(operand).getElementType()
             << " together";
    if (failed(verifyPair(typeOf(operand), cast<RankedTensorType>(result))))
      return failure();
  }
  if (!op->getResult(0).hasOneUse() ||
      !isa<WaitOp>(*op->getResult(0).user_begin()))
    return op->emitOpError("must be waited for once");
  return success();
}

LogicalResult AllReduceStartOp::verify() {
  if (failed(verifyReduction(*this, getReduction())))
    return failure();
  return verifyStart(*this, getAxes(), [&](auto from, auto to) {
    return from == to ? success()
                      : LogicalResult(emitOpError("changes the type"));
  });
}

LogicalResult AllGatherStartOp::verify() {
  return verifyStart(*this, getAxes(), [&](auto from, auto to) {
    return verifyDim(*this, from, to, getAxes(), getDim(), true);
  });
}

LogicalResult ReduceScatterStartOp::verify() {
  if (failed(verifyReduction(*this, getReduction())))
    return failure();
  return verifyStart(*this, getAxes(), [&](auto from, auto to) {
    return verifyDim(*this, from, to, getAxes(), getDim(), false);
  });
}

LogicalResult WaitOp::verify() {
  Operation *start = getPending().getDefiningOp();
  if (!start || !isStart(start) || start->getBlock() != (*this)->getBlock())
    return emitOpError("waits for what no start of its block gives");
  ArrayRef<Type> pending = getPending().getType().getTypes();
  if (!llvm::equal(pending, getResultTypes()))
    return emitOpError("gives other types than ") << getPending().getType();
  return success();
}
