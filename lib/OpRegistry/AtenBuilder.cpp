//===- AtenBuilder.cpp - building calls whose types are inferred ----------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "nxdt/Registry/OpRegistry.h"

#include "llvm/Support/ErrorHandling.h"

using namespace mlir;
using namespace nxdt;

/// Splits formula arguments into operands and the `args` attribute.
static ArrayAttr toAttributes(Builder &builder, ArrayRef<Arg> args,
                              SmallVectorImpl<Value> &operands) {
  MLIRContext *context = builder.getContext();
  SmallVector<Attribute> attrs;
  auto place = [&](Value value) -> Attribute {
    if (!value)
      return NoneAttr::get(context);
    operands.push_back(value);
    return OperandAttr::get(context);
  };
  for (const Arg &arg : args) {
    if (auto *value = std::get_if<Value>(&arg.value)) {
      attrs.push_back(place(*value));
    } else if (auto *values = std::get_if<SmallVector<Value>>(&arg.value)) {
      SmallVector<Attribute> list;
      for (Value value : *values)
        list.push_back(place(value));
      attrs.push_back(builder.getArrayAttr(list));
    } else if (auto *attr = std::get_if<Attribute>(&arg.value)) {
      attrs.push_back(*attr);
    } else if (auto *type = std::get_if<Type>(&arg.value)) {
      attrs.push_back(TypeAttr::get(*type));
    } else if (auto *integer = std::get_if<int64_t>(&arg.value)) {
      attrs.push_back(builder.getI64IntegerAttr(*integer));
    } else if (auto *number = std::get_if<double>(&arg.value)) {
      attrs.push_back(builder.getF64FloatAttr(*number));
    } else if (auto *flag = std::get_if<bool>(&arg.value)) {
      attrs.push_back(builder.getBoolAttr(*flag));
    } else if (auto *list = std::get_if<SmallVector<int64_t>>(&arg.value)) {
      attrs.push_back(builder.getDenseI64ArrayAttr(*list));
    } else {
      attrs.push_back(NoneAttr::get(context));
    }
  }
  return builder.getArrayAttr(attrs);
}

AtenOp AtenBuilder::callMulti(StringRef callee, ArrayRef<Arg> args,
                              TypeRange resultTypes) {
  SmallVector<Value> operands;
  ArrayAttr attrs = toAttributes(builder, args, operands);
  return AtenOp::create(builder, loc, resultTypes,
                        builder.getStringAttr(callee), operands, attrs,
                        DenseI32ArrayAttr(), DenseI32ArrayAttr(), UnitAttr());
}

Value AtenBuilder::call(StringRef callee, ArrayRef<Arg> args) {
  SmallVector<Value> operands;
  ArrayAttr attrs = toAttributes(builder, args, operands);
  const OpInfo *info = OpRegistry::get().lookup(callee);
  if (!info || !info->infer)
    llvm::report_fatal_error(llvm::Twine("no result types known for '") +
                             callee + "'");
  FailureOr<ResultTypes> types = info->infer(CallArgs(attrs, operands));
  if (failed(types) || types->size() != 1) {
    std::string shapes;
    llvm::raw_string_ostream os(shapes);
    for (Value operand : operands)
      os << ' ' << operand.getType();
    llvm::report_fatal_error(llvm::Twine("a gradient formula builds '") +
                             callee + "' on" + shapes);
  }
  auto op =
      AtenOp::create(builder, loc, TypeRange(ArrayRef<Type>((*types)[0])),
                     builder.getStringAttr(callee), operands, attrs,
                     DenseI32ArrayAttr(), DenseI32ArrayAttr(), UnitAttr());
  return op->getResult(0);
}

Value AtenBuilder::add(Value a, Value b) {
  return call("aten::add.Tensor", {a, b, 1});
}
Value AtenBuilder::sub(Value a, Value b) {
  return call("aten::sub.Tensor", {a, b, 1});
}
Value AtenBuilder::mul(Value a, Value b) {
  return call("aten::mul.Tensor", {a, b});
}
Value AtenBuilder::mul(Value a, double b) {
  return call("aten::mul.Scalar", {a, b});
}
Value AtenBuilder::div(Value a, Value b) {
  return call("aten::div.Tensor", {a, b});
}
Value AtenBuilder::neg(Value a) { return call("aten::neg", {a}); }

Value AtenBuilder::cast(Value a, Type elementType) {
  if (typeOf(a).getElementType() == elementType)
    return a;
  return call("aten::to.dtype", {a, elementType, false, false, kNone});
}

Value AtenBuilder::view(Value a, ArrayRef<int64_t> shape) {
  if (typeOf(a).getShape() == shape)
    return a;
  return call("aten::view", {a, shape});
}

Value AtenBuilder::reshape(Value a, ArrayRef<int64_t> shape) {
  if (typeOf(a).getShape() == shape)
    return a;
  return call("aten::reshape", {a, shape});
}

Value AtenBuilder::transpose(Value a, int64_t dim0, int64_t dim1) {
  return call("aten::transpose.int", {a, dim0, dim1});
}

Value AtenBuilder::sum(Value a, ArrayRef<int64_t> dims, bool keepDim) {
  return call("aten::sum.dim_IntList", {a, dims, keepDim, kNone});
}

Value AtenBuilder::zeros(RankedTensorType type) {
  return call("aten::full",
              {type.getShape(), 0.0, type.getElementType(), kNone,
               Arg(Attribute(DeviceAttr::get(builder.getContext()))), kNone});
}

Value AtenBuilder::reduceTo(Value a, RankedTensorType type) {
  RankedTensorType from = typeOf(a);
  if (from.getShape() != type.getShape()) {
    int64_t extra = from.getRank() - type.getRank();
    SmallVector<int64_t> dims;
    for (int64_t d = 0; d < extra; ++d)
      dims.push_back(d);
    for (int64_t d = extra; d < from.getRank(); ++d)
      if (type.getDimSize(d - extra) == 1 && from.getDimSize(d) != 1)
        dims.push_back(d);
    if (!dims.empty())
      a = sum(a, dims, /*keepDim=*/true);
    a = reshape(a, type.getShape());
  }
  return cast(a, type.getElementType());
}

VjpContext::VjpContext(OpBuilder &builder, AtenOp op, ValueRange gradOutputs,
                       ArrayRef<bool> needed)
    : AtenBuilder(builder, op.getLoc()), op(op),
      args(op.getArgs(), op.getInputs()),
      gradOutputs(gradOutputs.begin(), gradOutputs.end()),
      needed(needed.begin(), needed.end()), gradInputs(needed.size()) {}

bool VjpContext::needs(unsigned position) const {
  return args.tensor(position) && needed[args.operandIndex(position)];
}

void VjpContext::set(unsigned position, Value gradient) {
  setOperand(args.operandIndex(position), gradient);
}

void VjpContext::setOperand(unsigned operand, Value gradient) {
  auto type = mlir::cast<RankedTensorType>(op.getInputs()[operand].getType());
  gradient = reduceTo(gradient, type);
  Value &slot = gradInputs[operand];
  slot = slot ? add(slot, gradient) : gradient;
}
