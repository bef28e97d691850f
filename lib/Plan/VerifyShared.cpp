//===- VerifyShared.cpp - weights that several stages hold ----------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One of the stages updates such a weight. It must get the gradients of all,
// whole and once, and all must get what it makes of them: no type tells a
// gradient that lacks a part.
//
//===----------------------------------------------------------------------===//
#include "Checks.h"
#include "nxdt/Plan/Family.h"
#include "nxdt/Support/UserError.h"

#include <algorithm>
#include <map>

namespace nxdt::plan {
namespace {

int32_t valueOf(const Instruction &instruction, size_t place) {
  if (place >= instruction.args.size())
    return -1;
  const auto *ref = std::get_if<ValueRef>(&instruction.args[place]);
  return ref ? ref->index : -1;
}

int32_t bufferOf(const Program &program, int32_t value) {
  return value < 0 ? -1 : program.values[size_t(value)].buffer;
}

int32_t findBuffer(const Plan &plan, Role role, const std::string &param) {
  for (size_t i = 0; i < plan.buffers.size(); ++i)
    if (plan.buffers[i].role == role && plan.buffers[i].param == param)
      return int32_t(i);
  return -1;
}

bool touches(const Program &program, int32_t buffer) {
  return std::any_of(program.values.begin(), program.values.end(),
                     [&](const Value &v) { return v.buffer == buffer; });
}

/// Whether the result is the first operand: a copy, or with zeros where there
/// is padding (that only padding is masked is verify-spmd's).
bool passesOn(const Instruction &instruction) {
  if (instruction.outs.size() != 1)
    return false;
  if (instruction.op == "aten::clone")
    return true;
  const auto *fill = instruction.args.size() == 3
                         ? std::get_if<double>(&instruction.args[2])
                         : nullptr;
  return instruction.op == "aten::masked_fill.Scalar" && fill && *fill == 0.0;
}

/// Values that are what `buffer` holds, as passesOn hands it on.
std::vector<int32_t> sameAs(const Program &program, int32_t buffer) {
  std::vector<int32_t> values;
  for (size_t i = 0; i < program.values.size(); ++i)
    if (program.values[i].buffer == buffer)
      values.push_back(int32_t(i));
  for (const Instruction &i : program.instructions)
    if (passesOn(i) &&
        std::find(values.begin(), values.end(), valueOf(i, 0)) != values.end())
      values.push_back(i.outs[0]);
  return values;
}

/// One way between two stages that hold the parameter.
struct Exchange {
  int64_t from = 0, to = 0;
  Role role = Role::Grad; ///< what is sent: gradient or weight
  const char *schedule = "train_step";
  std::string name; ///< for messages
};

class ExchangeChecker {
public:
  ExchangeChecker(const PlanFamily &family, const std::string &param,
                  const Exchange &exchange, const std::string &what)
      : family(family), param(param), exchange(exchange), what(what) {}

  void run() {
    const Plan &here = family.stages[size_t(exchange.from)];
    const Channel *channel = nullptr;
    for (const Channel &candidate : here.channels)
      if (candidate.isSend && candidate.peer == exchange.to &&
          isExported(here, candidate))
        channel = &candidate;
    if (!channel)
      failHere("is not sent to stage " + std::to_string(exchange.to));
    checkTaken(*channel);
  }

private:
  [[noreturn]] void failHere(const std::string &message) const {
    throw UserError(what + ": stage " + std::to_string(exchange.from) + ": " +
                    exchange.name + " of '" + param +
                    "', which several stages hold, " + message);
  }

  /// Whether the schedule copies what is sent into the channel's carry, after
  /// all that changes it.
  bool isExported(const Plan &plan, const Channel &channel) const {
    int32_t buffer = findBuffer(plan, exchange.role, param);
    auto copies = [&](const Program &program) {
      std::vector<int32_t> values = sameAs(program, buffer);
      return std::any_of(values.begin(), values.end(), [&](int32_t value) {
        return bufferOf(program, value) == channel.buffer;
      });
    };
    bool isCopied = false;
    for (const Action &action : actionsOf(plan)) {
      if (action.kind != ActionKind::Run)
        continue;
      const Program &program = plan.programs[size_t(action.index)];
      if (copies(program))
        isCopied = true;
      else if (isCopied && touches(program, buffer))
        failHere("is sent before the program '" + program.name + "' has run");
    }
    return isCopied;
  }

  /// Exactly one instruction reads what arrives: it adds it to the gradient, or
  /// stores it as the weight.
  void checkTaken(const Channel &sender) const {
    const Plan &there = family.stages[size_t(exchange.to)];
    auto receiver = std::find_if(
        there.channels.begin(), there.channels.end(),
        [&](const Channel &channel) { return channel.name == sender.name; });
    int32_t own = findBuffer(there, exchange.role, param);
    std::vector<int64_t> taken(there.programs.size());
    for (size_t i = 0; i < there.programs.size(); ++i)
      taken[i] = countTaken(there.programs[i], receiver->buffer, own);
    int64_t times = 0;
    for (const Action &action : actionsOf(there))
      if (action.kind == ActionKind::Run)
        times += taken[size_t(action.index)];
    if (times != 1)
      failHere("is taken " + std::to_string(times) + " times by stage " +
               std::to_string(exchange.to) + ", not once");
  }

  int64_t countTaken(const Program &program, int32_t carry, int32_t own) const {
    std::vector<int32_t> arrived = sameAs(program, carry);
    std::vector<int32_t> sums; // of the own gradient and what arrived
    int64_t count = 0;
    for (const Instruction &i : program.instructions) {
      auto reads = [&](size_t place) {
        return std::find(arrived.begin(), arrived.end(), valueOf(i, place)) !=
               arrived.end();
      };
      auto isSum = [&](int32_t value) {
        return std::find(sums.begin(), sums.end(), value) != sums.end();
      };
      bool isOwn = own >= 0 && bufferOf(program, valueOf(i, 0)) == own;
      bool isGrad = exchange.role == Role::Grad;
      if (passesOn(i) && isSum(valueOf(i, 0)))
        sums.push_back(i.outs[0]);
      if (!isOwn)
        continue;
      // In place, or as a sum that is stored.
      bool isStored = i.op == "aten::copy_";
      bool takes = isGrad ? i.op == "aten::add_.Tensor" && isOne(i) : isStored;
      if (takes && reads(1))
        ++count;
      else if (isGrad && isStored && isSum(valueOf(i, 1)))
        ++count;
      else if (isGrad && i.op == "aten::add.Tensor" && reads(1) && isOne(i))
        sums.push_back(i.outs[0]);
      else if (reads(1))
        failHere("is not what " + i.op + " takes on stage " +
                 std::to_string(exchange.to));
    }
    return count;
  }

  static bool isOne(const Instruction &instruction) {
    if (instruction.args.size() < 3)
      return true;
    const auto *whole = std::get_if<int64_t>(&instruction.args[2]);
    const auto *real = std::get_if<double>(&instruction.args[2]);
    return (whole && *whole == 1) || (real && *real == 1.0);
  }

  std::vector<Action> actionsOf(const Plan &plan) const {
    const Schedule *schedule = findSchedule(plan, exchange.schedule);
    return schedule ? schedule->actions : std::vector<Action>();
  }

  const PlanFamily &family;
  const std::string &param;
  const Exchange &exchange;
  const std::string &what;
};

} // namespace

/// Norms count a tensor once: where it is updated.
static void checkNorms(const Plan &plan, int64_t stage,
                       const std::string &param, const std::string &what) {
  for (const Program &program : plan.programs) {
    if (program.name != "finish_step" && program.name != "norm_params")
      continue;
    for (Role role : {Role::Grad, Role::Param})
      if (int32_t buffer = findBuffer(plan, role, param);
          buffer >= 0 && touches(program, buffer))
        throw UserError(what + ": stage " + std::to_string(stage) +
                        ": program '" + program.name + "' reads '" +
                        plan.buffers[size_t(buffer)].name +
                        "', which another stage counts");
  }
}

void verifyShared(const PlanFamily &family, const std::string &what) {
  std::map<std::string, std::vector<int64_t>> holders;
  std::map<std::string, int64_t> updaters;
  for (size_t stage = 0; stage < family.stages.size(); ++stage)
    for (const Buffer &buffer : family.stages[stage].buffers) {
      if (buffer.role == Role::Param)
        holders[buffer.param].push_back(int64_t(stage));
      if (buffer.role == Role::OptState)
        updaters[buffer.param] = int64_t(stage);
    }
  for (const auto &[param, stages] : holders) {
    auto updater = updaters.find(param);
    if (stages.size() < 2 || updater == updaters.end())
      continue;
    for (int64_t stage : stages) {
      const Plan &plan = family.stages[size_t(stage)];
      // Families without schedules are buffers only, for checkpoints.
      if (stage == updater->second || !findSchedule(plan, "train_step"))
        continue;
      checkNorms(plan, stage, param, what);
      if (findBuffer(plan, Role::Grad, param) >= 0)
        ExchangeChecker(
            family, param,
            {stage, updater->second, Role::Grad, "train_step", "the gradient"},
            what)
            .run();
      ExchangeChecker(
          family, param,
          {updater->second, stage, Role::Param, "update_step", "the value"},
          what)
          .run();
    }
  }
}

} // namespace nxdt::plan
