//===- InitTracker.cpp - how parameters are initialised -------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "InitTracker.h"

#include <array>
#include <cmath>

using namespace nxdt::capture;
using State = InitTracker::State;

bool State::operator==(const State &other) const {
  if (!init || !other.init)
    return false;
  return init->kind == other.init->kind && init->a == other.init->a &&
         init->b == other.init->b && draw == other.draw;
}

static const c10::StorageImpl *storageOf(const at::Tensor &tensor) {
  return tensor.has_storage() ? tensor.storage().unsafeGetStorageImpl()
                              : nullptr;
}

static bool isRandomKind(const State &state) {
  return state.init && state.init->kind != ParamInit::Kind::Constant;
}

static State constant(double value) {
  return {ParamInit{ParamInit::Kind::Constant, value, 0.0}, {}, 0};
}

static State inexpressible(std::string reason) {
  return {std::nullopt, std::move(reason), 0};
}

State InitTracker::draw(ParamInit::Kind kind, double a, double b) {
  return {ParamInit{kind, a, b}, {}, ++numDraws};
}

State InitTracker::stateOf(const at::Tensor &tensor) const {
  auto it = states.find(storageOf(tensor));
  if (it == states.end())
    return inexpressible("it does not come from the constructor");
  return it->second;
}

/// Argument `i` as a number; nullopt if it is none.
static std::optional<double> number(const RecordedOp &op, size_t i) {
  if (i >= op.args.size())
    return std::nullopt;
  const Arg &arg = op.args[i];
  if (auto *value = std::get_if<double>(&arg))
    return *value;
  if (auto *value = std::get_if<int64_t>(&arg))
    return static_cast<double>(*value);
  if (auto *value = std::get_if<bool>(&arg))
    return *value ? 1.0 : 0.0;
  return std::nullopt;
}

/// x * factor + shift.
static State affine(State x, double factor, double shift) {
  if (!x.init)
    return x;
  ParamInit &init = *x.init;
  init.a = init.a * factor + shift;
  if (init.kind == ParamInit::Kind::Normal)
    init.b *= std::abs(factor);
  if (init.kind == ParamInit::Kind::Uniform) {
    init.b = init.b * factor + shift;
    if (factor < 0)
      std::swap(init.a, init.b);
  }
  return x;
}

static bool isOneOf(std::string_view name,
                    std::initializer_list<std::string_view> names) {
  for (std::string_view candidate : names)
    if (name == candidate)
      return true;
  return false;
}

/// What the results, or the operand written to, hold after `op`.
State InitTracker::apply(const RecordedOp &op,
                         c10::ArrayRef<at::Tensor> operands) {
  std::string name = op.callee.substr(0, op.callee.find('.'));
  if (name.ends_with('_'))
    name.pop_back();
  auto unknown = [&] {
    return inexpressible("its last operator is " + op.callee);
  };
  if (isOneOf(name, {"aten::empty", "aten::empty_like", "aten::empty_strided",
                     "aten::new_empty", "aten::new_empty_strided",
                     "aten::empty_permuted"}))
    return inexpressible("its elements are never set");
  if (isOneOf(name, {"aten::zeros", "aten::zeros_like", "aten::new_zeros",
                     "aten::zero"}))
    return constant(0.0);
  if (isOneOf(name, {"aten::ones", "aten::ones_like", "aten::new_ones"}))
    return constant(1.0);
  if (isOneOf(name, {"aten::full", "aten::full_like", "aten::scalar_tensor",
                     "aten::new_full", "aten::fill"})) {
    size_t i = name == "aten::scalar_tensor" ? 0
               : name == "aten::new_full"    ? 2
                                             : 1;
    if (auto value = number(op, i))
      return constant(*value);
    State source = operands.size() > 1 ? stateOf(operands[1]) : unknown();
    return isRandomKind(source) ? unknown() : source;
  }
  if (isOneOf(name, {"aten::randn", "aten::randn_like"}))
    return draw(ParamInit::Kind::Normal, 0.0, 1.0);
  if (isOneOf(name, {"aten::rand", "aten::rand_like"}))
    return draw(ParamInit::Kind::Uniform, 0.0, 1.0);
  if (op.callee == "aten::normal_" || op.callee == "aten::uniform_") {
    auto a = number(op, 1), b = number(op, 2);
    if (!a || !b)
      return unknown();
    return draw(op.callee == "aten::normal_" ? ParamInit::Kind::Normal
                                             : ParamInit::Kind::Uniform,
                *a, *b);
  }
  if (op.callee == "aten::normal.float_float") {
    auto a = number(op, 0), b = number(op, 1);
    return a && b ? draw(ParamInit::Kind::Normal, *a, *b) : unknown();
  }
  if (operands.empty())
    return unknown();

  State x = stateOf(operands[0]);
  if (name == "aten::copy")
    x = stateOf(operands.back());
  // Elements that are read twice (expand) are not independent any more.
  const at::Tensor &source =
      name == "aten::copy" ? operands.back() : operands[0];
  if (isRandomKind(x) &&
      source.nbytes() > (source.has_storage() ? source.storage().nbytes() : 0))
    return unknown();
  if (isOneOf(name, {"aten::clone", "aten::contiguous", "aten::to",
                     "aten::_to_copy", "aten::copy", "aten::reshape",
                     "aten::flatten", "aten::detach", "aten::view_copy"}))
    return x;
  if (name == "aten::neg")
    return affine(x, -1.0, 0.0);
  std::optional<double> y = number(op, 1);
  if (!y && operands.size() == 2) {
    State other = stateOf(operands[1]);
    if (other.init && !isRandomKind(other))
      y = other.init->a;
  }
  if (!y)
    return unknown();
  double alpha = number(op, 2).value_or(1.0);
  if (name == "aten::mul")
    return affine(x, *y, 0.0);
  if (name == "aten::div" && *y != 0.0)
    return affine(x, 1.0 / *y, 0.0);
  if (name == "aten::add")
    return affine(x, 1.0, *y * alpha);
  if (name == "aten::sub")
    return affine(x, 1.0, -*y * alpha);
  return unknown();
}

void InitTracker::observe(const RecordedOp &op, bool isRandom,
                          c10::ArrayRef<at::Tensor> operands,
                          c10::ArrayRef<at::Tensor> results) {
  isRandomOp.push_back(isRandom);
  if (!op.mutates.empty()) {
    State after = apply(op, operands);
    for (int32_t operand : op.mutates) {
      const at::Tensor &target = operands[operand];
      State &state = states[storageOf(target)];
      // Views of a part: fine if the part says what the whole says.
      bool isWhole =
          target.has_storage() && target.nbytes() >= target.storage().nbytes();
      if (isWhole && op.mutates.size() == 1)
        state = after;
      else if (!(state == after))
        state = inexpressible("its last operator is " + op.callee +
                              " on a part of it");
    }
    return;
  }
  State after;
  bool isApplied = false;
  for (size_t i = 0; i < results.size(); ++i) {
    // A view says nothing new about the memory.
    if (op.views[i] >= 0 || !results[i].defined())
      continue;
    if (!isApplied)
      after = results.size() == 1
                  ? apply(op, operands)
                  : inexpressible("its last operator is " + op.callee);
    isApplied = true;
    states[storageOf(results[i])] = after;
  }
}
