//===- VerifySchedule.cpp - channels and schedules of a stage -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A schedule is run here without tensors: which carries are there for which
// micro-batch, and what is under way on which channel.
//
//===----------------------------------------------------------------------===//
#include "Checks.h"
#include "nxdt/Plan/Family.h"
#include "nxdt/Plan/PlanJson.h"
#include "nxdt/Support/UserError.h"

#include <algorithm>
#include <map>
#include <set>

namespace nxdt::plan {
namespace {

/// What may be scheduled.
constexpr const char *kSchedules[] = {"train_step", "eval_step", "update_step"};

/// Programs that run for no micro-batch, whatever is scheduled.
constexpr const char *kUnscheduled[] = {"init",        "begin_step",
                                        "finish_step", "begin_eval",
                                        "finish_eval", "norm_params"};

template <typename List> bool holds(const List &list, const std::string &name) {
  return std::find(std::begin(list), std::end(list), name) != std::end(list);
}

using Carries = std::vector<std::vector<CarryUse>>; ///< of each program

/// The checks of one schedule.
class ScheduleChecker {
public:
  ScheduleChecker(const Plan &plan, const Schedule &schedule,
                  const Carries &carries, const std::string &what)
      : plan(plan), schedule(schedule), carries(carries), what(what) {}

  void run() {
    if (schedule.microBatches < 1)
      fail("has " + std::to_string(schedule.microBatches) +
           " micro-batches, expected at least 1");
    if (schedule.name == "update_step" && schedule.microBatches != 1)
      fail("has " + std::to_string(schedule.microBatches) +
           " micro-batches, but it runs once per step");
    for (at = 0; at < schedule.actions.size(); ++at)
      step(schedule.actions[at]);
    finish();
  }

private:
  /// A carry, channel or program, and a micro-batch.
  using Key = std::pair<int32_t, int64_t>;

  [[noreturn]] void fail(const std::string &message) const {
    throw UserError(what + ": schedule '" + schedule.name + "': " + message);
  }
  [[noreturn]] void failHere(const std::string &message) const {
    fail("action " + std::to_string(at) + " (" +
         actionText(plan, schedule.actions[at]) + "): " + message);
  }
  const std::string &nameOf(int32_t buffer) const {
    return plan.buffers[size_t(buffer)].name;
  }

  void step(const Action &action) {
    if (action.microBatch < 0 || action.microBatch >= schedule.microBatches)
      failHere("there are the micro-batches 0 to " +
               std::to_string(schedule.microBatches - 1));
    switch (action.kind) {
    case ActionKind::Run:
      return runProgram(action);
    case ActionKind::Free:
      return freeCarry(action);
    case ActionKind::Send:
    case ActionKind::Recv:
      return start(action);
    case ActionKind::Wait:
      return wait(action);
    }
  }

  void requireIndex(const Action &action, size_t count,
                    const char *what) const {
    if (action.index < 0 || size_t(action.index) >= count)
      failHere(std::string(what) + " " + std::to_string(action.index) +
               " does not exist (the plan has " + std::to_string(count) + ")");
  }

  void put(int32_t buffer, int64_t microBatch) {
    if (!present.insert({buffer, microBatch}).second)
      failHere("the carry '" + nameOf(buffer) +
               "' is there already for this micro-batch");
  }
  void require(int32_t buffer, int64_t microBatch) const {
    if (present.count({buffer, microBatch}))
      return;
    failHere("the carry '" + nameOf(buffer) + "' is not there: " +
             (dropped.count({buffer, microBatch})
                  ? "it was dropped before"
                  : "nothing has made it for this micro-batch"));
  }
  void drop(int32_t buffer, int64_t microBatch) {
    present.erase({buffer, microBatch});
    dropped.insert({buffer, microBatch});
  }

  void runProgram(const Action &action) {
    requireIndex(action, plan.programs.size(), "the program");
    if (!runs[action.index].insert(action.microBatch).second)
      failHere("runs twice for this micro-batch");
    for (const CarryUse &use : carries[size_t(action.index)]) {
      if (use.isWritten)
        put(use.buffer, action.microBatch);
      else
        require(use.buffer, action.microBatch);
    }
    for (const CarryUse &use : carries[size_t(action.index)])
      if (use.isFreed)
        drop(use.buffer, action.microBatch);
  }

  void freeCarry(const Action &action) {
    requireIndex(action, plan.buffers.size(), "the buffer");
    if (!isCarry(plan, action.index))
      failHere("is no carry");
    require(action.index, action.microBatch);
    drop(action.index, action.microBatch);
  }

  void start(const Action &action) {
    requireIndex(action, plan.channels.size(), "the channel");
    const Channel &channel = plan.channels[size_t(action.index)];
    if (channel.isSend != (action.kind == ActionKind::Send))
      failHere(std::string("is a channel to ") +
               (channel.isSend ? "send" : "receive") + " on");
    if (channel.isSend)
      require(channel.buffer, action.microBatch);
    if (!started.emplace(Key{action.index, action.microBatch}, false).second)
      failHere("was started before for this micro-batch");
  }

  void wait(const Action &action) {
    requireIndex(action, plan.channels.size(), "the channel");
    auto it = started.find({action.index, action.microBatch});
    if (it == started.end())
      failHere("waits for what was not started");
    if (it->second)
      failHere("was waited for before");
    it->second = true;
    const Channel &channel = plan.channels[size_t(action.index)];
    if (!channel.isSend)
      put(channel.buffer, action.microBatch);
  }

  void finish() const {
    for (const auto &[key, isDone] : started)
      if (!isDone)
        fail("nothing waits for the " +
             std::string(plan.channels[size_t(key.first)].isSend ? "send"
                                                                 : "recv") +
             " of '" + plan.channels[size_t(key.first)].name +
             "', micro-batch " + std::to_string(key.second));
    if (!present.empty())
      fail("the carry '" + nameOf(present.begin()->first) +
           "' is left over for micro-batch " +
           std::to_string(present.begin()->second));
    for (const auto &[program, microBatches] : runs) {
      // Some run once, at an end of the schedule.
      bool isOnce = microBatches == std::set<int64_t>{0};
      if (isOnce || int64_t(microBatches.size()) == schedule.microBatches)
        continue;
      fail("runs the program '" + plan.programs[size_t(program)].name +
           "' for " + std::to_string(microBatches.size()) + " of " +
           std::to_string(schedule.microBatches) + " micro-batches");
    }
  }

  const Plan &plan;
  const Schedule &schedule;
  const Carries &carries;
  const std::string &what;
  size_t at = 0;
  std::set<Key> present; ///< carries
  std::set<Key> dropped;
  std::map<Key, bool> started; ///< channels: has it been waited for?
  std::map<int32_t, std::set<int64_t>> runs;
};

void checkChannels(const Plan &plan, const std::string &what) {
  int64_t stages = 1;
  for (const auto &[axis, size] : plan.mesh)
    if (axis == "pp")
      stages = size;
  std::set<std::string> names;
  for (const Channel &channel : plan.channels) {
    auto fail = [&](const std::string &message) {
      throw UserError(what + ": channel '" + channel.name + "': " + message);
    };
    if (channel.name.empty() || !names.insert(channel.name).second)
      fail("its name is empty or stands twice");
    if (channel.peer < 0 || channel.peer >= stages || stages == 1)
      fail("its peer is stage " + std::to_string(channel.peer) + " of " +
           std::to_string(stages));
    if (channel.buffer < 0 || size_t(channel.buffer) >= plan.buffers.size())
      fail("buffer " + std::to_string(channel.buffer) +
           " does not exist (the plan has " +
           std::to_string(plan.buffers.size()) + ")");
    if (!isCarry(plan, channel.buffer))
      fail("its buffer '" + plan.buffers[size_t(channel.buffer)].name +
           "' is no carry");
  }
}

/// What runs for no micro-batch has no carries.
void checkWhoCarries(const Plan &plan, const Carries &carries,
                     const std::string &what) {
  std::set<int32_t> scheduled;
  for (const Schedule &schedule : plan.schedules)
    for (const Action &action : schedule.actions)
      if (action.kind == ActionKind::Run)
        scheduled.insert(action.index);
  for (size_t i = 0; i < plan.programs.size(); ++i) {
    const std::string &name = plan.programs[i].name;
    bool runsAlone = holds(kUnscheduled, name) ||
                     (holds(kSchedules, name) && !findSchedule(plan, name));
    if (!carries[i].empty() && (runsAlone || !scheduled.count(int32_t(i))))
      throw UserError(
          what + ": program '" + name + "' uses the carry '" +
          plan.buffers[size_t(carries[i][0].buffer)].name +
          "', but runs outside of schedules: there is no micro-batch");
  }
}

} // namespace

void verifySchedules(const Plan &plan, const std::string &what) {
  checkChannels(plan, what);
  Carries carries;
  for (const Program &program : plan.programs)
    carries.push_back(carriesOf(plan, program));
  std::set<std::string> names;
  for (const Schedule &schedule : plan.schedules) {
    if (!holds(kSchedules, schedule.name))
      throw UserError(what + ": unknown schedule '" + schedule.name +
                      "' (known: train_step, eval_step, update_step)");
    if (!names.insert(schedule.name).second)
      throw UserError(what + ": two schedules are named '" + schedule.name +
                      "'");
    ScheduleChecker(plan, schedule, carries, what).run();
  }
  checkWhoCarries(plan, carries, what);
}

} // namespace nxdt::plan
