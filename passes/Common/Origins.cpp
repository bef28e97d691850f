//===- Origins.cpp - what a value was before it was partitioned -----------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "nxdt/Passes/Origins.h"
#include "nxdt/Passes/Passes.h"

using namespace mlir;
using namespace nxdt;

/// The entry of a list attribute for a result, an argument's own attribute;
/// null if there is none.
static Attribute entryOf(Value value, StringRef attribute) {
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    auto func =
        dyn_cast_or_null<func::FuncOp>(argument.getOwner()->getParentOp());
    return func ? func.getArgAttr(argument.getArgNumber(), attribute)
                : Attribute();
  }
  auto result = cast<OpResult>(value);
  auto list = result.getOwner()->getAttrOfType<ArrayAttr>(attribute);
  if (!list || list.size() != result.getOwner()->getNumResults())
    return {};
  return list[result.getResultNumber()];
}

StringAttr nxdt::originOf(Value value) {
  auto name = dyn_cast_or_null<StringAttr>(entryOf(value, kOriginAttr));
  return name && !name.empty() ? name : StringAttr();
}

Type nxdt::wholeTypeOf(Value value) {
  auto type = dyn_cast_or_null<TypeAttr>(entryOf(value, kWholeTypeAttr));
  return type ? type.getValue() : Type();
}

/// Sets the entry of one result, with `none` for the others if they are new.
static void setEntry(OpResult result, StringRef attribute, Attribute entry,
                     Attribute none) {
  Operation *op = result.getOwner();
  SmallVector<Attribute> list(op->getNumResults(), none);
  if (auto known = op->getAttrOfType<ArrayAttr>(attribute))
    if (known.size() == list.size())
      list.assign(known.begin(), known.end());
  list[result.getResultNumber()] = entry;
  op->setAttr(attribute, ArrayAttr::get(op->getContext(), list));
}

void nxdt::setOrigin(Value value, StringAttr origin, Type wholeType) {
  auto result = dyn_cast<OpResult>(value);
  if (!result || !origin || originOf(value))
    return;
  setEntry(result, kOriginAttr, origin, StringAttr::get(value.getContext()));
  if (wholeType)
    setEntry(result, kWholeTypeAttr, TypeAttr::get(wholeType),
             UnitAttr::get(value.getContext()));
}

void nxdt::passOrigins(Operation *op, ArrayRef<Value> replacements) {
  for (auto [old, now] : llvm::zip(op->getResults(), replacements))
    setOrigin(now, originOf(old), wholeTypeOf(old));
}

namespace nxdt {
#define GEN_PASS_DEF_MARKORIGINS
#include "nxdt/Passes/Passes.h.inc"
} // namespace nxdt

namespace {
struct MarkOriginsPass : nxdt::impl::MarkOriginsBase<MarkOriginsPass> {
  void runOnOperation() override {
    for (auto func : getOperation().getOps<func::FuncOp>())
      if (!func.isExternal() && failed(mark(func)))
        return signalPassFailure();
  }

  LogicalResult mark(func::FuncOp func) {
    if (func->hasAttr(kOriginAttr))
      return func.emitError("program '")
             << func.getName() << "' has names for its values already";
    Builder builder(func.getContext());
    DenseMap<Value, StringAttr> stored;
    Operation *ret = func.front().getTerminator();
    for (OpOperand &operand : ret->getOpOperands())
      if (auto name = func.getResultAttrOfType<FlatSymbolRefAttr>(
              operand.getOperandNumber(), kBufferAttr))
        stored.try_emplace(operand.get(), name.getAttr());
    for (auto [number, op] : llvm::enumerate(func.front().without_terminator()))
      for (OpResult result : op.getResults()) {
        std::string name = func.getName().str() + "#" + std::to_string(number) +
                           "." + std::to_string(result.getResultNumber());
        if (StringAttr buffer = stored.lookup(result))
          name += ">" + buffer.str();
        setOrigin(result, builder.getStringAttr(name));
      }
    func->setAttr(kOriginAttr, builder.getStringAttr(func.getName()));
    return success();
  }
};
} // namespace
