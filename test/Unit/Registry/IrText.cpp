//===- IrText.cpp - programs around a sample call -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "IrText.h"

#include <bit>
#include <cmath>
#include <cstdio>

namespace nxdt::test {

static std::string elementName(plan::DType dtype) {
  if (dtype == plan::DType::Bool)
    return "i1";
  if (dtype == plan::DType::U8)
    return "i8";
  return std::string(plan::name(dtype));
}

std::string toString(const TensorType &type) {
  std::string text = "tensor<";
  for (int64_t size : type.shape)
    text += std::to_string(size) + "x";
  return text + elementName(type.dtype) + ">";
}

bool isFloat(plan::DType dtype) {
  return dtype == plan::DType::F64 || dtype == plan::DType::F32 ||
         dtype == plan::DType::BF16 || dtype == plan::DType::F16;
}

bool isTransposed(const TensorSpec &spec) {
  return spec.strided && spec.shape.size() >= 2;
}

TensorType baseType(const TensorSpec &spec, const TensorType &type) {
  TensorType base = type;
  if (isTransposed(spec))
    std::swap(base.shape[base.shape.size() - 1],
              base.shape[base.shape.size() - 2]);
  else if (spec.strided)
    base.shape.push_back(2);
  return base;
}

static std::string argumentText(const plan::Arg &arg) {
  auto operand = [](plan::ValueRef ref) {
    return ref.index < 0 ? std::string("none")
                         : "%a" + std::to_string(ref.index);
  };
  auto number = [](double value) {
    char text[64];
    if (std::isfinite(value))
      std::snprintf(text, sizeof text, "%.17e", value);
    else
      std::snprintf(
          text, sizeof text, "0x%016llX : f64",
          static_cast<unsigned long long>(std::bit_cast<uint64_t>(value)));
    return std::string(text);
  };
  auto list = [](const char *element, const auto &items, auto print) {
    std::string text = std::string("array<") + element;
    for (size_t i = 0; i < items.size(); ++i)
      text += (i ? ", " : ": ") + print(items[i]);
    return text + ">";
  };
  if (std::holds_alternative<plan::None>(arg))
    return "none";
  if (std::holds_alternative<plan::DeviceArg>(arg))
    return "device";
  if (auto *value = std::get_if<bool>(&arg))
    return *value ? "true" : "false";
  if (auto *value = std::get_if<int64_t>(&arg))
    return std::to_string(*value);
  if (auto *value = std::get_if<double>(&arg))
    return number(*value);
  if (auto *value = std::get_if<std::string>(&arg))
    return "\"" + *value + "\"";
  if (auto *value = std::get_if<plan::DType>(&arg))
    return elementName(*value);
  if (auto *value = std::get_if<std::vector<int64_t>>(&arg))
    return list("i64", *value, [](int64_t i) { return std::to_string(i); });
  if (auto *value = std::get_if<std::vector<double>>(&arg))
    return list("f64", *value, number);
  if (auto *value = std::get_if<std::vector<bool>>(&arg))
    return list("i1", *value,
                [](bool b) { return std::string(b ? "true" : "false"); });
  if (auto *value = std::get_if<plan::ValueRef>(&arg))
    return operand(*value);
  std::string text = "[";
  for (plan::ValueRef ref : std::get<std::vector<plan::ValueRef>>(arg))
    text += (text.size() > 1 ? ", " : "") + operand(ref);
  return text + "]";
}

static std::string typeList(const std::vector<TensorType> &types) {
  std::string text;
  for (const TensorType &type : types)
    text += (text.empty() ? "" : ", ") + toString(type);
  return text;
}

std::string callText(const Sample &sample, const std::vector<TensorType> &types,
                     const std::vector<TensorType> &results) {
  std::string names, args;
  for (size_t i = 0; i < results.size(); ++i)
    names += (i ? ", %r" : "%r") + std::to_string(i);
  for (const plan::Arg &arg : sample.args)
    args += (args.empty() ? "" : ", ") + argumentText(arg);
  return "    " + names + " = nxdt.aten \"" + sample.callee + "\"(" + args +
         ") : (" + typeList(types) + ") -> (" + typeList(results) + ")\n";
}

std::string lossModule(const Sample &sample,
                       const std::vector<TensorType> &types,
                       const std::vector<TensorType> &results, size_t first) {
  std::vector<Input> inputs;
  std::string body;
  for (size_t i = 0; i < types.size(); ++i) {
    const TensorSpec &spec = sample.tensors[i];
    TensorType base = baseType(spec, types[i]);
    inputs.push_back({base, spec.wanted && isFloat(types[i].dtype)});
    std::string name = "%a" + std::to_string(i);
    std::string from = "%t" + std::to_string(i);
    // An alias stands for a tensor that is used as it is.
    std::string view =
        isTransposed(spec) ? "\"aten::transpose.int\"(" + from + ", -2, -1)"
        : spec.strided     ? "\"aten::select.int\"(" + from + ", -1, 1)"
                           : "\"aten::alias\"(" + from + ")";
    body += "    " + name + " = nxdt.aten " + view + " : (" + toString(base) +
            ") -> " + toString(types[i]) + "\n";
  }
  return lossModule(inputs, body + callText(sample, types, results), results,
                    first);
}

std::string lossModule(const std::vector<Input> &inputs,
                       const std::string &body,
                       const std::vector<TensorType> &results, size_t first) {
  std::string buffers, arguments, loss;
  auto declare = [&](const std::string &name, const TensorType &type,
                     bool isParam) {
    buffers += "nxdt.buffer @" + name + " {role = \"" +
               (isParam ? "param" : "buffer") + "\"} : " + toString(type) +
               "\n";
    arguments += (arguments.empty() ? "%" : ", %") + name + ": " +
                 toString(type) + " {nxdt.buffer = @" + name + "}";
  };
  for (size_t i = 0; i < inputs.size(); ++i)
    declare("t" + std::to_string(i), inputs[i].type, inputs[i].isParam);
  std::string total;
  for (size_t i = first; i < results.size(); ++i) {
    if (!isFloat(results[i].dtype))
      continue;
    std::string n = std::to_string(i), wide = "%r" + n;
    TensorType type = results[i];
    if (type.dtype != plan::DType::F64) {
      loss += "    %w" + n + " = nxdt.aten \"aten::to.dtype\"(%r" + n +
              ", f64, false, false, none) : (" + toString(type) + ") -> ";
      type.dtype = plan::DType::F64;
      loss += toString(type) + "\n";
      wide = "%w" + n;
    }
    declare("c" + n, type, false);
    loss += "    %m" + n + " = nxdt.aten \"aten::mul.Tensor\"(" + wide +
            ", %c" + n + ") : (" + toString(type) + ", " + toString(type) +
            ") -> " + toString(type) + "\n    %s" + n +
            " = nxdt.aten \"aten::sum\"(%m" + n + ", none) : (" +
            toString(type) + ") -> tensor<f64>\n";
    std::string next = "%s" + n;
    if (!total.empty()) {
      loss += "    %l" + n + " = nxdt.aten \"aten::add.Tensor\"(" + total +
              ", " + next +
              ", 1) : (tensor<f64>, tensor<f64>) -> tensor<f64>\n";
      next = "%l" + n;
    }
    total = next;
  }
  return buffers + "func.func @forward(" + arguments + ") -> tensor<f64> {\n" +
         body + loss + "    return " + total + " : tensor<f64>\n}\n";
}

} // namespace nxdt::test
