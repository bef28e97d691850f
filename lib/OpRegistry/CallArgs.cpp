//===- CallArgs.cpp - a call's arguments by schema position ---------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "nxdt/Registry/OpRegistry.h"

using namespace mlir;
using namespace nxdt;

CallArgs::CallArgs(ArrayAttr args, ValueRange operands)
    : args(args), operands(operands) {
  int64_t next = 0;
  for (Attribute arg : args) {
    first.push_back(next);
    if (isa<OperandAttr>(arg))
      ++next;
    else if (auto list = dyn_cast<ArrayAttr>(arg))
      next += llvm::count_if(
          list, [](Attribute element) { return isa<OperandAttr>(element); });
  }
}

bool CallArgs::has(unsigned position) const {
  return position < args.size() && !isa<NoneAttr>(args[position]);
}

Value CallArgs::tensor(unsigned position) const {
  if (position >= args.size() || !isa<OperandAttr>(args[position]))
    return nullptr;
  return operands[first[position]];
}

RankedTensorType CallArgs::type(unsigned position) const {
  Value value = tensor(position);
  return value ? cast<RankedTensorType>(value.getType()) : RankedTensorType();
}

SmallVector<Value> CallArgs::tensors(unsigned position) const {
  SmallVector<Value> result;
  auto list = position < args.size() ? dyn_cast<ArrayAttr>(args[position])
                                     : ArrayAttr();
  if (!list)
    return result;
  int64_t next = first[position];
  for (Attribute element : list)
    result.push_back(isa<OperandAttr>(element) ? operands[next++] : Value());
  return result;
}

std::optional<int64_t> CallArgs::integer(unsigned position) const {
  if (position >= args.size())
    return std::nullopt;
  if (auto attr = dyn_cast<IntegerAttr>(args[position]))
    return attr.getType().isInteger(1) ? attr.getValue().getZExtValue()
                                       : attr.getInt();
  return std::nullopt;
}

std::optional<double> CallArgs::number(unsigned position) const {
  if (position >= args.size())
    return std::nullopt;
  if (auto attr = dyn_cast<FloatAttr>(args[position]))
    return attr.getValueAsDouble();
  if (std::optional<int64_t> value = integer(position))
    return static_cast<double>(*value);
  return std::nullopt;
}

std::optional<bool> CallArgs::boolean(unsigned position) const {
  if (position >= args.size())
    return std::nullopt;
  if (auto attr = dyn_cast<BoolAttr>(args[position]))
    return attr.getValue();
  return std::nullopt;
}

std::optional<StringRef> CallArgs::string(unsigned position) const {
  if (position >= args.size())
    return std::nullopt;
  if (auto attr = dyn_cast<StringAttr>(args[position]))
    return attr.getValue();
  return std::nullopt;
}

std::optional<ArrayRef<int64_t>> CallArgs::integers(unsigned position) const {
  if (position >= args.size())
    return std::nullopt;
  if (auto attr = dyn_cast<DenseI64ArrayAttr>(args[position]))
    return attr.asArrayRef();
  return std::nullopt;
}

Type CallArgs::dtype(unsigned position) const {
  if (position >= args.size())
    return nullptr;
  if (auto attr = dyn_cast<TypeAttr>(args[position]))
    return attr.getValue();
  return nullptr;
}
