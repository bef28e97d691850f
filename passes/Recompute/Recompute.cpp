//===- Recompute.cpp - compute again instead of keeping -------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Nxdt/IR/Sharding.h"
#include "nxdt/Passes/Passes.h"

#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/Support/GlobPattern.h"

namespace nxdt {
#define GEN_PASS_DEF_RECOMPUTE
#include "nxdt/Passes/Passes.h.inc"
} // namespace nxdt

using namespace mlir;
using namespace nxdt;

/// "model.layers.3.mlp.up_proj" -> "model.layers.3": what is computed again at
/// once. A path without a number is a unit of its own.
static StringRef unitOf(StringRef path) {
  size_t begin = 0;
  while (begin < path.size()) {
    size_t end = path.find('.', begin);
    if (end == StringRef::npos)
      end = path.size();
    unsigned number = 0;
    if (!path.slice(begin, end).getAsInteger(10, number))
      return path.take_front(end);
    begin = end + 1;
  }
  return path;
}

static bool isNumbered(StringRef unit) {
  unsigned number = 0;
  return !unit.rsplit('.').second.getAsInteger(10, number);
}

namespace {
struct RecomputePass : nxdt::impl::RecomputeBase<RecomputePass> {
  void runOnOperation() override;

private:
  LogicalResult readPatterns();
  bool isRecomputed(Operation *op);
  void recompute(StringRef unit, ArrayRef<Operation *> users);
  Value again(Value value, StringRef unit, Operation *&before,
              IRMapping &mapping);
  void findTwins(func::FuncOp func);

  /// Patterns as given, and parsed; the latter refer to the former.
  SmallVector<std::pair<StringAttr, llvm::GlobPattern>> patterns;
  DenseSet<StringAttr> used;
  /// An exchange of the forward and the same one of the backward.
  DenseMap<Operation *, ReshardOp> twins;
};
} // namespace

LogicalResult RecomputePass::readPatterns() {
  auto list = getOperation()->getAttrOfType<ArrayAttr>(kRecomputeAttr);
  if (!list)
    return success();
  for (Attribute attr : list) {
    auto text = dyn_cast<StringAttr>(attr);
    if (!text)
      return getOperation().emitError("'")
             << kRecomputeAttr << "' is a list of patterns";
    llvm::Expected<llvm::GlobPattern> glob = llvm::GlobPattern::create(text);
    if (!glob)
      return getOperation().emitError("'")
             << kRecomputeAttr << "': '" << text.getValue()
             << "': " << llvm::toString(glob.takeError());
    patterns.emplace_back(text, std::move(*glob));
  }
  return success();
}

/// Whether a forward op's results are computed again where the backward needs
/// them.
bool RecomputePass::isRecomputed(Operation *op) {
  if (!op || isBackward(op) || op->hasAttr(kRecomputedAttr))
    return false;
  StringRef path = modulePathOf(op);
  if (path.empty())
    return false;
  for (auto &[text, glob] : patterns)
    if (glob.match(path)) {
      used.insert(text);
      return true;
    }
  return false;
}

void RecomputePass::findTwins(func::FuncOp func) {
  for (auto reshard : func.front().getOps<ReshardOp>()) {
    if (!isBackward(reshard))
      continue;
    for (Operation *user : reshard.getInput().getUsers()) {
      auto other = dyn_cast<ReshardOp>(user);
      if (other && !isBackward(other) && other.getType() == reshard.getType())
        twins[other] = reshard;
    }
  }
}

/// The value once more, computed before an op from what is kept.
Value RecomputePass::again(Value value, StringRef unit, Operation *&before,
                           IRMapping &mapping) {
  if (Value known = mapping.lookupOrNull(value))
    return known;
  Operation *op = value.getDefiningOp();
  if (!isRecomputed(op) || unitOf(modulePathOf(op)) != unit)
    return value;
  if (communicates(op)) {
    // No collective is run twice: what the forward exchanged is kept, unless
    // the backward does the same exchange anyway.
    ReshardOp same = twins.lookup(op);
    if (!same)
      return value;
    Value input = again(op->getOperand(0), unit, before, mapping);
    if (same == before) {
      same->setOperand(0, input);
      before = same->getNextNode();
    } else if (!same->isBeforeInBlock(before)) {
      same->moveBefore(before);
      same->setOperand(0, input);
    }
    mapping.map(value, same.getResult());
    return same.getResult();
  }
  for (Value operand : op->getOperands())
    again(operand, unit, before, mapping);
  OpBuilder builder(before);
  Operation *copy = builder.clone(*op, mapping);
  copy->setAttr(kRecomputedAttr, builder.getUnitAttr());
  copy->setLoc(NameLoc::get(builder.getStringAttr(modulePathOf(op) + "^")));
  return mapping.lookup(value);
}

void RecomputePass::recompute(StringRef unit, ArrayRef<Operation *> users) {
  IRMapping mapping;
  Operation *before = users.front();
  for (Operation *user : users) {
    for (OpOperand &operand : user->getOpOperands()) {
      Operation *op = operand.get().getDefiningOp();
      if (!isRecomputed(op) || unitOf(modulePathOf(op)) != unit)
        continue;
      operand.set(again(operand.get(), unit, before, mapping));
    }
  }
}

void RecomputePass::runOnOperation() {
  patterns.clear();
  used.clear();
  twins.clear();
  if (failed(readPatterns()))
    return signalPassFailure();
  auto func = getOperation().lookupSymbol<func::FuncOp>("train_step");
  if (patterns.empty() || !func)
    return;
  findTwins(func);
  llvm::MapVector<StringRef, SmallVector<Operation *>> units;
  for (Operation &op : func.front()) {
    if (!isBackward(&op))
      continue;
    SmallVector<StringRef> seen;
    for (Value operand : op.getOperands()) {
      Operation *source = operand.getDefiningOp();
      if (!isRecomputed(source))
        continue;
      StringRef unit = unitOf(modulePathOf(source));
      // What one layer hands to another is kept: the other begins with it.
      StringRef own = unitOf(modulePathOf(&op));
      if (own != unit && isNumbered(own) && isNumbered(unit))
        continue;
      if (!llvm::is_contained(seen, unit)) {
        seen.push_back(unit);
        units[unit].push_back(&op);
      }
    }
  }
  for (auto &[unit, users] : units)
    recompute(unit, users);
  for (auto &[text, glob] : patterns)
    if (!used.contains(text))
      getOperation().emitRemark("'")
          << kRecomputeAttr << "': nothing that '" << text.getValue()
          << "' matches is kept for the backward";
}
