//===- Accumulators.cpp - how sums over micro-batches lie -----------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Partitioner.h"

using namespace mlir;
using namespace nxdt;

/// Losses and counts are computed by one stage, and wanted by all.
LogicalResult Partitioner::asStageTerm(AccumulateOp op) {
  AxisAttr pp = strategy.axis("pp");
  auto argument = dyn_cast<BlockArgument>(op.getAcc());
  BufferOp buffer = pp && argument
                        ? bufferOf(func, argument.getArgNumber(), symbols)
                        : BufferOp();
  if (!buffer || buffer.getRole() != "scalar")
    return success();
  ShardingAttr has = shardingOf(op.getValue().getType());
  if (has.isPartial() && has.getReduction() != Reduction::Sum)
    return op.emitOpError("cannot accumulate a partial maximum");
  SmallVector<AxisAttr> partial = {pp};
  llvm::append_range(partial, has.partialAxes());
  FailureOr<RankedTensorType> type =
      shardedType(globalType(typeOf(op.getValue())),
                  makeSharding(strategy.mesh, {}, partial),
                  [&] { return op.emitOpError(); });
  if (failed(type))
    return failure();
  OpBuilder builder(op);
  Value term = StageTermOp::create(builder, op.getLoc(), *type, op.getValue());
  op.getValueMutable().assign(term);
  return success();
}

/// A first micro-batch's part decides how its accumulator lies.
LogicalResult Partitioner::typeAccumulator(AccumulateOp op) {
  if (shardingOf(op.getAcc().getType()))
    return success();
  auto argument = cast<BlockArgument>(op.getAcc());
  ShardingAttr sharding = shardingOf(op.getValue().getType());
  if (sharding.isPartial() && sharding.getReduction() != Reduction::Sum)
    return op.emitOpError("cannot accumulate a partial maximum");
  if (failed(setType(argument, sharding)))
    return failure();
  bufferOf(func, argument.getArgNumber(), symbols).setType(typeOf(argument));
  Facts inherited = facts.lookup(op.getValue());
  facts[argument] = std::move(inherited);
  return success();
}
