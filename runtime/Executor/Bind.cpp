//===- Bind.cpp - instructions resolved to operators -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "runtime/Executor/Bind.h"
#include "nxdt/Support/UserError.h"
#include "runtime/Checkpoint/TorchTensor.h"

#include "ATen/core/List.h"
#include "ATen/core/enum_tag.h"
#include "ATen/core/jit_type.h"

#include <algorithm>

namespace nxdt::runtime {
namespace {

using c10::TypeKind;
using plan::Arg;
using plan::Instruction;
using plan::ValueRef;

class Binder {
public:
  Binder(const BindContext &context, size_t index)
      : context(context), instruction(context.program.instructions[index]),
        place(placeOf(context.what, context.program, index)), op(find()),
        schema(op.schema()), out(op) {}

  BoundInstruction run() {
    out.isVjp = instruction.kind == plan::OpKind::AtenVjp;
    if (instruction.args.size() != schema.arguments().size())
      fail("has " + std::to_string(instruction.args.size()) +
           " arguments, the schema has " +
           std::to_string(schema.arguments().size()));
    out.stack.resize(instruction.args.size());
    for (size_t i = 0; i < instruction.args.size(); ++i)
      bindArgument(i);
    if (out.isVjp)
      checkVjp();
    else
      checkResults();
    bindFrees();
    for (int32_t index : out.outs)
      if (index >= 0 && isPersistent(index))
        out.written.push_back(value(index).buffer);
    return std::move(out);
  }

private:
  [[noreturn]] void fail(const std::string &message) const {
    throw UserError(place + ": " + message);
  }
  [[noreturn]] void failSchema(const std::string &message) const {
    fail(message + "; the schema is " + c10::toString(schema));
  }

  c10::OperatorHandle find() const {
    const std::string &name = instruction.op;
    size_t dot = name.find('.');
    c10::OperatorName key(name.substr(0, dot),
                          dot == std::string::npos ? "" : name.substr(dot + 1));
    auto handle = c10::Dispatcher::singleton().findSchema(key);
    if (handle)
      return *handle;
    fail("no operator of this name is registered, neither by libtorch nor by "
         "the plan's " +
         std::to_string(context.plan.libraries.size()) + " libraries");
  }

  const plan::Value &value(int32_t index) const {
    return context.program.values[index];
  }

  bool isPersistent(int32_t index) const {
    return context.isPersistent(value(index).buffer);
  }

  void bindArgument(size_t i) {
    const c10::Argument &argument = schema.arguments()[i];
    const Arg &arg = instruction.args[i];
    bool isWritten = argument.alias_info() && argument.alias_info()->isWrite();
    if (const auto *ref = std::get_if<ValueRef>(&arg))
      checkMutation(argument, isWritten, ref->index);
    else if (const auto *refs = std::get_if<std::vector<ValueRef>>(&arg))
      for (ValueRef item : *refs)
        checkMutation(argument, isWritten, item.index);
    c10::TypePtr type = argument.type();
    c10::TypePtr real = argument.real_type();
    if (auto optional = type->cast<c10::OptionalType>()) {
      if (std::holds_alternative<plan::None>(arg))
        return; // IValue() is None
      type = optional->getElementType();
      if (auto realOptional = real->cast<c10::OptionalType>())
        real = realOptional->getElementType();
    }
    if (!fill(i, arg, *type, *real))
      failSchema("argument " + std::to_string(i) + ", '" + argument.name() +
                 "': expected " + argument.real_type()->str() + ", found " +
                 kindOf(arg));
  }

  void checkMutation(const c10::Argument &argument, bool isWritten,
                     int32_t index) {
    if (!isWritten || index < 0)
      return;
    if (out.isVjp)
      fail("an aten_vjp of an operator that mutates its arguments");
    if (value(index).buffer >= 0 && !isPersistent(index))
      fail("mutates its argument '" + argument.name() + "', the carry '" +
           context.plan.buffers[value(index).buffer].name + "'");
    if (isOwnCopy(index))
      return;
    if (value(index).buffer < 0)
      fail("mutates its argument '" + argument.name() + "', but the value " +
           std::to_string(index) + " is not bound to a buffer");
    out.written.push_back(value(index).buffer);
  }

  /// A copy that the program makes shares its memory with no other value.
  bool isOwnCopy(int32_t index) const {
    for (const Instruction &other : context.program.instructions)
      if (other.outs.size() == 1 && other.outs[0] == index)
        return other.kind == plan::OpKind::Aten && other.op == "aten::clone" &&
               value(index).buffer < 0;
    return false;
  }

  static std::string kindOf(const Arg &arg) {
    static constexpr const char *names[] = {
        "null",         "a bool",      "an integer", "a float",
        "a string",     "a dtype",     "a device",   "an integer list",
        "a float list", "a bool list", "a tensor",   "a tensor list"};
    static_assert(std::size(names) == std::variant_size_v<Arg>);
    return names[arg.index()];
  }

  /// Fills stack[i]; false if `arg` is not what the schema wants.
  bool fill(size_t i, const Arg &arg, const c10::Type &type,
            const c10::Type &real) {
    c10::IValue &slot = out.stack[i];
    switch (type.kind()) {
    case TypeKind::TensorType:
      return fillTensor(i, arg);
    case TypeKind::NumberType:
      return assign<bool>(arg, slot) || assign<int64_t>(arg, slot) ||
             assign<double>(arg, slot);
    case TypeKind::IntType:
    case TypeKind::SymIntType:
    case TypeKind::ScalarTypeType:
    case TypeKind::LayoutType:
    case TypeKind::MemoryFormatType:
      return fillInteger(arg, slot, real.kind());
    case TypeKind::FloatType:
      return assign<double>(arg, slot);
    case TypeKind::BoolType:
      return assign<bool>(arg, slot);
    case TypeKind::StringType:
      return assign<std::string>(arg, slot);
    case TypeKind::DeviceObjType:
      if (!std::holds_alternative<plan::DeviceArg>(arg))
        return false;
      slot = context.device;
      return true;
    case TypeKind::ListType:
      return fillList(i, arg, *type.castRaw<c10::ListType>());
    default:
      return false;
    }
  }

  template <typename T> static bool assign(const Arg &arg, c10::IValue &slot) {
    const T *held = std::get_if<T>(&arg);
    if (held)
      slot = *held;
    return held;
  }

  bool fillInteger(const Arg &arg, c10::IValue &slot, TypeKind real) {
    if (const auto *dtype = std::get_if<plan::DType>(&arg)) {
      slot = int64_t(torchType(*dtype));
      return real == TypeKind::ScalarTypeType;
    }
    // A bare number where a dtype belongs would tie the plan to libtorch's
    // numbering of its types.
    return real != TypeKind::ScalarTypeType && assign<int64_t>(arg, slot);
  }

  bool fillTensor(size_t i, const Arg &arg) {
    const auto *ref = std::get_if<ValueRef>(&arg);
    if (!ref)
      return false;
    if (isPersistent(ref->index) && !out.isVjp)
      out.stack[i] = context.buffers[value(ref->index).buffer];
    else
      out.tensors.push_back({int32_t(i), ref->index});
    return true;
  }

  bool fillList(size_t i, const Arg &arg, const c10::ListType &type) {
    const c10::Type &element = *type.getElementType();
    c10::IValue &slot = out.stack[i];
    switch (element.kind()) {
    case TypeKind::TensorType:
      return fillTensorList(i, arg, /*hasOptionalElements=*/false);
    case TypeKind::OptionalType:
      return element.castRaw<c10::OptionalType>()->getElementType()->kind() ==
                 TypeKind::TensorType &&
             fillTensorList(i, arg, /*hasOptionalElements=*/true);
    case TypeKind::IntType:
    case TypeKind::SymIntType:
      return assign<std::vector<int64_t>>(arg, slot);
    case TypeKind::FloatType:
      return assign<std::vector<double>>(arg, slot);
    case TypeKind::BoolType:
      if (const auto *list = std::get_if<std::vector<bool>>(&arg)) {
        c10::List<bool> items;
        for (bool item : *list)
          items.push_back(item);
        slot = std::move(items);
        return true;
      }
      return false;
    case TypeKind::NumberType: {
      c10::impl::GenericList items(c10::NumberType::get());
      if (const auto *reals = std::get_if<std::vector<double>>(&arg))
        for (double item : *reals)
          items.push_back(item);
      else if (const auto *ints = std::get_if<std::vector<int64_t>>(&arg))
        for (int64_t item : *ints)
          items.push_back(item);
      else
        return false;
      slot = std::move(items);
      return true;
    }
    default:
      return false;
    }
  }

  bool fillTensorList(size_t i, const Arg &arg, bool hasOptionalElements) {
    const auto *refs = std::get_if<std::vector<ValueRef>>(&arg);
    if (!refs)
      return false;
    BoundInstruction::ListSlot slot{int32_t(i), hasOptionalElements, {}};
    bool hasTemporaries = out.isVjp;
    for (ValueRef item : *refs) {
      if (item.index < 0 && !hasOptionalElements)
        failSchema("argument " + std::to_string(i) +
                   ": an absent tensor in a list that has none");
      hasTemporaries |= item.index >= 0 && !isPersistent(item.index);
      slot.values.push_back(item.index);
    }
    if (hasTemporaries) {
      out.lists.push_back(std::move(slot));
      return true;
    }
    // Buffers never change their tensor: one list for all runs.
    if (hasOptionalElements) {
      c10::List<std::optional<at::Tensor>> list;
      for (int32_t index : slot.values)
        list.push_back(index < 0 ? std::optional<at::Tensor>()
                                 : context.buffers[value(index).buffer]);
      out.stack[i] = std::move(list);
    } else {
      c10::List<at::Tensor> list;
      for (int32_t index : slot.values)
        list.push_back(context.buffers[value(index).buffer]);
      out.stack[i] = std::move(list);
    }
    return true;
  }

  /// Tensor results; lists of them count as one here. -1 if there is a list.
  int64_t countResults() const {
    int64_t count = 0;
    bool hasList = false;
    for (const c10::Argument &result : schema.returns()) {
      const c10::Type &type = *result.type();
      bool isList = type.kind() == TypeKind::ListType &&
                    type.castRaw<c10::ListType>()->getElementType()->kind() ==
                        TypeKind::TensorType;
      if (type.kind() != TypeKind::TensorType && !isList)
        failSchema("has a result that is not a tensor");
      hasList |= isList;
      ++count;
    }
    return hasList ? -1 : count;
  }

  void checkResults() {
    int64_t count = countResults();
    out.outs = instruction.outs;
    bool onlyMutates = std::all_of(
        schema.returns().begin(), schema.returns().end(),
        [](const c10::Argument &result) {
          return result.alias_info() && result.alias_info()->isWrite();
        });
    if (out.outs.empty() && onlyMutates)
      return;
    if (count >= 0 && int64_t(out.outs.size()) != count)
      failSchema("has " + std::to_string(out.outs.size()) +
                 " results, expected " + std::to_string(count));
    if (count < 0)
      return;
    for (size_t i = 0; i < out.outs.size(); ++i) {
      const c10::AliasInfo *alias = schema.returns()[i].alias_info();
      if (out.outs[i] < 0 || !alias || !alias->isWrite())
        continue;
      int32_t buffer = value(out.outs[i]).buffer;
      if (std::find(out.written.begin(), out.written.end(), buffer) ==
          out.written.end())
        fail("result " + std::to_string(i) +
             " is the buffer that the operator mutates, but the value " +
             std::to_string(out.outs[i]) + " is not bound to it");
    }
  }

  void checkVjp() {
    int64_t count = countResults();
    out.outs = instruction.outs;
    out.gradOuts = instruction.gradOuts;
    if (count >= 0 && int64_t(out.gradOuts.size()) != count)
      failSchema("has gradients for " + std::to_string(out.gradOuts.size()) +
                 " results, expected " + std::to_string(count));
    if (op.hasTag(at::Tag::nondeterministic_seeded))
      fail("draws random numbers: running it again for its gradient would "
           "draw others");
    // The order of `outs` is that of the tensors among the arguments.
    size_t next = 0;
    auto check = [&](int32_t index) {
      int32_t gradient = out.outs[next++];
      if (gradient < 0)
        return;
      if (index < 0 || !c10::isFloatingType(torchType(value(index).dtype)))
        fail("wants the gradient of an argument that has none");
      if (value(gradient).shape != value(index).shape ||
          value(gradient).dtype != value(index).dtype)
        fail("the gradient " + std::to_string(gradient) +
             " has not the type of its argument " + std::to_string(index));
    };
    for (const Arg &arg : instruction.args) {
      if (const auto *ref = std::get_if<ValueRef>(&arg))
        check(ref->index);
      else if (const auto *refs = std::get_if<std::vector<ValueRef>>(&arg))
        for (ValueRef item : *refs)
          check(item.index);
    }
  }

  void bindFrees() {
    for (int32_t index : instruction.frees) {
      auto holds = [&](const std::vector<int32_t> &list) {
        return std::find(list.begin(), list.end(), index) != list.end();
      };
      bool isLate = holds(instruction.outs) || holds(instruction.gradOuts);
      (isLate ? out.freesAfter : out.freesBefore).push_back(index);
    }
  }

  const BindContext &context;
  const Instruction &instruction;
  std::string place;
  c10::OperatorHandle op;
  const c10::FunctionSchema &schema;
  BoundInstruction out;
};

} // namespace

std::string placeOf(const std::string &what, const plan::Program &program,
                    size_t index) {
  const Instruction &instruction = program.instructions[index];
  return what + ": program '" + program.name + "', instruction " +
         std::to_string(index) + " (" + instruction.op +
         (instruction.module.empty() ? "" : " in " + instruction.module) + ")";
}

BoundInstruction bind(const BindContext &context, size_t index) {
  return Binder(context, index).run();
}

} // namespace nxdt::runtime
