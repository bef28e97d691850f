//===- CallArguments.h - a call as plain data -------------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_CAPTURE_CALLARGUMENTS_H
#define NXDT_CAPTURE_CALLARGUMENTS_H

#include "Record.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/function_schema.h>
#include <ATen/core/stack.h>

#include <functional>

namespace nxdt::capture {

/// "aten::add.Tensor".
std::string calleeName(const c10::FunctionSchema &schema);

/// The element type, or nullopt if nxdt has none for it.
std::optional<ElementType> elementType(at::ScalarType type);

/// Whether nxdt can describe the tensor; else says what it is ("a sparse
/// tensor", "a tensor of ComplexFloat").
bool isSupported(const at::Tensor &tensor, std::string &what);

/// Shape and type; unsupported element types become f32 (the caller reports).
ValueType typeOf(const at::Tensor &tensor);

/// Replaces every defined tensor in `value`, lists included.
void mapTensors(c10::IValue &value,
                const std::function<at::Tensor(const at::Tensor &)> &map);

/// Calls `visit` for each tensor of `value`, undefined ones too.
void forEachTensor(const c10::IValue &value,
                   const std::function<void(const at::Tensor &)> &visit);

/// Points every Device argument to `device`, absent ones of factories too
/// (operators without tensor arguments).
void setDevice(const c10::FunctionSchema &schema,
               c10::ArrayRef<c10::IValue> arguments, c10::Device device);

/// Arguments in the form of the record.
struct CallArguments {
  std::vector<Arg> args;
  std::vector<at::Tensor> operands;
  std::vector<int32_t> mutates;
  /// Arguments that have no such form ("argument 'generator': a Generator").
  std::vector<std::string> unsupported;
};
CallArguments readArguments(const c10::FunctionSchema &schema,
                            c10::ArrayRef<c10::IValue> arguments);

/// Whether this call draws random numbers: the operator is tagged so, and no
/// argument switches that off (p = 0, train = false).
bool isRandomCall(const c10::OperatorHandle &op,
                  c10::ArrayRef<c10::IValue> arguments);

} // namespace nxdt::capture

#endif // NXDT_CAPTURE_CALLARGUMENTS_H
