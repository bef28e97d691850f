//===- VerifyComm.cpp - do all ranks meet in every collective? ------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "nxdt/Verify/VerifyComm.h"

#include "nxdt/Plan/Communication.h"
#include "nxdt/Plan/Family.h"
#include "nxdt/Plan/PlanJson.h"
#include "nxdt/Support/UserError.h"

#include <algorithm>
#include <deque>
#include <map>
#include <set>

namespace nxdt {
namespace {

/// What is the same for all who meet: the group's name, and its classes.
using Meeting = std::pair<std::string, std::vector<int>>;

class Simulation {
public:
  Simulation(const plan::Mesh &mesh, const std::vector<CommClass> &classes,
             const std::string &what)
      : mesh(mesh), classes(classes), what(what), at(classes.size(), 0) {}

  void run();

private:
  void assignClasses();
  Meeting meetingOf(int self, const CommStep &step);
  void arrive(int self);
  void goOn(int self);
  bool isReady(const CommStep &step);
  void compare(const Meeting &meeting);
  [[noreturn]] void reportDeadlock();
  std::vector<int> waitsFor(int self);
  std::string line(int self);

  const CommStep &step(int self) const { return classes[self].steps[at[self]]; }
  bool hasEnded(int self) const {
    return at[self] == classes[self].steps.size();
  }
  std::string rankName(int self) const {
    return "rank " + std::to_string(classes[self].ranks[0]);
  }

  const plan::Mesh &mesh;
  const std::vector<CommClass> &classes;
  const std::string &what;
  std::vector<size_t> at;
  std::vector<int> classOf;
  /// By class and group: whom its representative meets there.
  std::map<std::pair<int, std::string>, Meeting> meetings;
  std::map<Meeting, std::set<int>> arrived;
  /// By message: the ends that are ready.
  std::map<std::pair<std::string, int64_t>, std::set<int>> ready;
  std::deque<int> moved;
};

std::string shown(const CommStep &step) {
  std::string text = "nxdt::" + std::string(name(step.kind));
  if (step.kind == plan::Collective::AllReduce ||
      step.kind == plan::Collective::ReduceScatter)
    text += " " + std::string(name(step.reduction));
  text += " of " + std::string(name(step.dtype)) + "[";
  for (size_t i = 0; i < step.shape.size(); ++i)
    text += (i ? ", " : "") + std::to_string(step.shape[i]);
  text += "]";
  if (step.kind != plan::Collective::AllReduce)
    text += " along dimension " + std::to_string(step.dim);
  return text;
}

bool isSame(const CommStep &a, const CommStep &b) {
  return a.kind == b.kind && a.reduction == b.reduction && a.dtype == b.dtype &&
         a.shape == b.shape && a.dim == b.dim;
}

} // namespace

void Simulation::assignClasses() {
  classOf.assign(mesh.size(), -1);
  for (size_t i = 0; i < classes.size(); ++i)
    for (int64_t rank : classes[i].ranks) {
      if (rank < 0 || rank >= mesh.size() || classOf[rank] >= 0)
        throw UserError(what + ": verify-comm: rank " + std::to_string(rank) +
                        " has no program of its own");
      classOf[rank] = i;
    }
  for (size_t rank = 0; rank < classOf.size(); ++rank)
    if (classOf[rank] < 0)
      throw UserError(what + ": verify-comm: rank " + std::to_string(rank) +
                      " has no program");
}

/// Checks once for each class and group that all its ranks meet the same
/// classes.
Meeting Simulation::meetingOf(int self, const CommStep &step) {
  plan::GroupSpec spec = plan::toGroupSpec(step.axes);
  std::string name = plan::groupName(mesh, spec);
  auto [it, isNew] = meetings.try_emplace({self, name});
  if (!isNew)
    return it->second;
  plan::checkGroupSpec(mesh, spec);
  for (int64_t rank : classes[self].ranks) {
    std::vector<int64_t> group = plan::groupRanks(mesh, spec, rank);
    if (std::find(group.begin(), group.end(), rank) == group.end())
      throw UserError(what + ": verify-comm: rank " + std::to_string(rank) +
                      " is not in its own group over " + name);
    std::vector<int> seen;
    for (int64_t other : group)
      seen.push_back(classOf[other]);
    std::sort(seen.begin(), seen.end());
    if (rank == classes[self].ranks[0])
      it->second = {name, seen};
    else if (it->second.second != seen)
      throw UserError(what + ": verify-comm: ranks " +
                      std::to_string(classes[self].ranks[0]) + " and " +
                      std::to_string(rank) +
                      " run one program, but meet other programs over " + name);
  }
  return it->second;
}

void Simulation::compare(const Meeting &meeting) {
  int first = *meeting.second.begin();
  for (int other : meeting.second)
    if (!isSame(step(first), step(other)))
      throw UserError(what + ": verify-comm: ranks meet over " + meeting.first +
                      " in different collectives\n  " + rankName(first) + ": " +
                      shown(step(first)) + " (" + step(first).place + ")\n  " +
                      rankName(other) + ": " + shown(step(other)) + " (" +
                      step(other).place + ")");
}

void Simulation::goOn(int self) {
  ++at[self];
  moved.push_back(self);
}

bool Simulation::isReady(const CommStep &step) {
  return ready[{step.channel, step.microBatch}].size() == 2;
}

/// The class comes to its next step; if it is the last one at a collective, all
/// go on.
void Simulation::arrive(int self) {
  if (hasEnded(self))
    return;
  const CommStep &next = step(self);
  if (next.what == CommStep::What::Begin) {
    ready[{next.channel, next.microBatch}].insert(self);
    moved.push_back(next.peer);
    goOn(self);
    return;
  }
  if (next.what == CommStep::What::Wait) {
    if (isReady(next))
      goOn(self);
    return;
  }
  Meeting meeting = meetingOf(self, step(self));
  std::set<int> &here = arrived[meeting];
  here.insert(self);
  std::set<int> wanted(meeting.second.begin(), meeting.second.end());
  if (here != wanted)
    return;
  compare(meeting);
  arrived.erase(meeting);
  for (int other : wanted)
    goOn(other);
}

void Simulation::run() {
  assignClasses();
  for (size_t i = 0; i < classes.size(); ++i)
    moved.push_back(i);
  while (!moved.empty()) {
    int next = moved.front();
    moved.pop_front();
    arrive(next);
  }
  for (size_t i = 0; i < classes.size(); ++i)
    if (!hasEnded(i))
      reportDeadlock();
}

//===----------------------------------------------------------------------===//
// Deadlocks
//===----------------------------------------------------------------------===//

std::vector<int> Simulation::waitsFor(int self) {
  std::vector<int> missing;
  if (hasEnded(self))
    return missing;
  if (step(self).what != CommStep::What::Collective)
    return {step(self).peer};
  Meeting meeting = meetingOf(self, step(self));
  const std::set<int> &here = arrived[meeting];
  for (int other : meeting.second)
    if (!here.contains(other) && (missing.empty() || missing.back() != other))
      missing.push_back(other);
  return missing;
}

std::string Simulation::line(int self) {
  std::string text = "\n  " + rankName(self);
  if (hasEnded(self))
    return text + " has ended";
  if (step(self).what != CommStep::What::Collective)
    return text + " waits for '" + step(self).channel + "', micro-batch " +
           std::to_string(step(self).microBatch) + " (" + step(self).place +
           ") and " + rankName(step(self).peer);
  Meeting meeting = meetingOf(self, step(self));
  text += " waits in " + shown(step(self)) + " over " + meeting.first + " (" +
          step(self).place + ") for";
  for (int other : waitsFor(self))
    text += " " + rankName(other);
  return text;
}

/// The shortest way from a rank back to itself, or to one that has ended: each
/// waits for the next.
void Simulation::reportDeadlock() {
  std::vector<int> shortest;
  for (size_t start = 0; start < classes.size(); ++start) {
    if (hasEnded(start))
      continue;
    std::map<int, int> from;
    std::deque<int> queue = {int(start)};
    int end = -1, last = -1;
    while (!queue.empty() && last < 0) {
      int self = queue.front();
      queue.pop_front();
      for (int other : waitsFor(self)) {
        if (other == int(start) || hasEnded(other)) {
          last = self;
          end = other;
          break;
        }
        if (from.try_emplace(other, self).second)
          queue.push_back(other);
      }
    }
    if (last < 0)
      continue;
    std::vector<int> way;
    if (end != int(start))
      way.push_back(end);
    for (int self = last; self != int(start); self = from.at(self))
      way.push_back(self);
    way.push_back(start);
    std::reverse(way.begin(), way.end());
    if (shortest.empty() || way.size() < shortest.size())
      shortest = way;
  }
  std::string text = what + ": verify-comm: collectives that never end; each "
                            "rank waits for the next";
  for (int self : shortest)
    text += line(self);
  throw UserError(text);
}

void verifyRendezvous(const plan::Mesh &mesh,
                      const std::vector<CommClass> &classes,
                      const std::string &what) {
  Simulation(mesh, classes, what).run();
}

namespace {
/// Lists what the ranks of a plan do together.
class StepList {
public:
  StepList(const plan::Plan &plan, std::vector<CommStep> &steps)
      : plan(plan), steps(steps), wasRun(plan.programs.size()) {}

  void run(size_t index) {
    const plan::Program &program = plan.programs[index];
    for (size_t i = 0; i < program.instructions.size(); ++i) {
      const plan::Instruction &instruction = program.instructions[i];
      if (!plan::isCollective(instruction) ||
          instruction.collective == plan::Collective::AllSlice)
        continue;
      // Ranks of one stage always meet, once they meet at all.
      if (wasRun[index] && !spansStages(instruction.axes))
        continue;
      // A start counts as if it lasted until all are there: what ends so ends
      // also when ranks may go on.
      for (const plan::Transfer &transfer : plan::transfersOf(instruction)) {
        const plan::Value &operand = program.values[transfer.input];
        CommStep step;
        step.axes = instruction.axes;
        step.kind = instruction.collective;
        step.reduction = instruction.reduction;
        step.dtype = operand.dtype;
        step.shape = operand.shape;
        step.dim = instruction.dim;
        step.place =
            "program '" + program.name + "', instruction " + std::to_string(i) +
            (transfer.module.empty() ? ""
                                     : ", " + std::string(transfer.module));
        steps.push_back(std::move(step));
      }
    }
    wasRun[index] = true;
  }

  /// The schedule of that name, or the program.
  void runByName(std::string_view name) {
    if (const plan::Schedule *schedule = plan::findSchedule(plan, name)) {
      for (const plan::Action &action : schedule->actions)
        act(*schedule, action);
      return;
    }
    for (size_t i = 0; i < plan.programs.size(); ++i)
      if (plan.programs[i].name == name)
        run(i);
  }

private:
  static bool spansStages(const plan::Axes &axes) {
    return std::any_of(axes.begin(), axes.end(), [](const std::string &axis) {
      return axis.substr(0, axis.find(':')) == "pp";
    });
  }

  void act(const plan::Schedule &schedule, const plan::Action &action) {
    if (action.kind == plan::ActionKind::Run)
      return run(action.index);
    if (action.kind == plan::ActionKind::Free)
      return;
    const plan::Channel &channel = plan.channels[action.index];
    CommStep step;
    step.what = action.kind == plan::ActionKind::Wait ? CommStep::What::Wait
                                                      : CommStep::What::Begin;
    step.channel = channel.name;
    step.microBatch = action.microBatch;
    step.peer = static_cast<int>(channel.peer);
    step.place =
        "schedule '" + schedule.name + "', " + plan::actionText(plan, action);
    steps.push_back(std::move(step));
  }

  const plan::Plan &plan;
  std::vector<CommStep> &steps;
  std::vector<bool> wasRun;
};
} // namespace

void verifyComm(const plan::Plan &plan, const std::string &what) {
  plan::Mesh mesh = plan::meshOf(plan);
  CommClass all;
  for (int64_t rank = 0; rank < mesh.size(); ++rank)
    all.ranks.push_back(rank);
  StepList list(plan, all.steps);
  for (size_t i = 0; i < plan.programs.size(); ++i)
    list.run(i);
  verifyRendezvous(mesh, {all}, what);
}

void verifyComm(const plan::PlanFamily &family, const std::string &what) {
  if (family.stages.size() == 1)
    return verifyComm(family.stages[0], what);
  plan::Mesh mesh = plan::meshOf(family.stages[0]);
  std::vector<CommClass> classes(family.stages.size());
  for (int64_t rank = 0; rank < mesh.size(); ++rank)
    classes[plan::stageOf(mesh, rank)].ranks.push_back(rank);
  for (size_t stage = 0; stage < classes.size(); ++stage) {
    StepList list(family.stages[stage], classes[stage].steps);
    for (const char *name :
         {"init", "begin_step", "train_step", "finish_step", "update_step",
          "norm_params", "begin_eval", "eval_step", "finish_eval"})
      list.runByName(name);
  }
  verifyRendezvous(mesh, classes, what);
}

} // namespace nxdt
