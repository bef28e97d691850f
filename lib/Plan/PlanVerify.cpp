//===- PlanVerify.cpp - is this plan safe to run? ---------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "nxdt/Plan/PlanVerify.h"
#include "Checks.h"
#include "nxdt/Plan/Communication.h"
#include "nxdt/Plan/Slice.h"
#include "nxdt/Support/UserError.h"

#include <algorithm>
#include <map>
#include <set>

namespace nxdt::plan {
namespace {

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

/// The checks of one program.
class ProgramChecker {
public:
  ProgramChecker(const Plan &plan, const Program &program, const Mesh &mesh,
                 const std::string &what)
      : plan(plan), program(program), mesh(mesh), what(what) {}

  void run() {
    for (size_t i = 0; i < program.values.size(); ++i)
      checkValue(i);
    defined.assign(program.values.size(), false);
    findCarries();
    for (at = 0; at < program.instructions.size(); ++at)
      checkInstruction(program.instructions[at]);
    verifyPending(plan, program,
                  [this](size_t where, const std::string &message) {
                    at = where;
                    fail(message);
                  });
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
    if (value.origin)
      checkOrigin(value, failValue);
    if (value.buffer < 0)
      return;
    const Buffer &buffer = plan.buffers[value.buffer];
    if (buffer.dtype != value.dtype || buffer.shape != value.shape)
      failValue("is " + typed(value.dtype, value.shape) +
                ", but bound to the buffer '" + buffer.name + "' of " +
                typed(buffer.dtype, buffer.shape));
  }

  /// Carries that an instruction writes are there from then on, others from the
  /// start.
  void findCarries() {
    std::map<int32_t, int32_t> valueOf;
    for (size_t i = 0; i < program.values.size(); ++i) {
      int32_t buffer = program.values[i].buffer;
      if (!isCarry(plan, buffer))
        continue;
      auto [it, isNew] = valueOf.emplace(buffer, int32_t(i));
      if (!isNew)
        throw UserError(what + ": program '" + program.name + "': the values " +
                        std::to_string(it->second) + " and " +
                        std::to_string(i) + " are both bound to the carry '" +
                        plan.buffers[buffer].name + "'");
      defined[i] = true;
    }
    for (const CarryUse &use : carriesOf(plan, program))
      if (use.isWritten)
        defined[use.value] = false;
    lastUse.assign(program.values.size(), -1);
    for (size_t i = 0; i < program.instructions.size(); ++i) {
      auto touch = [&](int32_t index) {
        if (index >= 0 && size_t(index) < lastUse.size())
          lastUse[index] = int64_t(i);
      };
      forEachUse(program.instructions[i], touch);
      for (int32_t index : program.instructions[i].outs)
        touch(index);
    }
  }

  /// A temporary, or a carry.
  bool isDefinedOnce(int32_t index) const {
    int32_t buffer = program.values[index].buffer;
    return buffer < 0 || isCarry(plan, buffer);
  }

  void checkOrigin(const Value &value, const Fail &failValue) const {
    const Origin &origin = *value.origin;
    if (origin.name.empty())
      failValue("its origin has no name");
    if (checkedBytes(value.dtype, origin.logicalShape) < 0)
      failValue("the logical shape " + shown(origin.logicalShape) +
                " is negative or its bytes overflow");
    if (origin.split.size() != origin.logicalShape.size())
      failValue("its origin has " + std::to_string(origin.split.size()) +
                " splits for " + std::to_string(origin.logicalShape.size()) +
                " dimensions");
    std::vector<int64_t> local;
    try {
      Axes all = origin.partial;
      for (const Axes &axes : origin.split)
        all.insert(all.end(), axes.begin(), axes.end());
      if (!all.empty())
        checkGroupSpec(mesh, toGroupSpec(all));
      local = localShape(asBuffer(origin), mesh);
    } catch (const UserError &e) {
      failValue(std::string("its origin: ") + e.what());
    }
    if (local != value.shape)
      failValue("is " + typed(value.dtype, value.shape) + ", but its origin " +
                shown(origin.logicalShape) + " has parts of " + shown(local));
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
      if (index >= 0 && isDefinedOnce(index) && !defined[index])
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
      if (!isDefinedOnce(index))
        continue;
      if (defined[index])
        fail("defines the value " + std::to_string(index) + " a second time");
      defined[index] = true;
    }
    if (isCollective(instruction))
      verifyCollective(program, instruction, mesh,
                       [this](const std::string &message) { fail(message); });
  }

  void checkFrees(const Instruction &instruction,
                  const std::vector<int32_t> &expected) const {
    std::vector<int32_t> frees = instruction.frees;
    std::erase_if(frees, [&](int32_t index) {
      return index >= 0 && index < int64_t(program.values.size()) &&
             isFreedCarry(instruction, index);
    });
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

  /// A carry may be dropped by its last use.
  bool isFreedCarry(const Instruction &instruction, int32_t index) const {
    if (!isCarry(plan, program.values[index].buffer))
      return false;
    if (lastUse[index] != int64_t(at))
      fail("frees the value " + std::to_string(index) +
           ", whose last use this is not");
    if (std::count(instruction.frees.begin(), instruction.frees.end(), index) >
        1)
      fail("frees a value twice");
    return true;
  }

  const Plan &plan;
  const Program &program;
  const Mesh &mesh;
  const std::string &what;
  std::vector<bool> defined;
  std::vector<int64_t> lastUse; ///< instruction, of each value; -1 = none
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
    case Role::ReducedGrad:
      out.gradBytes += bytes;
      break;
    case Role::OptState:
      out.optStateBytes += bytes;
      break;
    case Role::Buffer:
    case Role::Input:
    case Role::Scalar:
    case Role::Coordinate:
      out.otherBytes += bytes;
      break;
    case Role::Carry: // an activation
      break;
    }
  }
  return out;
}

void verify(const Plan &plan, const std::string &what) {
  verifyBuffers(plan, what);
  Mesh mesh = meshOf(plan);
  std::set<std::string> names;
  for (const Program &program : plan.programs) {
    if (program.name.empty() || !names.insert(program.name).second)
      throw UserError(what + ": the program name '" + program.name +
                      "' is empty or stands twice");
    ProgramChecker(plan, program, mesh, what).run();
  }
  verifySchedules(plan, what);
}

} // namespace nxdt::plan
