//===- Buffers.cpp - programs, their buffers and modules ------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Nxdt/IR/Sharding.h"
#include "nxdt/Passes/Passes.h"

using namespace mlir;
using namespace nxdt;

StringRef nxdt::markedPathOf(Operation *op) {
  auto name = dyn_cast<NameLoc>(op->getLoc());
  return name ? name.getName().getValue() : StringRef();
}

bool nxdt::isBackward(Operation *op) { return markedPathOf(op).ends_with("^"); }

StringRef nxdt::modulePathOf(Operation *op) {
  return markedPathOf(op).rtrim('^');
}

bool nxdt::communicates(Operation *op) {
  auto reshard = dyn_cast<ReshardOp>(op);
  if (!reshard)
    return false;
  ShardingAttr from = shardingOf(reshard.getInput().getType());
  ShardingAttr to = shardingOf(reshard.getResult().getType());
  if (from.getPartial() != to.getPartial())
    return true;
  for (unsigned dim = 0; dim < from.getDims().size(); ++dim)
    if (!commonSplit(from.axesOf(dim), to.axesOf(dim)).restA.empty())
      return true;
  return false;
}

BlockArgument nxdt::accumulatorOf(AccumulateOp op) {
  while (auto before = op.getAcc().getDefiningOp<AccumulateOp>())
    op = before;
  return dyn_cast<BlockArgument>(op.getAcc());
}

BufferOp nxdt::bufferOf(func::FuncOp func, unsigned argument,
                        SymbolTable &symbols) {
  auto name = func.getArgAttrOfType<FlatSymbolRefAttr>(argument, kBufferAttr);
  return name ? symbols.lookup<BufferOp>(name.getValue()) : BufferOp();
}
