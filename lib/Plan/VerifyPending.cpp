//===- VerifyPending.cpp - collectives that are under way --------*- C++
//-*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Checks.h"

#include <algorithm>
#include <map>

namespace nxdt::plan {
namespace {

using Values = std::vector<int32_t>;

Values valuesOf(const Arg &arg) {
  Values list;
  if (const auto *ref = std::get_if<ValueRef>(&arg))
    list.push_back(ref->index);
  else if (const auto *refs = std::get_if<std::vector<ValueRef>>(&arg))
    for (ValueRef ref : *refs)
      list.push_back(ref.index);
  return list;
}

/// Operators in place change their first argument, those of lists all lists.
Values changedBy(const Instruction &instruction) {
  std::string_view name = instruction.op;
  name = name.substr(0, name.find('.'));
  Values list = instruction.outs;
  if (instruction.kind != OpKind::Aten || name.empty() || name.back() != '_')
    return list;
  for (size_t i = 0; i < instruction.args.size(); ++i)
    if (i == 0 ||
        std::holds_alternative<std::vector<ValueRef>>(instruction.args[i]))
      for (int32_t value : valuesOf(instruction.args[i]))
        list.push_back(value);
  return list;
}

/// The starts and waits of one program.
class PendingChecker {
public:
  PendingChecker(const Plan &plan, const Program &program,
                 const std::function<void(size_t, const std::string &)> &failAt)
      : plan(plan), program(program), failAt(failAt) {}

  void run() {
    for (at = 0; at < program.instructions.size(); ++at)
      check(program.instructions[at]);
    if (!underWay.empty())
      failAt(underWay.begin()->first, "is never waited for");
  }

private:
  struct Pending {
    Values inputs, results;
  };

  void check(const Instruction &instruction) {
    if (instruction.kind == OpKind::Wait)
      return wait(instruction);
    for (const auto &[start, pending] : underWay) {
      std::string which = ", which instruction " + std::to_string(start) +
                          " started and nobody has waited for";
      forEachUse(instruction, [&](int32_t value) {
        if (isAmong(value, pending.results))
          failAt(at, "uses the value " + std::to_string(value) + which);
      });
      for (int32_t value : changedBy(instruction))
        if (isAmong(value, pending.inputs))
          failAt(at, "changes the value " + std::to_string(value) +
                         ", which the collective of instruction " +
                         std::to_string(start) + " still reads");
    }
    if (instruction.kind == OpKind::Start)
      start(instruction);
  }

  void start(const Instruction &instruction) {
    Pending pending;
    forEachUse(instruction,
               [&](int32_t value) { pending.inputs.push_back(value); });
    pending.results = instruction.outs;
    for (int32_t value : pending.results) {
      int32_t buffer = program.values[value].buffer;
      if (buffer >= 0 && !isCarry(plan, buffer))
        failAt(at, "starts a collective that writes the buffer '" +
                       plan.buffers[buffer].name + "'");
    }
    underWay[at] = std::move(pending);
  }

  void wait(const Instruction &instruction) {
    if (instruction.op != "nxdt::wait" || instruction.args.size() != 2 ||
        !instruction.outs.empty())
      failAt(at, "a wait is nxdt::wait, and has two lists of values");
    Values results = valuesOf(instruction.args[0]);
    Values inputs = valuesOf(instruction.args[1]);
    auto it =
        std::find_if(underWay.begin(), underWay.end(), [&](const auto &entry) {
          return entry.second.results == results &&
                 entry.second.inputs == inputs;
        });
    if (it == underWay.end())
      failAt(at, "waits for what no instruction before has started");
    underWay.erase(it);
  }

  /// The value itself, or one of the same buffer.
  bool isAmong(int32_t value, const Values &list) const {
    if (value < 0)
      return false;
    int32_t buffer = program.values[value].buffer;
    return std::any_of(list.begin(), list.end(), [&](int32_t other) {
      return other == value ||
             (buffer >= 0 && program.values[other].buffer == buffer);
    });
  }

  const Plan &plan;
  const Program &program;
  const std::function<void(size_t, const std::string &)> &failAt;
  std::map<size_t, Pending> underWay; ///< by the start's index
  size_t at = 0;
};

} // namespace

void verifyPending(
    const Plan &plan, const Program &program,
    const std::function<void(size_t, const std::string &)> &failAt) {
  PendingChecker(plan, program, failAt).run();
}

} // namespace nxdt::plan
