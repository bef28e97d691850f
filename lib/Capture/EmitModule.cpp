//===- EmitModule.cpp - a record becomes MLIR -----------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "EmitModule.h"

#include "Nxdt/IR/Nxdt.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace nxdt;
using namespace nxdt::capture;

Location nxdt::capture::pathLocation(MLIRContext *context,
                                     const std::string &path) {
  if (path.empty())
    return UnknownLoc::get(context);
  return NameLoc::get(StringAttr::get(context, path));
}

namespace {

class Emitter {
public:
  Emitter(MLIRContext *context, const CapturedModel &model)
      : builder(context), model(model) {}

  OwningOpRef<ModuleOp> emit();

private:
  Type element(ElementType type);
  RankedTensorType tensor(const ValueType &type);
  Attribute argument(const Arg &arg);
  DictionaryAttr init(const ParamInit &init);
  NamedAttribute bufferAttr(StringRef name) {
    return builder.getNamedAttr(
        kBufferAttr, FlatSymbolRefAttr::get(builder.getContext(), name));
  }
  Location place(StringRef name) {
    return NameLoc::get(builder.getStringAttr(name));
  }
  void declareState();
  void emitInit();
  void emitForward();
  /// Appends the operators; `values` maps ids to values.
  void emitOps(const Record &record, SmallVectorImpl<Value> &values);

  OpBuilder builder;
  const CapturedModel &model;
};

} // namespace

Type Emitter::element(ElementType type) {
  switch (type) {
  case ElementType::F64:
    return builder.getF64Type();
  case ElementType::F32:
    return builder.getF32Type();
  case ElementType::BF16:
    return builder.getBF16Type();
  case ElementType::F16:
    return builder.getF16Type();
  case ElementType::I64:
    return builder.getI64Type();
  case ElementType::I32:
    return builder.getI32Type();
  case ElementType::I8:
    return builder.getI8Type();
  case ElementType::Bool:
    return builder.getI1Type();
  }
  llvm_unreachable("all element types are listed");
}

RankedTensorType Emitter::tensor(const ValueType &type) {
  return RankedTensorType::get(type.shape, element(type.element));
}

Attribute Emitter::argument(const Arg &arg) {
  MLIRContext *context = builder.getContext();
  struct Visitor {
    Emitter &emitter;
    MLIRContext *context;
    OpBuilder &b;
    Attribute operator()(NoneArg) { return NoneAttr::get(context); }
    Attribute operator()(DeviceArg) { return DeviceAttr::get(context); }
    Attribute operator()(OperandArg) { return OperandAttr::get(context); }
    Attribute operator()(const OperandListArg &list) {
      SmallVector<Attribute> elements;
      for (bool isPresent : list.present)
        elements.push_back(isPresent ? Attribute(OperandAttr::get(context))
                                     : Attribute(NoneAttr::get(context)));
      return b.getArrayAttr(elements);
    }
    Attribute operator()(bool value) { return b.getBoolAttr(value); }
    Attribute operator()(int64_t value) { return b.getI64IntegerAttr(value); }
    Attribute operator()(double value) { return b.getF64FloatAttr(value); }
    Attribute operator()(const std::string &value) {
      return b.getStringAttr(value);
    }
    Attribute operator()(ElementType type) {
      return TypeAttr::get(emitter.element(type));
    }
    Attribute operator()(const std::vector<int64_t> &values) {
      return b.getDenseI64ArrayAttr(values);
    }
    Attribute operator()(const std::vector<double> &values) {
      return b.getDenseF64ArrayAttr(values);
    }
    Attribute operator()(const std::vector<bool> &values) {
      SmallVector<bool> plain(values.begin(), values.end());
      return b.getDenseBoolArrayAttr(plain);
    }
  };
  return std::visit(Visitor{*this, context, builder}, arg);
}

DictionaryAttr Emitter::init(const ParamInit &init) {
  auto number = [&](StringRef name, double value) {
    return builder.getNamedAttr(name, builder.getF64FloatAttr(value));
  };
  auto kind = [&](StringRef name) {
    return builder.getNamedAttr("kind", builder.getStringAttr(name));
  };
  switch (init.kind) {
  case ParamInit::Kind::Constant:
    return builder.getDictionaryAttr(
        {kind("constant"), number("value", init.a)});
  case ParamInit::Kind::Normal:
    return builder.getDictionaryAttr(
        {kind("normal"), number("mean", init.a), number("std", init.b)});
  case ParamInit::Kind::Uniform:
    return builder.getDictionaryAttr(
        {kind("uniform"), number("low", init.a), number("high", init.b)});
  }
  llvm_unreachable("all kinds are listed");
}

void Emitter::declareState() {
  auto declare = [&](const std::string &name, StringRef role,
                     const ValueType &type, DictionaryAttr init,
                     const std::vector<std::string> &tied) {
    SmallVector<StringRef> names(tied.begin(), tied.end());
    // What belongs to no module is its own place.
    std::string path = moduleOf(name);
    auto buffer = BufferOp::create(
        builder, pathLocation(builder.getContext(), path.empty() ? name : path),
        name, role, cast<RankedTensorType>(tensor(type)));
    if (init)
      buffer.setInitAttr(init);
    if (!names.empty())
      buffer.setTiedAttr(builder.getStrArrayAttr(names));
  };
  for (const CapturedParam &param : model.params)
    declare(param.name, "param", param.type,
            param.init ? init(*param.init) : DictionaryAttr(), param.tied);
  for (const CapturedBuffer &buffer : model.buffers)
    declare(buffer.name, "buffer", buffer.type, DictionaryAttr(), {});
  declare("input_ids", "input", model.forward.values[model.inputIds],
          DictionaryAttr(), {});
}

void Emitter::emitOps(const Record &record, SmallVectorImpl<Value> &values) {
  for (const RecordedOp &op : record.ops) {
    SmallVector<Value> operands;
    for (ValueId operand : op.operands)
      operands.push_back(values[operand]);
    SmallVector<Type> types;
    for (ValueId result : op.results)
      types.push_back(tensor(record.values[result]));
    SmallVector<Attribute> args;
    for (const Arg &arg : op.args)
      args.push_back(argument(arg));
    bool hasViews = llvm::any_of(op.views, [](int32_t v) { return v >= 0; });
    auto aten = AtenOp::create(
        builder, pathLocation(builder.getContext(), op.path), types,
        builder.getStringAttr(op.callee), operands, builder.getArrayAttr(args),
        op.mutates.empty() ? DenseI32ArrayAttr()
                           : builder.getDenseI32ArrayAttr(op.mutates),
        hasViews ? builder.getDenseI32ArrayAttr(op.views) : DenseI32ArrayAttr(),
        op.noGrad ? builder.getUnitAttr() : UnitAttr());
    for (auto [id, result] : llvm::zip(op.results, aten.getResults()))
      values[id] = result;
  }
}

void Emitter::emitInit() {
  if (model.buffers.empty())
    return;
  SmallVector<Type> types;
  SmallVector<DictionaryAttr> attrs;
  for (const CapturedBuffer &buffer : model.buffers) {
    types.push_back(tensor(buffer.type));
    attrs.push_back(builder.getDictionaryAttr(bufferAttr(buffer.name)));
  }
  auto func = func::FuncOp::create(builder, place("init"), "init",
                                   builder.getFunctionType({}, types));
  func.setAllResultAttrs(attrs);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(func.addEntryBlock());
  SmallVector<Value> values(model.init.values.size());
  emitOps(model.init, values);
  SmallVector<Value> results;
  for (const CapturedBuffer &buffer : model.buffers)
    results.push_back(values[buffer.initValue]);
  func::ReturnOp::create(builder, place("init"), results);
}

void Emitter::emitForward() {
  const Record &record = model.forward;
  SmallVector<Type> argTypes;
  SmallVector<DictionaryAttr> argAttrs;
  SmallVector<ValueId> argIds;
  auto addArgument = [&](StringRef name, ValueId value) {
    argTypes.push_back(tensor(record.values[value]));
    argAttrs.push_back(builder.getDictionaryAttr(bufferAttr(name)));
    argIds.push_back(value);
  };
  for (const CapturedParam &param : model.params)
    addArgument(param.name, param.value);
  for (const CapturedBuffer &buffer : model.buffers)
    addArgument(buffer.name, buffer.value);
  addArgument("input_ids", model.inputIds);

  SmallVector<Type> resultTypes = {tensor(record.values[model.logits])};
  SmallVector<DictionaryAttr> resultAttrs = {builder.getDictionaryAttr({})};
  SmallVector<ValueId> resultIds = {model.logits};
  for (const CapturedBuffer &buffer : model.buffers) {
    if (!buffer.isMutated)
      continue;
    resultTypes.push_back(tensor(buffer.type));
    resultAttrs.push_back(builder.getDictionaryAttr(bufferAttr(buffer.name)));
    resultIds.push_back(buffer.value);
  }
  auto func =
      func::FuncOp::create(builder, place("forward"), "forward",
                           builder.getFunctionType(argTypes, resultTypes));
  func.setAllArgAttrs(argAttrs);
  func.setAllResultAttrs(resultAttrs);

  OpBuilder::InsertionGuard guard(builder);
  Block *entry = func.addEntryBlock();
  builder.setInsertionPointToStart(entry);
  SmallVector<Value> values(record.values.size());
  for (auto [id, argument, attrs] :
       llvm::zip(argIds, entry->getArguments(), argAttrs)) {
    values[id] = argument;
    auto buffer = attrs.getAs<FlatSymbolRefAttr>(kBufferAttr);
    argument.setLoc(place(buffer.getValue()));
  }
  emitOps(record, values);
  SmallVector<Value> results;
  for (ValueId id : resultIds)
    results.push_back(values[id]);
  func::ReturnOp::create(builder, place("forward"), results);
}

OwningOpRef<ModuleOp> Emitter::emit() {
  OwningOpRef<ModuleOp> module = ModuleOp::create(builder.getUnknownLoc());
  builder.setInsertionPointToEnd(module->getBody());
  declareState();
  emitInit();
  emitForward();
  return module;
}

OwningOpRef<ModuleOp> nxdt::capture::emitModule(MLIRContext *context,
                                                const CapturedModel &model) {
  context->loadDialect<NxdtDialect, func::FuncDialect>();
  return Emitter(context, model).emit();
}
