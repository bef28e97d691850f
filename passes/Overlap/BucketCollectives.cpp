//===- BucketCollectives.cpp - collectives of state travel together -------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Starts.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringSet.h"

#include <map>
#include <set>

namespace nxdt {
#define GEN_PASS_DEF_BUCKETCOLLECTIVES
#include "nxdt/Passes/Passes.h.inc"
} // namespace nxdt

using namespace mlir;
using namespace nxdt;

namespace {
/// Buckets of one program. What is read from state may be read at any time, and
/// what only becomes state may be there at any time: such collectives are free
/// to go together. Those of activations stay where they are.
class Buckets {
public:
  Buckets(func::FuncOp func, SymbolTable &symbols, int64_t limit_bytes)
      : func(func), symbols(symbols), limit_bytes(limit_bytes) {}

  void run();

private:
  struct Bucket {
    SmallVector<Operation *> members;
    int64_t bytes = 0;
  };
  /// Depth, kind, axes, dim, reduction, element type.
  using Key = std::tuple<int64_t, const void *, const void *, const void *,
                         const void *, const void *>;

  bool isState(StringAttr buffer) const;
  bool readsState(Value value);
  bool becomesState(Operation *op);
  bool isFree(Operation *op) {
    return isCollective(op) && !isa<AllSliceOp>(op) &&
           (readsState(op->getOperand(0)) || becomesState(op));
  }
  void findDepths();
  void fill();
  void sortAgain();

  func::FuncOp func;
  SymbolTable &symbols;
  int64_t limit_bytes;
  /// Of each free collective: how many others lie behind it on the longest way.
  /// Members of a bucket have the same, so that none waits for another, nor one
  /// bucket for a second and that for the first.
  llvm::MapVector<Operation *, int64_t> depths;
  SmallVector<Bucket> buckets;
};
} // namespace

bool Buckets::isState(StringAttr name) const {
  auto buffer = name ? symbols.lookup<BufferOp>(name.getValue()) : BufferOp();
  return buffer && buffer.getRole() != "carry" && buffer.getRole() != "input";
}

/// Whether an op gives its first operand in another form: padded, cast, a part
/// of it, with what is padding masked.
static bool passesOn(Operation *op) {
  auto aten = dyn_cast<AtenOp>(op);
  if (aten && aten.getCallee() == "aten::masked_fill.Scalar")
    return true;
  return (aten || isCollective(op)) && op->getNumOperands() == 1;
}

bool Buckets::readsState(Value value) {
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    auto name = func.getArgAttrOfType<FlatSymbolRefAttr>(
        argument.getArgNumber(), kBufferAttr);
    return name && isState(name.getAttr());
  }
  Operation *op = value.getDefiningOp();
  return passesOn(op) && readsState(op->getOperand(0));
}

bool Buckets::becomesState(Operation *op) {
  if (op->use_empty())
    return false;
  return llvm::all_of(op->getUses(), [&](OpOperand &use) {
    Operation *user = use.getOwner();
    if (isa<func::ReturnOp>(user)) {
      auto name = func.getResultAttrOfType<FlatSymbolRefAttr>(
          use.getOperandNumber(), kBufferAttr);
      return name && isState(name.getAttr());
    }
    return use.getOperandNumber() == 0 && passesOn(user) && becomesState(user);
  });
}

void Buckets::findDepths() {
  DenseMap<Value, int64_t> depthOf;
  for (Operation &op : func.front().without_terminator()) {
    int64_t depth = 0;
    for (Value operand : op.getOperands())
      depth = std::max(depth, depthOf.lookup(operand));
    if (isFree(&op))
      depths[&op] = depth++;
    for (Value result : op.getResults())
      depthOf[result] = depth;
  }
}

void Buckets::fill() {
  auto pointer = [](Operation *op, StringRef name) {
    return op->getAttr(name).getAsOpaquePointer();
  };
  std::map<Key, size_t> open;
  for (auto [op, depth] : depths) {
    RankedTensorType type = typeOf(op->getOperand(0));
    int64_t bytes = type.getNumElements() * type.getElementTypeBitWidth() / 8;
    Key key(depth, op->getName().getAsOpaquePointer(), pointer(op, "axes"),
            pointer(op, "dim"), pointer(op, "reduction"),
            type.getElementType().getAsOpaquePointer());
    auto [it, isNew] = open.try_emplace(key, buckets.size());
    if (!isNew && buckets[it->second].bytes + bytes > limit_bytes) {
      it->second = buckets.size();
      isNew = true;
    }
    if (isNew)
      buckets.emplace_back();
    Bucket &bucket = buckets[it->second];
    bucket.members.push_back(op);
    bucket.bytes += bytes;
  }
  llvm::erase_if(
      buckets, [](const Bucket &bucket) { return bucket.members.size() < 2; });
}

/// In the order in which ops were, but each behind what it needs.
void Buckets::sortAgain() {
  Block &block = func.front();
  DenseMap<Operation *, int64_t> placeOf;
  SmallVector<Operation *> ops;
  for (Operation &op : block.without_terminator()) {
    placeOf[&op] = ops.size();
    ops.push_back(&op);
  }
  SmallVector<int64_t> missing(ops.size(), 0);
  SmallVector<SmallVector<int64_t>> users(ops.size());
  for (auto [i, op] : llvm::enumerate(ops)) {
    llvm::SmallDenseSet<Operation *> makers;
    for (Value operand : op->getOperands())
      if (Operation *maker = operand.getDefiningOp())
        makers.insert(maker);
    missing[i] = makers.size();
    for (Operation *maker : makers)
      users[placeOf[maker]].push_back(i);
  }
  std::set<int64_t> ready;
  for (auto [i, count] : llvm::enumerate(missing))
    if (count == 0)
      ready.insert(i);
  while (!ready.empty()) {
    int64_t next = *ready.begin();
    ready.erase(ready.begin());
    ops[next]->moveBefore(block.getTerminator());
    for (int64_t user : users[next])
      if (--missing[user] == 0)
        ready.insert(user);
  }
}

void Buckets::run() {
  findDepths();
  fill();
  if (buckets.empty())
    return;
  for (Bucket &bucket : buckets) {
    OpBuilder builder(bucket.members.back());
    startTogether(builder, bucket.members);
  }
  sortAgain();
}

namespace {
struct BucketCollectivesPass
    : nxdt::impl::BucketCollectivesBase<BucketCollectivesPass> {
  void runOnOperation() override {
    auto limit = getOperation()->getAttrOfType<IntegerAttr>(kBucketBytesAttr);
    if (!limit)
      return;
    if (limit.getInt() < 0) {
      getOperation().emitError("'")
          << kBucketBytesAttr << "' is " << limit.getInt()
          << ", expected at least 0";
      return signalPassFailure();
    }
    SymbolTable symbols(getOperation());
    for (auto func : getOperation().getOps<func::FuncOp>())
      if (!func.isExternal())
        Buckets(func, symbols, limit.getInt()).run();
  }
};
} // namespace
