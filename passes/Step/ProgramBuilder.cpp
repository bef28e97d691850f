//===- ProgramBuilder.cpp - functions that read and write buffers ---------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "ProgramBuilder.h"

#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace nxdt;

static Location nameLoc(MLIRContext *context, StringRef name) {
  return NameLoc::get(StringAttr::get(context, name));
}

ProgramBuilder::ProgramBuilder(ModuleOp module, StringRef name)
    : builder(module.getContext()), loc(nameLoc(module.getContext(), name)),
      symbols(module) {
  builder.setInsertionPointToEnd(module.getBody());
  func =
      func::FuncOp::create(builder, loc, name, builder.getFunctionType({}, {}));
  builder.setInsertionPointToStart(func.addEntryBlock());
}

ProgramBuilder::~ProgramBuilder() {
  SmallVector<Value> results;
  SmallVector<Attribute> attrs;
  for (auto &[name, value] : writes) {
    results.push_back(value);
    attrs.push_back(builder.getDictionaryAttr(
        builder.getNamedAttr(kBufferAttr, FlatSymbolRefAttr::get(name))));
  }
  builder.setInsertionPointToEnd(&func.front());
  func::ReturnOp::create(builder, loc, results);
  func.setType(builder.getFunctionType(func.front().getArgumentTypes(),
                                       ValueRange(results).getTypes()));
  func.setResAttrsAttr(builder.getArrayAttr(attrs));
  SmallVector<Attribute> argAttrs;
  for (auto &[name, value] : arguments)
    argAttrs.push_back(builder.getDictionaryAttr(
        builder.getNamedAttr(kBufferAttr, FlatSymbolRefAttr::get(name))));
  func.setArgAttrsAttr(builder.getArrayAttr(argAttrs));
}

void ProgramBuilder::setLoc(StringRef name) {
  loc = nameLoc(builder.getContext(), name);
}

Value ProgramBuilder::read(StringRef buffer) {
  auto name = builder.getStringAttr(buffer);
  if (Value written = writes.lookup(name))
    return written;
  Value &argument = arguments[name];
  if (!argument) {
    auto op = symbols.lookup<BufferOp>(buffer);
    assert(op && "programs read declared buffers");
    argument = func.front().addArgument(op.getType(),
                                        nameLoc(builder.getContext(), buffer));
  }
  return argument;
}

void ProgramBuilder::write(StringRef buffer, Value value) {
  writes[builder.getStringAttr(buffer)] = value;
}

void ProgramBuilder::zero(StringRef buffer) {
  auto op = symbols.lookup<BufferOp>(buffer);
  write(buffer, aten().zeros(op.getTensorType()));
}

void ProgramBuilder::accumulate(StringRef buffer, Value value) {
  Value acc = read(buffer);
  write(buffer, AccumulateOp::create(builder, loc, acc.getType(), acc, value));
}

SmallVector<Value> ProgramBuilder::inlineBody(func::FuncOp source) {
  IRMapping mapping;
  for (auto [i, argument] : llvm::enumerate(source.getArguments())) {
    auto name = source.getArgAttrOfType<FlatSymbolRefAttr>(i, kBufferAttr);
    assert(name && "arguments of programs are buffers");
    mapping.map(argument, read(name.getValue()));
  }
  for (Operation &op : source.front().without_terminator())
    builder.clone(op, mapping);
  SmallVector<Value> results;
  for (Value result : source.front().getTerminator()->getOperands())
    results.push_back(mapping.lookup(result));
  return results;
}
