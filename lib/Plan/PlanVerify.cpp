//===- PlanVerify.cpp - is this plan safe to run? ---------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "nxdt/Plan/PlanVerify.h"
#include "nxdt/Support/UserError.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

namespace nxdt::plan {
namespace {

std::string shown(std::span<const int64_t> shape) {
  std::string out = "[";
  for (size_t i = 0; i < shape.size(); ++i)
    out += (i ? ", " : "") + std::to_string(shape[i]);
  return out + "]";
}

std::string typed(DType dtype, std::span<const int64_t> shape) {
  return std::string(name(dtype)) + shown(shape);
}

bool isOwned(Role role) {
  return role == Role::Param || role == Role::Master ||
         role == Role::OptState || role == Role::Grad;
}

/// Calls `visit` with every value index that the instruction reads.
template <typename Visit>
void forEachUse(const Instruction &instruction, Visit visit) {
  for (const Arg &arg : instruction.args) {
    if (const auto *ref = std::get_if<ValueRef>(&arg))
      visit(ref->index);
    else if (const auto *refs = std::get_if<std::vector<ValueRef>>(&arg))
      for (ValueRef item : *refs)
        visit(item.index);
  }
  for (int32_t index : instruction.gradOuts)
    visit(index);
}

/// Tensors among the arguments, absent ones of lists too.
int64_t tensorArguments(const Instruction &instruction) {
  int64_t count = 0;
  for (const Arg &arg : instruction.args) {
    if (std::holds_alternative<ValueRef>(arg))
      ++count;
    else if (const auto *refs = std::get_if<std::vector<ValueRef>>(&arg))
      count += int64_t(refs->size());
  }
  return count;
}

/// The checks of the plan's head and of its buffers.
class PlanChecker {
public:
  PlanChecker(const Plan &plan, const std::string &what)
      : plan(plan), what(what) {}

  void run() {
    checkHead();
    for (size_t i = 0; i < plan.buffers.size(); ++i)
      checkBuffer(i);
    checkOwners();
    checkTied();
    checkKnownBuffers();
    checkMemory();
  }

private:
  [[noreturn]] void fail(const std::string &message) const {
    throw UserError(what + ": " + message);
  }
  [[noreturn]] void fail(const Buffer &buffer,
                         const std::string &message) const {
    fail("buffer '" + buffer.name + "': " + message);
  }

  void checkHead() const {
    if (plan.version != kVersion)
      fail("version " + std::to_string(plan.version) + ", expected " +
           std::to_string(kVersion));
    if (plan.device != "cpu" && plan.device != "cuda")
      fail("unknown device '" + plan.device + "' (known: cpu, cuda)");
    std::set<std::string> axes;
    int64_t ranks = 1;
    for (const auto &[axis, size] : plan.mesh) {
      if (axis.empty() || !axes.insert(axis).second)
        fail("mesh: the axis '" + axis + "' is empty or stands twice");
      if (size < 1)
        fail("mesh: the axis '" + axis + "' has the size " +
             std::to_string(size) + ", expected at least 1");
      if (__builtin_mul_overflow(ranks, size, &ranks))
        fail("mesh: the number of ranks does not fit into 64 bits");
    }
    for (const std::string &library : plan.libraries)
      if (library.empty() || library[0] != '/')
        fail("libraries: '" + library + "' is not an absolute path");
    if (plan.microBatchSize < 0 || plan.sequenceLength < 0 ||
        plan.vocabSize < 0)
      fail("micro_batch_size, sequence_length and vocab_size must not be "
           "negative");
  }

  void checkBuffer(size_t index) {
    const Buffer &buffer = plan.buffers[index];
    if (buffer.name.empty())
      fail("buffers[" + std::to_string(index) + "] has no name");
    if (!byName.emplace(buffer.name, &buffer).second)
      fail("two buffers are named '" + buffer.name + "'");
    int64_t bytes = checkedBytes(buffer.dtype, buffer.shape);
    if (bytes < 0 || __builtin_add_overflow(totalBytes, bytes, &totalBytes))
      fail(buffer, "the shape " + shown(buffer.shape) +
                       " is negative or its bytes overflow");
    checkSlice(buffer);
    if (isOwned(buffer.role) == buffer.param.empty())
      fail(buffer,
           "the role " + std::string(name(buffer.role)) +
               (buffer.param.empty() ? " needs the name of a parameter"
                                     : " has no parameter, but '" +
                                           buffer.param + "' is given"));
    if ((buffer.role == Role::OptState) == buffer.state.empty())
      fail(buffer, "`state` belongs to opt_state buffers, and to all of them");
    checkInit(buffer);
    if (isOwned(buffer.role) &&
        !owned
             .emplace(ownerKey(buffer.role, buffer.param, buffer.state),
                      &buffer)
             .second)
      fail(buffer, "the parameter '" + buffer.param +
                       "' has two buffers of "
                       "the role " +
                       std::string(name(buffer.role)));
  }

  void checkSlice(const Buffer &buffer) const {
    bool absent = buffer.logicalShape.empty() && buffer.sliceStart.empty();
    if (absent && !isOwned(buffer.role))
      return;
    if (buffer.logicalShape.size() != buffer.shape.size() ||
        buffer.sliceStart.size() != buffer.shape.size())
      fail(buffer, "shape " + shown(buffer.shape) + ", logical_shape " +
                       shown(buffer.logicalShape) + " and slice_start " +
                       shown(buffer.sliceStart) + " differ in rank");
    if (checkedBytes(buffer.dtype, buffer.logicalShape) < 0)
      fail(buffer, "the logical_shape " + shown(buffer.logicalShape) +
                       " is negative or its bytes overflow");
    for (size_t i = 0; i < buffer.shape.size(); ++i) {
      int64_t end = 0;
      if (buffer.sliceStart[i] < 0 ||
          __builtin_add_overflow(buffer.sliceStart[i], buffer.shape[i], &end))
        fail(buffer, "slice_start " + shown(buffer.sliceStart) +
                         " is negative or too large");
    }
  }

  void checkInit(const Buffer &buffer) const {
    const Init &init = buffer.init;
    if (init.kind == Init::Kind::None)
      return;
    if (buffer.role != Role::Param)
      fail(buffer, "only a param has an init");
    bool isFloat = buffer.dtype == DType::F64 || buffer.dtype == DType::F32 ||
                   buffer.dtype == DType::BF16 || buffer.dtype == DType::F16;
    if (!isFloat || !std::isfinite(init.a) || !std::isfinite(init.b))
      fail(buffer, "an init needs a floating dtype and finite numbers");
    if (init.kind == Init::Kind::Normal && init.b < 0)
      fail(buffer, "the standard deviation of its init is negative");
    if (init.kind == Init::Kind::Uniform && init.b < init.a)
      fail(buffer, "the upper bound of its init is below the lower one");
  }

  static std::string ownerKey(Role role, const std::string &param,
                              const std::string &state) {
    return std::string(name(role)) + '\0' + param + '\0' + state;
  }
  const Buffer *find(Role role, const std::string &param) const {
    auto it = owned.find(ownerKey(role, param, ""));
    return it == owned.end() ? nullptr : it->second;
  }

  void checkOwners() const {
    bool trains = std::any_of(
        plan.programs.begin(), plan.programs.end(),
        [](const Program &program) { return program.name == "train_step"; });
    std::map<std::string, std::set<std::string>> states;
    for (const Buffer &buffer : plan.buffers) {
      if (!isOwned(buffer.role))
        continue;
      const Buffer *param = find(Role::Param, buffer.param);
      if (!param)
        fail(buffer, "its owner, the parameter '" + buffer.param +
                         "', has no buffer of the role param");
      if (buffer.role == Role::OptState)
        states[buffer.param].insert(buffer.state);
      if ((buffer.role == Role::Master || buffer.role == Role::Grad) &&
          buffer.logicalShape != param->logicalShape)
        fail(buffer, "its logical_shape " + shown(buffer.logicalShape) +
                         " is not that of its parameter, " +
                         shown(param->logicalShape));
      if (buffer.role != Role::Param || !trains)
        continue;
      if (!find(Role::Grad, buffer.param))
        fail(buffer, "the plan has a train_step, but this parameter has no "
                     "buffer of the role grad");
    }
    for (const auto &[param, names] : states)
      if (names != states.begin()->second)
        fail("the parameters '" + states.begin()->first + "' and '" + param +
             "' have different optimizer states");
  }

  void checkTied() const {
    std::set<std::string> aliases;
    for (const auto &[alias, stored] : plan.tied) {
      if (!find(Role::Param, stored))
        fail("tied: '" + stored + "' is not the parameter of any buffer");
      if (alias.empty() || find(Role::Param, alias) ||
          !aliases.insert(alias).second)
        fail("tied: the alias '" + alias +
             "' is empty, has a buffer of its own or stands twice");
    }
  }

  /// Buffers whose name the runtime knows have the form it expects.
  void checkKnownBuffers() const {
    struct Known {
      const char *name;
      Role role;
      DType dtype;
      bool batch; ///< [B, S], else a scalar
    };
    static constexpr Known table[] = {
        {"input_ids", Role::Input, DType::I64, true},
        {"targets", Role::Input, DType::I64, true},
        {"lr", Role::Input, DType::F64, false},
        {"step", Role::Input, DType::F32, false},
        {"loss", Role::Scalar, DType::F64, false},
        {"token_count", Role::Scalar, DType::I64, false},
        {"grad_norm", Role::Scalar, DType::F32, false},
        {"val_loss", Role::Scalar, DType::F64, false},
        {"val_token_count", Role::Scalar, DType::I64, false},
        {"param_norm", Role::Scalar, DType::F32, false},
    };
    std::vector<int64_t> batch = {plan.microBatchSize, plan.sequenceLength};
    for (const Buffer &buffer : plan.buffers)
      if (buffer.role == Role::Input &&
          std::none_of(
              std::begin(table), std::end(table), [&](const Known &known) {
                return known.role == Role::Input && known.name == buffer.name;
              }))
        fail(buffer, "unknown input (known: input_ids, targets, lr, step)");
    for (const Known &known : table) {
      auto it = byName.find(known.name);
      if (it == byName.end())
        continue;
      const Buffer &buffer = *it->second;
      std::vector<int64_t> shape = known.batch ? batch : std::vector<int64_t>{};
      if (buffer.role != known.role || buffer.dtype != known.dtype ||
          buffer.shape != shape)
        fail(buffer, "expected the role " + std::string(name(known.role)) +
                         " and the type " + typed(known.dtype, shape) +
                         ", found " + std::string(name(buffer.role)) + " " +
                         typed(buffer.dtype, buffer.shape));
    }
  }

  void checkMemory() const {
    MemoryReport derived = bufferBytes(plan);
    auto check = [&](const char *field, int64_t stated, int64_t bytes) {
      if (stated != bytes)
        fail(std::string("memory: ") + field + " is " + std::to_string(stated) +
             ", but the buffers have " + std::to_string(bytes));
    };
    check("param_bytes", plan.memory.paramBytes, derived.paramBytes);
    check("master_bytes", plan.memory.masterBytes, derived.masterBytes);
    check("grad_bytes", plan.memory.gradBytes, derived.gradBytes);
    check("opt_state_bytes", plan.memory.optStateBytes, derived.optStateBytes);
    check("other_bytes", plan.memory.otherBytes, derived.otherBytes);
    if (plan.memory.peakActivationBytes < 0)
      fail("memory: peak_activation_bytes is negative");
  }

  const Plan &plan;
  const std::string &what;
  std::map<std::string, const Buffer *> byName;
  std::map<std::string, const Buffer *> owned;
  int64_t totalBytes = 0;
};

/// The checks of one program.
class ProgramChecker {
public:
  ProgramChecker(const Plan &plan, const Program &program,
                 const std::string &what)
      : plan(plan), program(program), what(what) {}

  void run() {
    for (size_t i = 0; i < program.values.size(); ++i)
      checkValue(i);
    defined.assign(program.values.size(), false);
    for (at = 0; at < program.instructions.size(); ++at)
      checkInstruction(program.instructions[at]);
    std::vector<std::vector<int32_t>> expected = lastUses(program);
    for (at = 0; at < program.instructions.size(); ++at)
      checkFrees(program.instructions[at], expected[at]);
  }

private:
  [[noreturn]] void fail(const std::string &message) const {
    const Instruction &instruction = program.instructions[at];
    throw UserError(
        what + ": program '" + program.name + "', instruction " +
        std::to_string(at) + " (" + instruction.op +
        (instruction.module.empty() ? "" : " in " + instruction.module) +
        "): " + message);
  }

  void checkValue(size_t index) const {
    const Value &value = program.values[index];
    auto failValue = [&](const std::string &message) {
      throw UserError(what + ": program '" + program.name + "', value " +
                      std::to_string(index) + ": " + message);
    };
    if (checkedBytes(value.dtype, value.shape) < 0)
      failValue("the shape " + shown(value.shape) +
                " is negative or its bytes overflow");
    if (value.buffer < -1 || value.buffer >= int64_t(plan.buffers.size()))
      failValue("buffer " + std::to_string(value.buffer) +
                " does not exist (the plan has " +
                std::to_string(plan.buffers.size()) + ")");
    if (value.buffer < 0)
      return;
    const Buffer &buffer = plan.buffers[value.buffer];
    if (buffer.dtype != value.dtype || buffer.shape != value.shape)
      failValue("is " + typed(value.dtype, value.shape) +
                ", but bound to the buffer '" + buffer.name + "' of " +
                typed(buffer.dtype, buffer.shape));
  }

  void checkIndex(int32_t index, bool mayBeAbsent) const {
    if (index == -1 && mayBeAbsent)
      return;
    if (index < 0 || index >= int64_t(program.values.size()))
      fail("value " + std::to_string(index) +
           " does not exist (the program has " +
           std::to_string(program.values.size()) + ")");
  }

  void checkInstruction(const Instruction &instruction) {
    size_t colons = instruction.op.find("::");
    if (colons == 0 || colons == std::string::npos ||
        colons + 2 == instruction.op.size())
      fail("the operator's name is not namespace::name");
    for (const Arg &arg : instruction.args)
      if (const auto *ref = std::get_if<ValueRef>(&arg))
        checkIndex(ref->index, /*mayBeAbsent=*/false);
    forEachUse(instruction, [&](int32_t index) {
      checkIndex(index, /*mayBeAbsent=*/true);
      if (index >= 0 && program.values[index].buffer < 0 && !defined[index])
        fail("uses the value " + std::to_string(index) +
             " before anything has defined it");
    });
    if (instruction.kind == OpKind::AtenVjp) {
      int64_t expected = tensorArguments(instruction);
      if (int64_t(instruction.outs.size()) != expected)
        fail("has " + std::to_string(instruction.outs.size()) +
             " gradients for " + std::to_string(expected) +
             " tensor arguments");
      if (instruction.gradOuts.empty())
        fail("an aten_vjp needs the gradients of the results");
    } else if (!instruction.gradOuts.empty()) {
      fail("only an aten_vjp has grad_outs");
    }
    std::set<int32_t> results;
    for (int32_t index : instruction.outs) {
      checkIndex(index, /*mayBeAbsent=*/true);
      if (index < 0)
        continue;
      if (!results.insert(index).second)
        fail("defines the value " + std::to_string(index) + " twice");
      if (program.values[index].buffer >= 0)
        continue;
      if (defined[index])
        fail("defines the value " + std::to_string(index) + " a second time");
      defined[index] = true;
    }
  }

  void checkFrees(const Instruction &instruction,
                  const std::vector<int32_t> &expected) const {
    std::vector<int32_t> frees = instruction.frees;
    std::sort(frees.begin(), frees.end());
    if (frees == expected)
      return;
    for (int32_t index : frees) {
      checkIndex(index, /*mayBeAbsent=*/false);
      if (program.values[index].buffer >= 0)
        fail("frees the value " + std::to_string(index) +
             ", which is bound to a buffer");
      if (!std::binary_search(expected.begin(), expected.end(), index))
        fail("frees the value " + std::to_string(index) +
             ", whose last use this is not");
    }
    for (int32_t index : expected)
      if (!std::binary_search(frees.begin(), frees.end(), index))
        fail("is the last use of the value " + std::to_string(index) +
             ", but does not free it");
    fail("frees a value twice");
  }

  const Plan &plan;
  const Program &program;
  const std::string &what;
  std::vector<bool> defined;
  size_t at = 0;
};

} // namespace

int64_t checkedBytes(DType dtype, std::span<const int64_t> shape) {
  // Sizes of 0 must not hide an overflow of the others: strides are products.
  int64_t bytes = byteSize(dtype);
  bool isEmpty = false;
  for (int64_t size : shape) {
    if (size < 0 ||
        __builtin_mul_overflow(bytes, std::max<int64_t>(size, 1), &bytes))
      return -1;
    isEmpty |= size == 0;
  }
  return isEmpty ? 0 : bytes;
}

std::vector<std::vector<int32_t>> lastUses(const Program &program) {
  std::vector<int64_t> last(program.values.size(), -1);
  for (size_t i = 0; i < program.instructions.size(); ++i) {
    auto touch = [&](int32_t index) {
      if (index >= 0 && index < int64_t(last.size()) &&
          program.values[index].buffer < 0)
        last[index] = int64_t(i);
    };
    forEachUse(program.instructions[i], touch);
    for (int32_t index : program.instructions[i].outs)
      touch(index);
  }
  std::vector<std::vector<int32_t>> out(program.instructions.size());
  for (size_t index = 0; index < last.size(); ++index)
    if (last[index] >= 0)
      out[last[index]].push_back(int32_t(index));
  return out;
}

MemoryReport bufferBytes(const Plan &plan) {
  MemoryReport out;
  for (const Buffer &buffer : plan.buffers) {
    int64_t bytes = checkedBytes(buffer.dtype, buffer.shape);
    switch (buffer.role) {
    case Role::Param:
      out.paramBytes += bytes;
      break;
    case Role::Master:
      out.masterBytes += bytes;
      break;
    case Role::Grad:
      out.gradBytes += bytes;
      break;
    case Role::OptState:
      out.optStateBytes += bytes;
      break;
    case Role::Buffer:
    case Role::Input:
    case Role::Scalar:
      out.otherBytes += bytes;
      break;
    }
  }
  return out;
}

void verify(const Plan &plan, const std::string &what) {
  PlanChecker(plan, what).run();
  std::set<std::string> names;
  for (const Program &program : plan.programs) {
    if (program.name.empty() || !names.insert(program.name).second)
      throw UserError(what + ": the program name '" + program.name +
                      "' is empty or stands twice");
    ProgramChecker(plan, program, what).run();
  }
}

} // namespace nxdt::plan
