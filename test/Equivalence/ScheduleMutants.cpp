//===- ScheduleMutants.cpp - ways to break schedules ---------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Actions that have nothing to do with each other may be done either way round:
// only those are moved that must come before or after another.
//
//===----------------------------------------------------------------------===//
#include "PlanMutants.h"

#include "nxdt/Plan/PlanJson.h"

#include <map>
#include <tuple>

using namespace nxdt;
using namespace nxdt::plan;

namespace {

/// What an action reads or changes: a buffer or a carry for its micro-batch, a
/// message, or the order of a channel.
using Thing = std::tuple<char, int32_t, int64_t>;
using Touches = std::map<Thing, bool>; ///< is it changed?

bool isInPlace(const Instruction &instruction) {
  std::string_view name = instruction.op;
  name = name.substr(0, name.find('.'));
  return instruction.kind == OpKind::Aten && name.ends_with('_');
}

class ScheduleMutants {
public:
  ScheduleMutants(const PlanFamily &family, size_t stage, size_t schedule,
                  const Visit &visit)
      : family(family), plan(family.stages[stage]), stage(stage),
        schedule(schedule), actions(plan.schedules[schedule].actions),
        visit(visit) {
    for (const Action &action : actions)
      touches.push_back(touchesOf(action));
  }

  void run() {
    for (at = 0; at < actions.size(); ++at) {
      always();
      orders();
    }
  }

private:
  using Actions = std::vector<Action>;

  void add(const std::string &kind, std::function<void(Actions &)> change) {
    std::string place =
        plan.schedules[schedule].name + " " + std::to_string(at) + " " +
        actionText(plan, actions[at]) + stageText(family, stage);
    visit([=, this, &family = family, stage = stage, schedule = schedule] {
      Mutant mutant{kind, place, family};
      change(mutant.family.stages[stage].schedules[schedule].actions);
      return mutant;
    });
  }

  Touches touchesOf(const Action &action) const {
    Touches out;
    auto touch = [&](char what, int32_t index, int64_t microBatch,
                     bool isChanged) {
      out[{what, index, microBatch}] |= isChanged;
    };
    switch (action.kind) {
    case ActionKind::Run:
      runTouches(plan.programs[action.index], action.microBatch, touch);
      break;
    case ActionKind::Free:
      touch('b', action.index, action.microBatch, true);
      break;
    case ActionKind::Send:
      touch('b', plan.channels[action.index].buffer, action.microBatch, false);
      [[fallthrough]];
    case ActionKind::Recv:
      touch('o', action.index, 0, true);
      touch('m', action.index, action.microBatch, true);
      break;
    case ActionKind::Wait:
      touch('m', action.index, action.microBatch, true);
      if (!plan.channels[action.index].isSend)
        touch('b', plan.channels[action.index].buffer, action.microBatch, true);
    }
    return out;
  }

  template <typename Touch>
  void runTouches(const Program &program, int64_t microBatch,
                  Touch touch) const {
    auto value = [&](int32_t index, bool isChanged) {
      if (index < 0 || program.values[index].buffer < 0)
        return;
      int32_t buffer = program.values[index].buffer;
      bool isCarry = plan.buffers[buffer].role == Role::Carry;
      touch('b', buffer, isCarry ? microBatch : -1, isChanged);
    };
    for (const Instruction &instruction : program.instructions) {
      for (size_t i = 0; i < instruction.args.size(); ++i) {
        if (auto *ref = std::get_if<ValueRef>(&instruction.args[i]))
          value(ref->index, i == 0 && isInPlace(instruction));
        if (auto *refs =
                std::get_if<std::vector<ValueRef>>(&instruction.args[i]))
          for (ValueRef ref : *refs)
            value(ref.index, isInPlace(instruction));
      }
      for (int32_t index : instruction.outs)
        value(index, true);
      for (int32_t index : instruction.gradOuts)
        value(index, false);
      for (int32_t index : instruction.frees)
        value(index, true);
    }
  }

  /// Whether the two must stay in their order.
  bool depend(size_t a, size_t b) const {
    // Micro-batches add to sums in any order.
    bool areAlike = actions[a].kind == ActionKind::Run &&
                    actions[b].kind == ActionKind::Run &&
                    passKind(a) == passKind(b);
    for (const auto &[thing, isChanged] : touches[a]) {
      auto it = touches[b].find(thing);
      bool isSum = std::get<2>(thing) < 0 && areAlike;
      if (it != touches[b].end() && (isChanged || it->second) && !isSum)
        return true;
    }
    return false;
  }
  /// "backward" of "backward.2".
  std::string passKind(size_t i) const {
    const std::string &name = plan.programs[actions[i].index].name;
    return name.substr(0, name.find('.'));
  }

  /// Wrong, whatever the action is.
  void always() {
    std::string kind(name(actions[at].kind));
    add("delete a " + kind,
        [at = at](Actions &list) { list.erase(list.begin() + at); });
    add("duplicate a " + kind, [at = at](Actions &list) {
      Action again = list[at];
      list.insert(list.begin() + at, again);
    });
    int64_t count = plan.schedules[schedule].microBatches;
    add("wrong micro-batch of a " + kind, [at = at, count](Actions &list) {
      int64_t &microBatch = list[at].microBatch;
      microBatch = count > 1 ? (microBatch + 1) % count : 1;
    });
    // The next program that the schedule runs, or the next channel.
    const Action &action = actions[at];
    for (size_t step = 1; step < actions.size(); ++step) {
      const Action &other = actions[(at + step) % actions.size()];
      if (other.kind != action.kind || other.index == action.index)
        continue;
      add(action.kind == ActionKind::Run    ? "run another program"
          : action.kind == ActionKind::Free ? "free another carry"
                                            : kind + " on another channel",
          [at = at, index = other.index](Actions &list) {
            list[at].index = index;
          });
      break;
    }
  }

  void move(const std::string &kind, size_t to) {
    add(kind, [at = at, to](Actions &list) {
      Action moved = list[at];
      list.erase(list.begin() + at);
      list.insert(list.begin() + to, moved);
    });
  }

  /// Where the action must come behind one before it, or before one behind it.
  void orders() {
    std::string kind(name(actions[at].kind));
    size_t before = at, behind = at;
    while (before > 0 && !depend(before - 1, at))
      --before;
    if (before > 0) {
      size_t cause = before - 1;
      if (actions[at].kind == ActionKind::Free)
        move("free too early", cause);
      else
        move("move a " + kind + " before what it needs", cause);
      if (cause > 0)
        move("move a " + kind + " to the front", 0);
    }
    while (behind + 1 < actions.size() && !depend(at, behind + 1))
      ++behind;
    if (behind + 1 < actions.size()) {
      if (behind + 2 < actions.size())
        move("move a " + kind + " to the end", actions.size() - 1);
      // The two places are exchanged.
      add("exchange with what needs it",
          [at = at, other = behind + 1](Actions &list) {
            std::swap(list[at], list[other]);
          });
    }
    exchangeMicroBatches();
  }

  /// A pass of one micro-batch in the place of another's.
  void exchangeMicroBatches() {
    for (size_t i = at + 1; i < actions.size(); ++i)
      if (actions[i].kind == actions[at].kind &&
          actions[i].index == actions[at].index &&
          actions[i].kind == ActionKind::Run)
        return add("exchange the micro-batches of two runs",
                   [at = at, i](Actions &list) {
                     std::swap(list[at].microBatch, list[i].microBatch);
                   });
  }

  const PlanFamily &family;
  const Plan &plan;
  size_t stage, schedule;
  const Actions &actions;
  const Visit &visit;
  std::vector<Touches> touches;
  size_t at = 0;
};

} // namespace

void nxdt::forEachScheduleMutant(const PlanFamily &family, const Visit &visit) {
  for (size_t stage = 0; stage < family.stages.size(); ++stage)
    for (size_t i = 0; i < family.stages[stage].schedules.size(); ++i)
      ScheduleMutants(family, stage, i, visit).run();
}
