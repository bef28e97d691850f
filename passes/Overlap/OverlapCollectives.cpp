//===- OverlapCollectives.cpp - start early, wait late --------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Starts.h"
#include "nxdt/Registry/OpRegistry.h"

namespace nxdt {
#define GEN_PASS_DEF_OVERLAPCOLLECTIVES
#include "nxdt/Passes/Passes.h.inc"
} // namespace nxdt

using namespace mlir;
using namespace nxdt;

/// Every collective as a start with the wait behind it.
static void splitAll(Block &block) {
  SmallVector<Operation *> whole;
  for (Operation &op : block)
    if (isCollective(&op) && !isa<AllSliceOp>(op))
      whole.push_back(&op);
  for (Operation *op : whole) {
    OpBuilder builder(op);
    startTogether(builder, {op});
  }
}

/// Whether an op takes a time that others could be hidden behind: more than a
/// few operations per element.
static bool takesTime(Operation *op) {
  if (isa<WeightGradOp, SdpaOp, SdpaBackwardOp>(op))
    return true;
  auto aten = dyn_cast<AtenOp>(op);
  const OpInfo *info =
      aten ? OpRegistry::get().lookup(aten.getCallee()) : nullptr;
  if (!info || !info->flops || aten->getNumResults() == 0)
    return false;
  constexpr double kFewPerElement = 10;
  return info->flops(CallArgs(aten.getArgs(), aten.getInputs()),
                     aten->getResultTypes()) >
         kFewPerElement * typeOf(aten->getResult(0)).getNumElements();
}

/// Ops of `window`, in order, that `start` cannot do without.
static llvm::DenseSet<Operation *> neededBy(Operation *start,
                                            ArrayRef<Operation *> window) {
  llvm::DenseSet<Operation *> needed = {start};
  for (Operation *op : llvm::reverse(window))
    if (llvm::any_of(op->getUsers(),
                     [&](Operation *user) { return needed.contains(user); }))
      needed.insert(op);
  needed.erase(start);
  return needed;
}

/// From where on ops of the window go behind the start: from the first that it
/// can do without and that takes time or waits. Of those that stand before all
/// that it needs only the last counts: what the start gives is kept from there
/// on.
static size_t firstToMove(ArrayRef<Operation *> window,
                          const llvm::DenseSet<Operation *> &needed) {
  auto isWorthIt = [](Operation *op) {
    return isa<WaitOp>(op) || takesTime(op);
  };
  size_t first = 0;
  while (first < window.size() && !needed.contains(window[first]))
    ++first;
  for (size_t i = first; i > 0; --i)
    if (isWorthIt(window[i - 1]))
      return i - 1;
  while (first < window.size() &&
         (needed.contains(window[first]) || !isWorthIt(window[first])))
    ++first;
  return first;
}

/// Before each start what it needs; what else took time there comes behind it,
/// while the collective is under way. An op goes behind one start only: what it
/// reads would else be kept for long. Starts keep their order.
static SmallVector<Operation *> startEarly(Block &block) {
  SmallVector<Operation *> order, window;
  llvm::DenseSet<Operation *> moved;
  for (Operation &op : block.without_terminator()) {
    if (!isStart(&op)) {
      window.push_back(&op);
      continue;
    }
    for (Operation *before : window)
      if (moved.contains(before))
        order.push_back(before);
    llvm::erase_if(window, [&](Operation *o) { return moved.contains(o); });
    llvm::DenseSet<Operation *> needed = neededBy(&op, window);
    size_t first = firstToMove(window, needed);
    SmallVector<Operation *> rest;
    for (auto [i, before] : llvm::enumerate(window)) {
      if (i < first || needed.contains(before)) {
        order.push_back(before);
        continue;
      }
      rest.push_back(before);
      moved.insert(before);
    }
    order.push_back(&op);
    window = std::move(rest);
  }
  order.append(window.begin(), window.end());
  return order;
}

/// Waits stand before the first op that needs them, in the order of the starts.
static void waitLate(Block &block) {
  SmallVector<WaitOp> waits(block.getOps<WaitOp>());
  for (WaitOp wait : waits) {
    Operation *first = block.getTerminator();
    for (Operation *user : wait->getUsers())
      if (user->isBeforeInBlock(first))
        first = user;
    wait->moveBefore(first);
  }
}

namespace {
struct OverlapCollectivesPass
    : nxdt::impl::OverlapCollectivesBase<OverlapCollectivesPass> {
  void runOnOperation() override {
    for (auto func : getOperation().getOps<func::FuncOp>())
      if (!func.isExternal())
        overlap(func.front());
  }

  static void overlap(Block &block) {
    splitAll(block);
    for (Operation *op : startEarly(block))
      op->moveBefore(block.getTerminator());
    waitLate(block);
    SmallVector<Operation *> idle;
    for (Operation &op : block)
      if (isStart(&op) && op.getNumOperands() == 1 &&
          op.getNextNode() == waitOf(&op))
        idle.push_back(&op);
    for (Operation *start : idle)
      joinAgain(start);
  }
};
} // namespace
