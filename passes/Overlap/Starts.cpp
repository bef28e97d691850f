//===- Starts.cpp - collectives that are started and waited for -----------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Starts.h"

#include "nxdt/Passes/Origins.h"

using namespace mlir;
using namespace nxdt;

static StringRef reasonOf(Operation *op) {
  return op->getAttrOfType<StringAttr>("reason").getValue();
}

WaitOp nxdt::startTogether(OpBuilder &builder,
                           ArrayRef<Operation *> collectives) {
  Operation *first = collectives.front();
  SmallVector<Value> operands;
  SmallVector<Type> types;
  SmallVector<StringRef> modules, reasons;
  for (Operation *op : collectives) {
    operands.push_back(op->getOperand(0));
    types.push_back(op->getResult(0).getType());
    modules.push_back(markedPathOf(op));
    reasons.push_back(reasonOf(op));
  }
  OperationState state(first->getLoc(),
                       (first->getName().getStringRef() + "_start").str());
  for (StringRef name : {"axes", "dim", "reduction", "reason"})
    if (Attribute attribute = first->getAttr(name))
      state.addAttribute(name, attribute);
  if (collectives.size() > 1) {
    state.attributes.set(
        "reason", builder.getStringAttr("bucket of " +
                                        std::to_string(collectives.size()) +
                                        ": " + reasons.front()));
    state.addAttribute("modules", builder.getStrArrayAttr(modules));
    state.addAttribute("reasons", builder.getStrArrayAttr(reasons));
  }
  state.addOperands(operands);
  state.addTypes(PendingType::get(builder.getContext(), types));
  Operation *start = builder.create(state);
  auto wait =
      WaitOp::create(builder, first->getLoc(), types, start->getResult(0));
  for (auto [op, result] : llvm::zip(collectives, wait.getResults())) {
    passOrigins(op, {result});
    op->getResult(0).replaceAllUsesWith(result);
    op->erase();
  }
  return wait;
}

void nxdt::joinAgain(Operation *start) {
  WaitOp wait = waitOf(start);
  StringRef name = start->getName().getStringRef();
  name.consume_back("_start");
  OpBuilder builder(start);
  OperationState state(start->getLoc(), name);
  for (StringRef attribute : {"axes", "dim", "reduction", "reason"})
    if (Attribute value = start->getAttr(attribute))
      state.addAttribute(attribute, value);
  state.addOperands(start->getOperand(0));
  state.addTypes(wait.getResultTypes());
  Operation *collective = builder.create(state);
  passOrigins(wait, {collective->getResult(0)});
  wait->replaceAllUsesWith(collective);
  wait.erase();
  start->erase();
}
