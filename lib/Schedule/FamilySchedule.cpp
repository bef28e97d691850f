//===- FamilySchedule.cpp - the schedules that plans hold -----------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "nxdt/Schedule/FamilySchedule.h"

#include "nxdt/Schedule/Verify.h"
#include "nxdt/Support/UserError.h"

#include <algorithm>

namespace nxdt::schedule {
namespace {

using plan::ActionKind;

const plan::Schedule *findSchedule(const plan::Plan &plan,
                                   std::string_view name) {
  auto it = std::find_if(
      plan.schedules.begin(), plan.schedules.end(),
      [&](const plan::Schedule &schedule) { return schedule.name == name; });
  return it == plan.schedules.end() ? nullptr : &*it;
}

std::string nameOf(const plan::Plan &plan, const plan::Action &action) {
  switch (action.kind) {
  case ActionKind::Run:
    return plan.programs[action.index].name;
  case ActionKind::Send:
  case ActionKind::Recv:
  case ActionKind::Wait:
    return plan.channels[action.index].name;
  case ActionKind::Free:
    return plan.buffers[action.index].name;
  }
  return "";
}

class Uses {
public:
  Uses(const plan::Program &program, int32_t buffer)
      : program(program), buffer(buffer) {}

  bool reads() const {
    return std::any_of(
        program.instructions.begin(), program.instructions.end(),
        [&](const plan::Instruction &instruction) {
          bool isGradient = std::any_of(
              instruction.gradOuts.begin(), instruction.gradOuts.end(),
              [&](int32_t value) { return isIt(value); });
          return isGradient ||
                 std::any_of(instruction.args.begin(), instruction.args.end(),
                             [&](const plan::Arg &arg) { return names(arg); });
        });
  }

  bool writes() const {
    return std::any_of(program.instructions.begin(), program.instructions.end(),
                       [&](const plan::Instruction &instruction) {
                         return std::any_of(
                             instruction.outs.begin(), instruction.outs.end(),
                             [&](int32_t value) { return isIt(value); });
                       });
  }

private:
  bool isIt(int32_t value) const {
    return value >= 0 && program.values[value].buffer == buffer;
  }

  bool names(const plan::Arg &arg) const {
    if (const auto *one = std::get_if<plan::ValueRef>(&arg))
      return isIt(one->index);
    if (const auto *list = std::get_if<std::vector<plan::ValueRef>>(&arg))
      return std::any_of(
          list->begin(), list->end(),
          [&](const plan::ValueRef &ref) { return isIt(ref.index); });
    return false;
  }

  const plan::Program &program;
  int32_t buffer;
};

/// The first program to run in the schedule that reads or writes the buffer.
std::string programAt(const plan::Plan &plan, const plan::Schedule &schedule,
                      int32_t buffer, bool writes) {
  std::vector<bool> isSeen(plan.programs.size());
  for (const plan::Action &action : schedule.actions) {
    if (action.kind != ActionKind::Run || isSeen[action.index])
      continue;
    isSeen[action.index] = true;
    Uses uses(plan.programs[action.index], buffer);
    if (writes ? uses.writes() : uses.reads())
      return plan.programs[action.index].name;
  }
  return "";
}

bool isUsed(const plan::Schedule &schedule, size_t channel) {
  return std::any_of(schedule.actions.begin(), schedule.actions.end(),
                     [&](const plan::Action &action) {
                       return action.kind == ActionKind::Send &&
                              action.index == static_cast<int32_t>(channel);
                     });
}

} // namespace

std::optional<PipelineSchedule> scheduleOf(const plan::PlanFamily &family,
                                           std::string_view name) {
  PipelineSchedule result;
  result.name = std::string(name);
  result.stages = static_cast<int64_t>(family.stages.size());
  int64_t chunks = 0;
  for (int64_t stage = 0; stage < result.stages; ++stage) {
    const plan::Plan &plan = family.stages[stage];
    const plan::Schedule *schedule = findSchedule(plan, name);
    if (!schedule)
      return std::nullopt;
    result.microBatches = schedule->microBatches;
    std::vector<Action> &actions = result.actions.emplace_back();
    for (const plan::Action &action : schedule->actions) {
      actions.push_back({action.kind, nameOf(plan, action), action.microBatch});
      std::optional<ProgramPass> pass = passOf(actions.back().name);
      if (action.kind == ActionKind::Run && pass)
        chunks = std::max(chunks, pass->chunk + 1);
    }
  }
  result.chunksPerStage =
      std::max<int64_t>(1, (chunks + result.stages - 1) / result.stages);
  for (int64_t stage = 0; stage < result.stages; ++stage) {
    const plan::Plan &plan = family.stages[stage];
    const plan::Schedule &schedule = *findSchedule(plan, name);
    for (size_t c = 0; c < plan.channels.size(); ++c) {
      const plan::Channel &sender = plan.channels[c];
      // A plan's channels serve all of its schedules.
      if (!sender.isSend || !isUsed(schedule, c))
        continue;
      const plan::Plan &peer = family.stages[sender.peer];
      auto receiver =
          std::find_if(peer.channels.begin(), peer.channels.end(),
                       [&](const plan::Channel &channel) {
                         return channel.name == sender.name && !channel.isSend;
                       });
      Channel channel;
      channel.name = sender.name;
      channel.fromStage = stage;
      channel.toStage = sender.peer;
      channel.producer = programAt(plan, schedule, sender.buffer, true);
      channel.consumer =
          programAt(peer, *findSchedule(peer, name), receiver->buffer, false);
      channel.isOnce = !passOf(channel.producer);
      result.channels.push_back(channel);
    }
  }
  return result;
}

void verifySchedules(const plan::PlanFamily &family, const std::string &what) {
  if (family.stages.size() == 1)
    return;
  VerifyOptions options;
  // A chunk may depend on nothing.
  options.wantsAllEdges = false;
  for (const char *name : {"train_step", "eval_step", "update_step"}) {
    std::optional<PipelineSchedule> schedule = scheduleOf(family, name);
    if (!schedule)
      continue;
    std::optional<Violation> violation = verify(*schedule, options);
    if (!violation)
      continue;
    std::string text =
        what + ": schedule '" + name + "': " + violation->message;
    for (const std::string &line : violation->lines)
      text += "\n  " + line;
    throw UserError(text);
  }
}

} // namespace nxdt::schedule
