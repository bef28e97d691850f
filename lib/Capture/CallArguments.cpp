//===- CallArguments.cpp - a call as plain data ---------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "CallArguments.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/enum_tag.h>
#include <ATen/core/jit_type.h>

using namespace nxdt::capture;

std::string nxdt::capture::calleeName(const c10::FunctionSchema &schema) {
  if (schema.overload_name().empty())
    return schema.name();
  return schema.name() + "." + schema.overload_name();
}

std::optional<ElementType> nxdt::capture::elementType(at::ScalarType type) {
  switch (type) {
  case at::kDouble:
    return ElementType::F64;
  case at::kFloat:
    return ElementType::F32;
  case at::kBFloat16:
    return ElementType::BF16;
  case at::kHalf:
    return ElementType::F16;
  case at::kLong:
    return ElementType::I64;
  case at::kInt:
    return ElementType::I32;
  case at::kByte:
    return ElementType::I8;
  case at::kBool:
    return ElementType::Bool;
  default:
    return std::nullopt;
  }
}

bool nxdt::capture::isSupported(const at::Tensor &tensor, std::string &what) {
  if (tensor.is_quantized()) {
    what = "a quantized tensor";
    return false;
  }
  if (tensor.layout() != at::kStrided || tensor.is_nested()) {
    what = "a tensor with a layout other than strided";
    return false;
  }
  if (!elementType(tensor.scalar_type())) {
    what = std::string("a tensor of ") + c10::toString(tensor.scalar_type());
    return false;
  }
  return true;
}

ValueType nxdt::capture::typeOf(const at::Tensor &tensor) {
  ValueType type;
  type.element = elementType(tensor.scalar_type()).value_or(ElementType::F32);
  if (tensor.layout() == at::kStrided && !tensor.is_nested())
    type.shape = tensor.sizes().vec();
  return type;
}

//===----------------------------------------------------------------------===//
// Tensors of an IValue
//===----------------------------------------------------------------------===//

void nxdt::capture::mapTensors(
    c10::IValue &value,
    const std::function<at::Tensor(const at::Tensor &)> &map) {
  if (value.isTensor()) {
    if (value.toTensor().defined())
      value = map(value.toTensor());
    return;
  }
  if (value.isTensorList()) {
    c10::List<at::Tensor> list;
    for (const at::Tensor &tensor : value.toTensorVector())
      list.push_back(tensor.defined() ? map(tensor) : tensor);
    value = std::move(list);
    return;
  }
  if (value.isOptionalTensorList()) {
    c10::List<std::optional<at::Tensor>> list;
    for (const std::optional<at::Tensor> &tensor :
         value.toOptionalTensorVector())
      list.push_back(tensor && tensor->defined()
                         ? std::optional<at::Tensor>(map(*tensor))
                         : tensor);
    value = std::move(list);
  }
}

void nxdt::capture::forEachTensor(
    const c10::IValue &value,
    const std::function<void(const at::Tensor &)> &visit) {
  if (value.isTensor())
    visit(value.toTensor());
  else if (value.isTensorList())
    for (const at::Tensor &tensor : value.toTensorVector())
      visit(tensor);
  else if (value.isOptionalTensorList())
    for (const std::optional<at::Tensor> &tensor :
         value.toOptionalTensorVector())
      visit(tensor.value_or(at::Tensor()));
}

//===----------------------------------------------------------------------===//
// Arguments
//===----------------------------------------------------------------------===//

/// The type as the schema spells it (ScalarType, not int), options removed.
static c10::TypePtr schemaType(const c10::Argument &argument) {
  c10::TypePtr type = argument.real_type();
  if (auto optional = type->cast<c10::OptionalType>())
    return optional->getElementType();
  return type;
}

static bool hasTensor(c10::ArrayRef<c10::IValue> arguments) {
  bool found = false;
  for (const c10::IValue &value : arguments)
    forEachTensor(value, [&](const at::Tensor &) { found = true; });
  return found;
}

void nxdt::capture::setDevice(const c10::FunctionSchema &schema,
                              c10::ArrayRef<c10::IValue> arguments,
                              c10::Device device) {
  bool isFactory = !hasTensor(arguments);
  for (size_t i = 0; i < arguments.size(); ++i) {
    const c10::Argument &argument = schema.arguments()[i];
    auto &value = const_cast<c10::IValue &>(arguments[i]);
    if (schemaType(argument)->kind() == c10::TypeKind::DeviceObjType &&
        (!value.isNone() || isFactory))
      value = device;
    // Pinned memory is a property of a device as well.
    if (argument.name() == "pin_memory" && value.isBool())
      value = c10::IValue();
  }
}

/// Numbers, flags, texts and their lists; nullopt for anything else.
static std::optional<Arg> readPlain(const c10::TypePtr &type,
                                    const c10::IValue &value) {
  switch (type->kind()) {
  case c10::TypeKind::ScalarTypeType: {
    auto element = elementType(static_cast<at::ScalarType>(value.toInt()));
    return element ? std::optional<Arg>(*element) : std::nullopt;
  }
  case c10::TypeKind::DeviceObjType:
    return DeviceArg();
  case c10::TypeKind::FloatType:
    return value.isDouble() ? value.toDouble()
                            : static_cast<double>(value.toInt());
  default:
    break;
  }
  if (value.isBool())
    return value.toBool();
  if (value.isInt())
    return value.toInt();
  if (value.isDouble())
    return value.toDouble();
  if (value.isString())
    return value.toStringRef();
  if (value.isIntList())
    return value.toIntVector();
  if (value.isDoubleList())
    return value.toDoubleVector();
  if (value.isBoolList()) {
    c10::List<bool> list = value.toBoolList();
    return std::vector<bool>(list.begin(), list.end());
  }
  return std::nullopt;
}

CallArguments
nxdt::capture::readArguments(const c10::FunctionSchema &schema,
                             c10::ArrayRef<c10::IValue> arguments) {
  CallArguments call;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const c10::Argument &argument = schema.arguments()[i];
    const c10::IValue &value = arguments[i];
    auto first = static_cast<int32_t>(call.operands.size());
    if (value.isNone() || (value.isTensor() && !value.toTensor().defined())) {
      call.args.emplace_back(NoneArg());
    } else if (value.isTensor()) {
      call.operands.push_back(value.toTensor());
      call.args.emplace_back(OperandArg());
    } else if (value.isTensorList() || value.isOptionalTensorList()) {
      OperandListArg list;
      forEachTensor(value, [&](const at::Tensor &tensor) {
        list.present.push_back(tensor.defined());
        if (tensor.defined())
          call.operands.push_back(tensor);
      });
      call.args.emplace_back(std::move(list));
    } else if (auto plain = readPlain(schemaType(argument), value)) {
      call.args.push_back(std::move(*plain));
    } else {
      call.args.emplace_back(NoneArg());
      bool isType =
          schemaType(argument)->kind() == c10::TypeKind::ScalarTypeType;
      call.unsupported.push_back(
          "argument '" + argument.name() + "' is " +
          (isType ? c10::toString(static_cast<at::ScalarType>(value.toInt()))
                  : "a " + value.tagKind()));
    }
    const c10::AliasInfo *alias = argument.alias_info();
    if (alias && alias->isWrite())
      for (auto k = first; k < static_cast<int32_t>(call.operands.size()); ++k)
        call.mutates.push_back(k);
  }
  return call;
}

bool nxdt::capture::isRandomCall(const c10::OperatorHandle &op,
                                 c10::ArrayRef<c10::IValue> arguments) {
  if (!op.hasTag(at::Tag::nondeterministic_seeded))
    return false;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string &name = op.schema().arguments()[i].name();
    const c10::IValue &value = arguments[i];
    if ((name == "p" || name == "dropout_p" || name == "dropout") &&
        value.isDouble() && value.toDouble() == 0.0)
      return false;
    if ((name == "train" || name == "training") && value.isBool() &&
        !value.toBool())
      return false;
  }
  return true;
}
