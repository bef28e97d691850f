//===- Oracle.cpp - libtorch's own answers -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Oracle.h"

#include "nxdt/Plan/TorchTypes.h"
#include "runtime/Executor/Executor.h"

#include "ATen/core/List.h"
#include "ATen/core/dispatch/Dispatcher.h"
#include "ATen/core/grad_mode.h"
#include "ATen/core/jit_type.h"
#include "ATen/ops/abs.h"
#include "ATen/ops/empty.h"
#include "ATen/ops/max.h"
#include "ATen/ops/nan_to_num.h"
#include "ATen/ops/stack.h"
#include "ATen/ops/sub.h"
#include "ATen/ops/zeros_like.h"
#include "torch/csrc/autograd/autograd.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <random>
#include <stdexcept>

namespace nxdt::test {

TensorType typeOf(const at::Tensor &tensor) {
  return {plan::planType(tensor.scalar_type()), tensor.sizes().vec()};
}

static c10::OperatorHandle find(const std::string &callee) {
  size_t dot = callee.find('.');
  auto handle = c10::Dispatcher::singleton().findSchema(
      {callee.substr(0, dot),
       dot == std::string::npos ? "" : callee.substr(dot + 1)});
  if (!handle)
    throw std::invalid_argument("libtorch has no operator '" + callee + "'");
  return *handle;
}

static c10::TypePtr withoutOption(c10::TypePtr type) {
  if (auto optional = type->cast<c10::OptionalType>())
    return optional->getElementType();
  return type;
}

static plan::Arg defaultOf(const c10::Argument &argument) {
  c10::IValue value = argument.default_value().value();
  bool isDtype = withoutOption(argument.real_type())->kind() ==
                 c10::TypeKind::ScalarTypeType;
  if (value.isNone())
    return plan::None{};
  if (value.isBool())
    return value.toBool();
  if (value.isInt() && isDtype)
    return plan::planType(static_cast<at::ScalarType>(value.toInt()));
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
  throw std::invalid_argument("no plan argument for the default of '" +
                              argument.name() + "'");
}

void fillBySchema(Sample &sample) {
  const c10::FunctionSchema &schema = find(sample.callee).schema();
  const std::vector<c10::Argument> &arguments = schema.arguments();
  if (sample.args.size() > arguments.size())
    throw std::invalid_argument(sample.callee + "(" + sample.text +
                                "): the schema is " + c10::toString(schema));
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (i >= sample.args.size()) {
      if (!arguments[i].default_value())
        throw std::invalid_argument(sample.callee + "(" + sample.text +
                                    "): no '" + arguments[i].name() + "' for " +
                                    c10::toString(schema));
      sample.args.push_back(defaultOf(arguments[i]));
      continue;
    }
    c10::TypePtr type = withoutOption(arguments[i].type());
    auto *integer = std::get_if<int64_t>(&sample.args[i]);
    if (integer && type->kind() == c10::TypeKind::FloatType)
      sample.args[i] = static_cast<double>(*integer);
    else if (integer && type->kind() == c10::TypeKind::ListType)
      sample.args[i] = std::vector<int64_t>{*integer};
  }
}

std::vector<at::Tensor> makeBases(const Sample &sample,
                                  const std::vector<plan::DType> &dtypes,
                                  uint64_t seed) {
  std::mt19937_64 generator(seed);
  std::vector<at::Tensor> bases;
  for (size_t t = 0; t < sample.tensors.size(); ++t) {
    const TensorSpec &spec = sample.tensors[t];
    TensorType type = baseType(spec, {dtypes[t], spec.shape});
    at::Tensor values = at::empty(type.shape, at::kDouble);
    double *data = values.data_ptr<double>();
    std::vector<double> distinct(std::max<int64_t>(spec.bound, 1));
    std::iota(distinct.begin(), distinct.end(), 0.0);
    std::shuffle(distinct.begin(), distinct.end(), generator);
    auto uniform = [&](double low, double high) {
      return std::uniform_real_distribution<double>(low, high)(generator);
    };
    for (int64_t i = 0; i < values.numel(); ++i)
      switch (spec.kind) {
      case 'f':
        data[i] = std::normal_distribution<double>()(generator);
        break;
      case 'p':
        data[i] = uniform(0.5, 2);
        break;
      case 'u':
        data[i] = uniform(-0.9, 0.9);
        break;
      case 'g':
        data[i] = std::floor(uniform(-1, 2));
        break;
      case 'b':
        data[i] = std::floor(uniform(0, 2));
        break;
      case 's':
        data[i] = distinct.at(i);
        break;
      default:
        data[i] = std::floor(uniform(0, spec.bound));
      }
    bases.push_back(values.to(plan::torchType(dtypes[t])));
  }
  return bases;
}

std::vector<at::Tensor> viewBases(const Sample &sample,
                                  const std::vector<at::Tensor> &bases) {
  std::vector<at::Tensor> tensors;
  for (size_t t = 0; t < bases.size(); ++t) {
    const TensorSpec &spec = sample.tensors[t];
    tensors.push_back(isTransposed(spec) ? bases[t].transpose(-2, -1)
                      : spec.strided     ? bases[t].select(-1, 1)
                                         : bases[t]);
  }
  return tensors;
}

static c10::IValue toIValue(const plan::Arg &arg, const c10::TypePtr &type,
                            const std::vector<at::Tensor> &tensors) {
  if (std::holds_alternative<plan::None>(arg))
    return {};
  if (std::holds_alternative<plan::DeviceArg>(arg))
    return c10::Device(c10::kCPU);
  if (auto *value = std::get_if<bool>(&arg))
    return *value;
  if (auto *value = std::get_if<int64_t>(&arg))
    return *value;
  if (auto *value = std::get_if<double>(&arg))
    return *value;
  if (auto *value = std::get_if<std::string>(&arg))
    return *value;
  if (auto *value = std::get_if<plan::DType>(&arg))
    return static_cast<int64_t>(plan::torchType(*value));
  if (auto *value = std::get_if<std::vector<int64_t>>(&arg))
    return *value;
  if (auto *value = std::get_if<std::vector<double>>(&arg))
    return *value;
  if (auto *value = std::get_if<plan::ValueRef>(&arg))
    return tensors[value->index];
  if (auto *refs = std::get_if<std::vector<plan::ValueRef>>(&arg)) {
    bool isOptional =
        type->castRaw<c10::ListType>()->getElementType()->kind() ==
        c10::TypeKind::OptionalType;
    c10::List<at::Tensor> list;
    c10::List<std::optional<at::Tensor>> optional;
    for (plan::ValueRef ref : *refs) {
      if (!isOptional)
        list.push_back(tensors[ref.index]);
      else if (ref.index < 0)
        optional.push_back(std::nullopt);
      else
        optional.push_back(tensors[ref.index]);
    }
    return isOptional ? c10::IValue(optional) : c10::IValue(list);
  }
  throw std::invalid_argument("an argument that no sample has");
}

std::vector<at::Tensor> callOperator(const Sample &sample,
                                     const std::vector<at::Tensor> &tensors) {
  c10::OperatorHandle op = find(sample.callee);
  std::vector<c10::IValue> stack;
  for (size_t i = 0; i < sample.args.size(); ++i)
    stack.push_back(toIValue(sample.args[i],
                             withoutOption(op.schema().arguments()[i].type()),
                             tensors));
  op.callBoxed(stack);
  std::vector<at::Tensor> results;
  for (const c10::IValue &value : stack) {
    if (value.isTensor())
      results.push_back(value.toTensor());
    else
      for (const at::Tensor &item : value.toTensorVector())
        results.push_back(item);
  }
  return results;
}

std::vector<at::Tensor> makeCotangents(const std::vector<at::Tensor> &results,
                                       uint64_t seed) {
  std::mt19937_64 generator(seed);
  std::normal_distribution<double> normal;
  std::vector<at::Tensor> cotangents;
  for (const at::Tensor &result : results) {
    if (!result.is_floating_point()) {
      cotangents.emplace_back();
      continue;
    }
    at::Tensor values = at::empty(result.sizes(), at::kDouble);
    for (int64_t i = 0; i < values.numel(); ++i)
      values.data_ptr<double>()[i] = normal(generator);
    cotangents.push_back(values);
  }
  return cotangents;
}

at::Tensor lossOf(const std::vector<at::Tensor> &results,
                  const std::vector<at::Tensor> &cotangents) {
  at::Tensor loss;
  for (size_t i = 0; i < results.size(); ++i) {
    if (!cotangents[i].defined())
      continue;
    at::Tensor term = results[i].to(at::kDouble).mul(cotangents[i]).sum();
    loss = loss.defined() ? loss.add(term) : term;
  }
  return loss;
}

std::vector<at::Tensor> autogradOf(const Function &function,
                                   const std::vector<at::Tensor> &inputs,
                                   const std::vector<bool> &wanted,
                                   const std::vector<at::Tensor> &cotangents) {
  at::AutoGradMode mode(true);
  std::vector<at::Tensor> leaves, asked;
  for (size_t i = 0; i < inputs.size(); ++i) {
    leaves.push_back(inputs[i].detach());
    if (wanted[i]) {
      leaves.back().requires_grad_(true);
      asked.push_back(leaves.back());
    }
  }
  at::Tensor loss = lossOf(function(leaves), cotangents);
  std::vector<at::Tensor> found(asked.size());
  if (loss.defined() && loss.requires_grad())
    found = torch::autograd::grad({loss}, asked, {}, false, false,
                                  /*allow_unused=*/true);
  std::vector<at::Tensor> gradients(inputs.size());
  size_t next = 0;
  for (size_t i = 0; i < inputs.size(); ++i)
    if (wanted[i]) {
      at::Tensor gradient = found[next++];
      gradients[i] = gradient.defined() ? gradient : at::zeros_like(inputs[i]);
    }
  return gradients;
}

std::vector<at::Tensor>
differencesOf(const Function &function, const std::vector<at::Tensor> &inputs,
              const std::vector<bool> &wanted,
              const std::vector<at::Tensor> &cotangents) {
  at::AutoGradMode mode(false);
  constexpr double step = 1e-5;
  std::vector<at::Tensor> gradients(inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!wanted[i])
      continue;
    gradients[i] = at::zeros_like(inputs[i]);
    for (int64_t k = 0; k < inputs[i].numel(); ++k) {
      auto at = [&](double offset) {
        std::vector<at::Tensor> moved = inputs;
        moved[i] = inputs[i].clone();
        moved[i].data_ptr<double>()[k] += offset;
        return lossOf(function(moved), cotangents).item<double>();
      };
      gradients[i].data_ptr<double>()[k] = (at(step) - at(-step)) / (2 * step);
    }
  }
  return gradients;
}

double difference(const at::Tensor &a, const at::Tensor &b) {
  if (a.sizes() != b.sizes())
    return std::numeric_limits<double>::infinity();
  if (a.numel() == 0)
    return 0;
  // NaN against NaN is agreement; against a number, a huge difference.
  auto plain = [](const at::Tensor &x) {
    return at::nan_to_num(x.to(at::kDouble), 1e100, 1e200, -1e200);
  };
  at::Tensor x = plain(a), y = plain(b);
  double scale = std::max(1.0, y.abs().max().item<double>());
  return x.sub(y).abs().max().item<double>() / scale;
}

struct PlanRun::Impl {
  explicit Impl(plan::Plan plan) : executor(std::move(plan)) {}
  runtime::Executor executor;
};

PlanRun::PlanRun(plan::Plan plan,
                 const std::vector<std::pair<std::string, at::Tensor>> &buffers)
    : impl(std::make_unique<Impl>(std::move(plan))) {
  for (const auto &[name, value] : buffers)
    set(name, value);
}
PlanRun::~PlanRun() = default;

void PlanRun::run(const std::string &program) { impl->executor.run(program); }

at::Tensor PlanRun::buffer(const std::string &name) const {
  return impl->executor.buffer(name);
}

void PlanRun::set(const std::string &name, const at::Tensor &value) {
  impl->executor.buffer(name).copy_(value);
}

} // namespace nxdt::test
