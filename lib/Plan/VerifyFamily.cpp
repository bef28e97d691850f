//===- VerifyFamily.cpp - do the stages of a family fit together? -*- C++
//-*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Checks.h"
#include "nxdt/Plan/Family.h"
#include "nxdt/Plan/PlanVerify.h"
#include "nxdt/Support/UserError.h"

#include <algorithm>
#include <map>
#include <set>

namespace nxdt::plan {
namespace {

/// The checks of what no stage can know alone.
class FamilyChecker {
public:
  FamilyChecker(const PlanFamily &family, const std::string &what)
      : family(family), what(what) {}

  void run() {
    checkHeads();
    checkParameters();
    for (size_t stage = 0; stage < family.stages.size(); ++stage)
      checkSchedules(stage);
    for (size_t stage = 0; stage < family.stages.size(); ++stage)
      for (const Channel &channel : family.stages[stage].channels)
        checkChannel(int64_t(stage), channel);
    verifyShared(family, what);
  }

private:
  [[noreturn]] void fail(const std::string &message) const {
    throw UserError(what + ": " + message);
  }
  static std::string text(size_t stage) {
    return "stage " + std::to_string(stage);
  }

  void checkHeads() const {
    const Plan &first = family.stages[0];
    int64_t stages = 1;
    for (const auto &[axis, size] : first.mesh)
      if (axis == "pp")
        stages = size;
    if (int64_t(family.stages.size()) != stages)
      fail("has the plans of " + std::to_string(family.stages.size()) +
           " stages, but the mesh has pp " + std::to_string(stages));
    for (size_t stage = 1; stage < family.stages.size(); ++stage) {
      const Plan &other = family.stages[stage];
      auto check = [&](const char *field, bool isSame) {
        if (!isSame)
          fail(text(stage) + " and stage 0 differ in " + field);
      };
      check("device", other.device == first.device);
      check("mesh", other.mesh == first.mesh);
      check("libraries", other.libraries == first.libraries);
      check("micro_batch_size", other.microBatchSize == first.microBatchSize);
      check("sequence_length", other.sequenceLength == first.sequenceLength);
      check("vocab_size", other.vocabSize == first.vocabSize);
      check("tied", other.tied == first.tied);
    }
  }

  /// Those on several stages are copies of one.
  void checkParameters() const {
    std::map<std::string, std::pair<size_t, const Buffer *>> params;
    std::map<std::string, size_t> keepers;
    for (size_t stage = 0; stage < family.stages.size(); ++stage)
      for (const Buffer &buffer : family.stages[stage].buffers) {
        if (buffer.role == Role::OptState) {
          auto [it, isNew] = keepers.emplace(buffer.param, stage);
          if (it->second != stage)
            fail("the parameter '" + buffer.param +
                 "' has optimizer states on " + text(it->second) + " and on " +
                 text(stage));
        }
        if (buffer.role != Role::Param)
          continue;
        auto [it, isNew] =
            params.emplace(buffer.param, std::pair(stage, &buffer));
        const Buffer &other = *it->second.second;
        if (buffer.dtype != other.dtype ||
            buffer.logicalShape != other.logicalShape ||
            buffer.split != other.split ||
            buffer.init.kind != other.init.kind ||
            buffer.init.a != other.init.a || buffer.init.b != other.init.b)
          fail("the parameter '" + buffer.param + "' is not the same on " +
               text(it->second.first) + " and on " + text(stage));
      }
    // A stage knows its own parameters only, verify() of a single plan has
    // looked at those.
    if (family.stages.size() == 1)
      return;
    for (const auto &[alias, stored] : family.stages[0].tied) {
      if (!params.count(stored))
        fail("tied: '" + stored + "' is not the parameter of any buffer");
      if (params.count(alias))
        fail("tied: the alias '" + alias + "' has a buffer of its own");
    }
  }

  void checkSchedules(size_t stage) const {
    for (const Schedule &schedule : family.stages[0].schedules) {
      const Schedule *other = findSchedule(family.stages[stage], schedule.name);
      if (!other)
        fail(text(stage) + " has no schedule '" + schedule.name +
             "', but stage 0 has one");
      if (other->microBatches != schedule.microBatches)
        fail("the schedule '" + schedule.name + "' has " +
             std::to_string(schedule.microBatches) +
             " micro-batches on stage 0 and " +
             std::to_string(other->microBatches) + " on " + text(stage));
    }
    for (const Schedule &schedule : family.stages[stage].schedules)
      if (!findSchedule(family.stages[0], schedule.name))
        fail("stage 0 has no schedule '" + schedule.name + "', but " +
             text(stage) + " has one");
  }

  void checkChannel(int64_t stage, const Channel &channel) const {
    auto failHere = [&](const std::string &message) {
      fail("channel '" + channel.name + "' of " + text(size_t(stage)) + ": " +
           message);
    };
    if (channel.peer == stage)
      failHere("its peer is its own stage");
    const Plan &plan = family.stages[size_t(stage)];
    const Plan &other = family.stages[size_t(channel.peer)];
    const Channel *end = nullptr;
    for (const Channel &candidate : other.channels)
      if (candidate.name == channel.name)
        end = &candidate;
    if (!end)
      failHere(text(size_t(channel.peer)) + " has no such channel");
    if (end->peer != stage)
      failHere("on " + text(size_t(channel.peer)) + " its peer is stage " +
               std::to_string(end->peer));
    if (end->isSend == channel.isSend)
      failHere(std::string("both ends ") +
               (channel.isSend ? "send" : "receive"));
    const Buffer &here = plan.buffers[size_t(channel.buffer)];
    const Buffer &there = other.buffers[size_t(end->buffer)];
    if (here.dtype != there.dtype || here.shape != there.shape ||
        here.logicalShape != there.logicalShape || here.split != there.split ||
        here.partial != there.partial)
      failHere("'" + here.name + "' is " + typed(here.dtype, here.shape) +
               ", but on " + text(size_t(channel.peer)) + " '" + there.name +
               "' is " + typed(there.dtype, there.shape) +
               (here.shape == there.shape ? " and lies otherwise" : ""));
    if (channel.isSend)
      for (const Schedule &schedule : plan.schedules)
        checkOrder(schedule, stage, channel, *end, failHere);
  }

  /// The micro-batches in the order in which a channel is used.
  static std::vector<int64_t> orderOf(const Plan &plan,
                                      const Schedule &schedule,
                                      const Channel &channel, ActionKind kind) {
    std::vector<int64_t> out;
    for (const Action &action : schedule.actions)
      if (action.kind == kind &&
          &plan.channels[size_t(action.index)] == &channel)
        out.push_back(action.microBatch);
    return out;
  }

  void checkOrder(const Schedule &schedule, int64_t stage,
                  const Channel &sender, const Channel &receiver,
                  const Fail &failHere) const {
    const Plan &here = family.stages[size_t(stage)];
    const Plan &there = family.stages[size_t(sender.peer)];
    std::vector<int64_t> sent =
        orderOf(here, schedule, sender, ActionKind::Send);
    std::vector<int64_t> received = orderOf(
        there, *findSchedule(there, schedule.name), receiver, ActionKind::Recv);
    if (sent == received)
      return;
    size_t at = 0;
    while (at < std::min(sent.size(), received.size()) &&
           sent[at] == received[at])
      ++at;
    auto shownAt = [&](const std::vector<int64_t> &order) {
      return at < order.size() ? "micro-batch " + std::to_string(order[at])
                               : std::string("nothing");
    };
    failHere("schedule '" + schedule.name + "': at place " +
             std::to_string(at) + " it sends " + shownAt(sent) + ", but " +
             text(size_t(sender.peer)) + " receives " + shownAt(received));
  }

  const PlanFamily &family;
  const std::string &what;
};

} // namespace

void verifyFamily(const PlanFamily &family, const std::string &what) {
  if (family.stages.empty())
    throw UserError(what + ": has no stages");
  for (size_t stage = 0; stage < family.stages.size(); ++stage)
    verify(family.stages[stage],
           family.stages.size() == 1
               ? what
               : what + ": stage " + std::to_string(stage));
  FamilyChecker(family, what).run();
}

} // namespace nxdt::plan
