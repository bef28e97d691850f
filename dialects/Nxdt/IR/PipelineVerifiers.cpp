//===- PipelineVerifiers.cpp - ops of stages and schedules ----------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Nxdt/IR/Sharding.h"

using namespace mlir;
using namespace nxdt;

LogicalResult StageTermOp::verify() {
  RankedTensorType from = typeOf(getInput()), to = typeOf(getResult());
  ShardingAttr a = shardingOf(from), b = shardingOf(to);
  if (globalType(from) != globalType(to))
    return emitOpError("changes shape or element type, from ")
           << globalType(from) << " to " << globalType(to);
  if (!a || !b)
    return emitOpError("needs a sharding on both sides");
  if (failed(verifyShardedTypes(*this)))
    return failure();
  if (a.getDims() != b.getDims())
    return emitOpError("changes how dimensions are split");
  SmallVector<AxisAttr> expected;
  if (AxisAttr pp = wholeAxis(a.getMesh(), "pp"))
    expected.push_back(pp);
  llvm::append_range(expected, a.partialAxes());
  if (expected.empty() || expected.front().getName() != "pp" ||
      llvm::to_vector(b.partialAxes()) != expected)
    return emitOpError("makes its input partial over 'pp' and nothing else, "
                       "from ")
           << from << " to " << to;
  return success();
}

LogicalResult ChannelOp::verify() {
  if (getFrom() == getTo())
    return emitOpError("goes from stage ") << getFrom() << " to itself";
  return success();
}
