//===- VerifyComm.cpp - do all ranks meet in every collective? ------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "nxdt/Verify/VerifyComm.h"

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

/// The class comes to its next collective; if it is the last one there, all
/// go on.
void Simulation::arrive(int self) {
  if (hasEnded(self))
    return;
  Meeting meeting = meetingOf(self, step(self));
  std::set<int> &here = arrived[meeting];
  here.insert(self);
  std::set<int> wanted(meeting.second.begin(), meeting.second.end());
  if (here != wanted)
    return;
  compare(meeting);
  arrived.erase(meeting);
  for (int other : wanted) {
    ++at[other];
    moved.push_back(other);
  }
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

void verifyComm(const plan::Plan &plan, const std::string &what) {
  plan::Mesh mesh = plan::meshOf(plan);
  CommClass all;
  for (int64_t rank = 0; rank < mesh.size(); ++rank)
    all.ranks.push_back(rank);
  for (const plan::Program &program : plan.programs)
    for (size_t i = 0; i < program.instructions.size(); ++i) {
      const plan::Instruction &instruction = program.instructions[i];
      if (instruction.kind != plan::OpKind::Collective ||
          instruction.collective == plan::Collective::AllSlice)
        continue;
      const plan::Value &operand =
          program.values[std::get<plan::ValueRef>(instruction.args[0]).index];
      all.steps.push_back(
          {instruction.axes, instruction.collective, instruction.reduction,
           operand.dtype, operand.shape, instruction.dim,
           "program '" + program.name + "', instruction " + std::to_string(i) +
               (instruction.module.empty() ? "" : ", " + instruction.module)});
    }
  verifyRendezvous(mesh, {all}, what);
}

} // namespace nxdt
