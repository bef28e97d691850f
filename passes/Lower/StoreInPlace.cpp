//===- StoreInPlace.cpp - results written to their buffers ----------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "TypedLowering.h"
#include "nxdt/Passes/Passes.h"

#include "llvm/ADT/BitVector.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"

namespace nxdt {
#define GEN_PASS_DEF_STOREINPLACE
#include "nxdt/Passes/Passes.h.inc"
} // namespace nxdt

using namespace mlir;
using namespace nxdt;

namespace {
/// Puts one program's results in place.
class ProgramStores {
public:
  ProgramStores(func::FuncOp func, SymbolTable &symbols)
      : func(func), symbols(symbols) {}

  LogicalResult run();

private:
  FlatSymbolRefAttr bufferName(Value value);
  bool canOverwrite(Operation *op, Value old, Value updated);
  LogicalResult lowerTyped(Operation *op);
  FailureOr<Lowered> lowerAccumulate(AtenBuilder &aten, AccumulateOp op);
  FailureOr<Lowered> lowerUpdate(AtenBuilder &aten, Operation *op);
  Value argumentFor(FlatSymbolRefAttr buffer, Type type);
  void handOver(unsigned result, DenseSet<Value> &taken);
  void storeResults();

  func::FuncOp func;
  SymbolTable &symbols;
  /// 1 / scale, once per scale.
  DenseMap<Value, Value> inverseScales;
};
} // namespace

FlatSymbolRefAttr ProgramStores::bufferName(Value value) {
  auto argument = dyn_cast<BlockArgument>(value);
  return argument ? func.getArgAttrOfType<FlatSymbolRefAttr>(
                        argument.getArgNumber(), kBufferAttr)
                  : FlatSymbolRefAttr();
}

/// Whether `updated` may take the place of `old`: `old` is a buffer that the
/// program writes `updated` to, and nothing reads `old` afterwards.
bool ProgramStores::canOverwrite(Operation *op, Value old, Value updated) {
  FlatSymbolRefAttr name = bufferName(old);
  if (!name)
    return false;
  Operation *ret = func.front().getTerminator();
  // Of a chain of sums the last is stored.
  while (updated.hasOneUse()) {
    auto next = dyn_cast<AccumulateOp>(*updated.user_begin());
    if (!next || next.getAcc() != updated)
      break;
    updated = next.getResult();
  }
  bool stored = false;
  for (OpOperand &use : updated.getUses())
    stored |= use.getOwner() == ret &&
              func.getResultAttrOfType<FlatSymbolRefAttr>(
                  use.getOperandNumber(), kBufferAttr) == name;
  if (!stored)
    return false;
  for (Operation *user : old.getUsers()) {
    // What was started reads until it is waited for.
    Operation *last = isStart(user) ? waitOf(user).getOperation() : user;
    if (last != op && !last->isBeforeInBlock(op))
      return false;
  }
  return true;
}

FailureOr<Lowered> ProgramStores::lowerUpdate(AtenBuilder &aten,
                                              Operation *op) {
  // Results line up with these operands.
  SmallVector<OpOperand *> olds;
  if (auto adamw = dyn_cast<AdamWOp>(op))
    olds = {&adamw.getParamMutable(), &adamw.getExpAvgMutable(),
            &adamw.getExpAvgSqMutable()};
  else if (auto sgd = dyn_cast<SgdOp>(op)) {
    olds = {&sgd.getParamMutable()};
    for (OpOperand &buffer : sgd.getMomentumBufferMutable())
      olds.push_back(&buffer);
  }
  // A rank's part of a parameter is updated apart: it may be a view of it.
  for (auto [old, updated] : llvm::zip(olds, op->getResults()))
    if (!canOverwrite(op, old->get(), updated))
      old->set(aten.call("aten::clone", {old->get(), kNone}));
  if (auto adamw = dyn_cast<AdamWOp>(op)) {
    if (!bufferName(adamw.getGrad()))
      return op->emitOpError("takes its gradient from a buffer");
    Value &inverse = inverseScales[adamw.getScale()];
    if (!inverse)
      inverse = aten.call("aten::reciprocal", {adamw.getScale()});
    return lowerAdamW(aten, adamw, inverse);
  }
  return lowerSgd(aten, cast<SgdOp>(op));
}

FailureOr<Lowered> ProgramStores::lowerAccumulate(AtenBuilder &aten,
                                                  AccumulateOp op) {
  if (canOverwrite(op, op.getAcc(), op.getResult())) {
    callInPlace(aten, "aten::add_.Tensor", {op.getAcc(), op.getValue(), 1},
                {0});
    return Lowered{op.getAcc()};
  }
  Type element = cast<RankedTensorType>(op.getAcc().getType()).getElementType();
  return Lowered{aten.add(op.getAcc(), aten.cast(op.getValue(), element))};
}

LogicalResult ProgramStores::lowerTyped(Operation *op) {
  OpBuilder builder(op);
  AtenBuilder aten(builder, op->getLoc());
  FailureOr<Lowered> lowered = failure();
  if (auto accumulate = dyn_cast<AccumulateOp>(op))
    lowered = lowerAccumulate(aten, accumulate);
  else if (isa<AdamWOp, SgdOp>(op))
    lowered = lowerUpdate(aten, op);
  else
    return op->emitOpError("is still there; run lower-to-aten first");
  if (failed(lowered))
    return failure();
  op->replaceAllUsesWith(*lowered);
  op->erase();
  return success();
}

Value ProgramStores::argumentFor(FlatSymbolRefAttr buffer, Type type) {
  for (BlockArgument argument : func.getArguments())
    if (bufferName(argument) == buffer)
      return argument;
  unsigned index = func.getNumArguments();
  Builder builder(func.getContext());
  auto attrs =
      builder.getDictionaryAttr(builder.getNamedAttr(kBufferAttr, buffer));
  (void)func.insertArgument(index, type, attrs, func.getLoc());
  return func.getArgument(index);
}

/// What a later program of the micro-batch needs is handed over as it is: a
/// tensor of its own, which nothing else is bound to.
void ProgramStores::handOver(unsigned result, DenseSet<Value> &taken) {
  OpOperand &operand = func.front().getTerminator()->getOpOperand(result);
  if (!isa<BlockArgument>(operand.get()) && taken.insert(operand.get()).second)
    return;
  OpBuilder builder(operand.getOwner());
  operand.set(AtenBuilder(builder, func.getLoc())
                  .call("aten::clone", {operand.get(), kNone}));
}

/// Writes every result to its buffer and returns nothing but what is carried.
void ProgramStores::storeResults() {
  Operation *ret = func.front().getTerminator();
  OpBuilder builder(ret);
  llvm::BitVector stored(func.getNumResults());
  DenseSet<Value> carried;
  struct Store {
    Value destination, value;
  };
  SmallVector<Store> stores;
  for (unsigned i = 0; i < func.getNumResults(); ++i) {
    Value value = ret->getOperand(i);
    auto name = func.getResultAttrOfType<FlatSymbolRefAttr>(i, kBufferAttr);
    if (symbols.lookup<BufferOp>(name.getValue()).getRole() == "carry") {
      handOver(i, carried);
      continue;
    }
    stored.set(i);
    Value destination = argumentFor(name, value.getType());
    if (value != destination)
      stores.push_back({destination, value});
  }
  // A buffer's old value that goes elsewhere is saved before anything is
  // overwritten.
  for (Store &store : stores)
    if (bufferName(store.value)) {
      OpBuilder::InsertionGuard guard(builder);
      builder.setInsertionPointToStart(&func.front());
      store.value = AtenBuilder(builder, func.getLoc())
                        .call("aten::clone", {store.value, kNone});
    }
  for (Store &store : stores) {
    AtenBuilder aten(builder, store.value.getLoc());
    auto source = store.value.getDefiningOp<AtenOp>();
    StringRef callee = source ? source.getCallee() : "";
    if (callee == "aten::full") {
      callInPlace(aten, "aten::fill_.Scalar",
                  {store.destination, Arg(source.getArgs()[1])}, {0});
    } else if (callee == "aten::to.dtype") {
      // copy_ casts by itself.
      callInPlace(aten, "aten::copy_",
                  {store.destination, source.getInputs()[0], false}, {0});
    } else {
      callInPlace(aten, "aten::copy_", {store.destination, store.value, false},
                  {0});
    }
  }
  ret->eraseOperands(stored);
  (void)func.eraseResults(stored);
}

LogicalResult ProgramStores::run() {
  SmallVector<Operation *> typed;
  for (Operation &op : func.front().without_terminator())
    if (!isa<AtenOp, AtenVjpOp>(op) && !isCommunication(&op))
      typed.push_back(&op);
  for (Operation *op : typed)
    if (failed(lowerTyped(op)))
      return failure();
  for (unsigned i = 0; i < func.getNumResults(); ++i)
    if (auto name = func.getResultAttrOfType<FlatSymbolRefAttr>(i, kBufferAttr);
        !name || !symbols.lookup<BufferOp>(name.getValue()))
      return func.emitError("result ") << i << " of program '" << func.getName()
                                       << "' is not written to a buffer";
  storeResults();
  // What only fed erased stores is dead now.
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(func.front())))
    if (isOpTriviallyDead(&op))
      op.erase();
  return success();
}

namespace {
struct StoreInPlacePass : nxdt::impl::StoreInPlaceBase<StoreInPlacePass> {
  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    for (auto func : getOperation().getOps<func::FuncOp>())
      if (failed(ProgramStores(func, symbols).run()))
        return signalPassFailure();
  }
};
} // namespace
