//===- Corruptions.cpp - one broken rule at a time ------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Corruptions.h"

#include <algorithm>
#include <functional>
#include <stdexcept>

namespace nxdt::schedule {
namespace {

using plan::ActionKind;
using Random = std::mt19937_64;

struct Place {
  int64_t stage = -1;
  int64_t action = -1;
};

/// A random action for which `fits` holds; stage -1: none.
Place pick(const PipelineSchedule &schedule, Random &random,
           const std::function<bool(int64_t, const Action &)> &fits) {
  std::vector<Place> places;
  for (int64_t stage = 0; stage < schedule.stages; ++stage)
    for (size_t i = 0; i < schedule.actions[stage].size(); ++i)
      if (fits(stage, schedule.actions[stage][i]))
        places.push_back({stage, static_cast<int64_t>(i)});
  if (places.empty())
    return {};
  return places[uniform(random, 0, static_cast<int64_t>(places.size()) - 1)];
}

Place pickKind(const PipelineSchedule &schedule, Random &random,
               std::initializer_list<ActionKind> kinds) {
  return pick(schedule, random, [&](int64_t, const Action &action) {
    return std::find(kinds.begin(), kinds.end(), action.kind) != kinds.end();
  });
}

const Channel &channelOf(const PipelineSchedule &schedule,
                         const std::string &name) {
  return *std::find_if(
      schedule.channels.begin(), schedule.channels.end(),
      [&](const Channel &channel) { return channel.name == name; });
}

std::vector<Action>::iterator find(std::vector<Action> &actions,
                                   const Action &action) {
  return std::find(actions.begin(), actions.end(), action);
}

bool drop(Proved &proved, Place place) {
  if (place.stage < 0)
    return false;
  auto &actions = proved.schedule.actions[place.stage];
  actions.erase(actions.begin() + place.action);
  return true;
}

/// Moves `action` of a stage to just before `target`, which comes before it.
void moveBefore(std::vector<Action> &actions, const Action &action,
                const Action &target) {
  actions.erase(find(actions, action));
  actions.insert(find(actions, target), action);
}

bool dropRun(Proved &proved, Random &random) {
  return drop(proved, pickKind(proved.schedule, random, {ActionKind::Run}));
}

bool dropTransfer(Proved &proved, Random &random) {
  return drop(proved, pickKind(proved.schedule, random,
                               {ActionKind::Send, ActionKind::Recv}));
}

bool dropWait(Proved &proved, Random &random) {
  return drop(proved, pickKind(proved.schedule, random, {ActionKind::Wait}));
}

bool repeat(Proved &proved, Random &random) {
  Place place = pickKind(proved.schedule, random,
                         {ActionKind::Run, ActionKind::Send, ActionKind::Recv,
                          ActionKind::Wait, ActionKind::Free});
  auto &actions = proved.schedule.actions[place.stage];
  Action action = actions[place.action];
  actions.insert(actions.begin() +
                     uniform(random, place.action + 1,
                             static_cast<int64_t>(actions.size())),
                 action);
  return true;
}

bool misname(Proved &proved, Random &random) {
  Place place = pickKind(
      proved.schedule, random,
      {ActionKind::Run, ActionKind::Send, ActionKind::Recv, ActionKind::Wait});
  Action &action = proved.schedule.actions[place.stage][place.action];
  if (std::optional<ProgramPass> pass = passOf(action.name))
    action.name =
        programName(pass->pass, proved.problem.chunks(), pass->forwardOnly);
  else
    action.name += "x";
  return true;
}

bool otherStage(Proved &proved, Random &random) {
  if (proved.schedule.stages < 2)
    return false;
  Place place = pickKind(proved.schedule, random, {ActionKind::Run});
  Action action = proved.schedule.actions[place.stage][place.action];
  drop(proved, place);
  int64_t other = (place.stage + 1) % proved.schedule.stages;
  proved.schedule.actions[other].push_back(action);
  return true;
}

bool otherEnd(Proved &proved, Random &random) {
  Place place =
      pickKind(proved.schedule, random, {ActionKind::Send, ActionKind::Recv});
  if (place.stage < 0)
    return false;
  ActionKind &kind = proved.schedule.actions[place.stage][place.action].kind;
  kind = kind == ActionKind::Send ? ActionKind::Recv : ActionKind::Send;
  return true;
}

bool microBatchTooFar(Proved &proved, Random &random) {
  Place place = pickKind(proved.schedule, random,
                         {ActionKind::Run, ActionKind::Send, ActionKind::Recv,
                          ActionKind::Wait, ActionKind::Free});
  proved.schedule.actions[place.stage][place.action].microBatch =
      uniform(random, 0, 1) ? proved.schedule.microBatches : -1;
  return true;
}

bool waitEarly(Proved &proved, Random &random) {
  Place place =
      pickKind(proved.schedule, random, {ActionKind::Send, ActionKind::Recv});
  if (place.stage < 0)
    return false;
  auto &actions = proved.schedule.actions[place.stage];
  Action begin = actions[place.action];
  moveBefore(actions, {ActionKind::Wait, begin.name, begin.microBatch}, begin);
  return true;
}

bool backwardFirst(Proved &proved, Random &random) {
  if (proved.problem.forwardOnly)
    return false;
  Place place =
      pick(proved.schedule, random, [](int64_t, const Action &action) {
        return action.name.starts_with("backward.");
      });
  auto &actions = proved.schedule.actions[place.stage];
  Action backward = actions[place.action];
  moveBefore(actions, backward,
             {ActionKind::Run, "forward." + backward.name.substr(9),
              backward.microBatch});
  return true;
}

bool sendEarly(Proved &proved, Random &random) {
  Place place = pickKind(proved.schedule, random, {ActionKind::Send});
  if (place.stage < 0)
    return false;
  auto &actions = proved.schedule.actions[place.stage];
  Action send = actions[place.action];
  moveBefore(actions, send,
             {ActionKind::Run, channelOf(proved.schedule, send.name).producer,
              send.microBatch});
  return true;
}

bool useEarly(Proved &proved, Random &random) {
  Place place = pickKind(proved.schedule, random, {ActionKind::Recv});
  if (place.stage < 0)
    return false;
  auto &actions = proved.schedule.actions[place.stage];
  Action wait = actions[place.action];
  wait.kind = ActionKind::Wait;
  auto it = actions.erase(find(actions, wait));
  it = std::find(it, actions.end(),
                 Action{ActionKind::Run,
                        channelOf(proved.schedule, wait.name).consumer,
                        wait.microBatch});
  actions.insert(it + 1, wait);
  return true;
}

bool swapReceives(Proved &proved, Random &random) {
  Place place =
      pick(proved.schedule, random, [](int64_t, const Action &action) {
        return action.kind == ActionKind::Recv && action.microBatch > 0;
      });
  if (place.stage < 0)
    return false;
  auto &actions = proved.schedule.actions[place.stage];
  Action later = actions[place.action];
  moveBefore(actions, later,
             {ActionKind::Recv, later.name, later.microBatch - 1});
  return true;
}

/// One more forward pass before a backward pass where a stage is full.
bool holdMore(Proved &proved, Random &random) {
  if (proved.problem.forwardOnly)
    return false;
  int64_t stage = uniform(random, 0, proved.problem.stages - 1);
  std::vector<ComputeStep> &steps = proved.order[stage];
  std::vector<size_t> pairs;
  for (size_t i = 0; i + 1 < steps.size(); ++i)
    if (steps[i].pass == Pass::Backward && steps[i + 1].pass == Pass::Forward)
      pairs.push_back(i);
  if (pairs.empty())
    return false;
  size_t i = pairs[uniform(random, 0, static_cast<int64_t>(pairs.size()) - 1)];
  std::swap(steps[i], steps[i + 1]);
  try {
    proved.schedule = expand(proved.problem, proved.order,
                             proved.schedule.channels, proved.options);
  } catch (const std::logic_error &) {
    return false; // the data goes round in circles as well
  }
  return true;
}

/// Waits at its very begin for what comes of its own passes.
bool waitForItself(Proved &proved, Random &random) {
  Place place =
      pick(proved.schedule, random, [&](int64_t stage, const Action &action) {
        if (action.kind != ActionKind::Recv)
          return false;
        // The first of its channel, so that only the circle is wrong.
        const auto &actions = proved.schedule.actions[stage];
        auto first = std::find_if(actions.begin(), actions.end(),
                                  [&](const Action &other) {
                                    return other.kind == ActionKind::Recv &&
                                           other.name == action.name;
                                  });
        std::optional<ProgramPass> pass =
            passOf(channelOf(proved.schedule, action.name).consumer);
        return first->microBatch == action.microBatch &&
               (pass->pass == Pass::Backward ||
                pass->chunk >= proved.schedule.stages);
      });
  if (place.stage < 0)
    return false;
  auto &actions = proved.schedule.actions[place.stage];
  Action recv = actions[place.action];
  Action wait = {ActionKind::Wait, recv.name, recv.microBatch};
  actions.erase(find(actions, recv));
  actions.erase(find(actions, wait));
  actions.insert(actions.begin(), {recv, wait});
  return true;
}

/// All of one channel's actions, where it is the only one of its edge.
bool dropChannel(Proved &proved, Random &random) {
  auto &channels = proved.schedule.channels;
  if (channels.empty())
    return false;
  auto it = channels.begin() +
            uniform(random, 0, static_cast<int64_t>(channels.size()) - 1);
  Channel channel = *it;
  channels.erase(it);
  for (auto &actions : proved.schedule.actions)
    std::erase_if(actions, [&](const Action &action) {
      return action.name == channel.name;
    });
  return std::none_of(channels.begin(), channels.end(),
                      [&](const Channel &other) {
                        return other.producer == channel.producer &&
                               other.consumer == channel.consumer;
                      });
}

bool bendChannel(Proved &proved, Random &random) {
  auto &channels = proved.schedule.channels;
  if (channels.empty())
    return false;
  Channel &channel =
      channels[uniform(random, 0, static_cast<int64_t>(channels.size()) - 1)];
  switch (uniform(random, 0, 3)) {
  case 0:
    channel.toStage = channel.fromStage;
    return true;
  case 1:
    channel.fromStage = proved.schedule.stages;
    return true;
  case 2:
    channel.producer.clear();
    return true;
  default:
    channels.push_back(channel);
    return true;
  }
}

} // namespace

const std::vector<Corruption> &corruptions() {
  static const std::vector<Corruption> all = {
      {"bends a channel", Rule::Shape, bendChannel},
      {"drops a channel", Rule::NoChannel, dropChannel},
      {"misnames", Rule::UnknownName, misname},
      {"runs on another stage", Rule::WrongStage, otherStage},
      {"takes a channel's other end", Rule::WrongStage, otherEnd},
      {"names a micro-batch there is not", Rule::MicroBatch, microBatchTooFar},
      {"repeats an action", Rule::Repeated, repeat},
      {"drops a run", Rule::Missing, dropRun},
      {"drops a send or receive", Rule::UnmatchedTransfer, dropTransfer},
      {"drops a wait", Rule::Unwaited, dropWait},
      {"waits before the begin", Rule::WaitBeforeBegin, waitEarly},
      {"goes back before forward", Rule::BackwardBeforeForward, backwardFirst},
      {"sends before the run", Rule::SentBeforeComputed, sendEarly},
      {"runs before the wait", Rule::UsedBeforeArrived, useEarly},
      {"swaps receives", Rule::ChannelOrder, swapReceives},
      {"holds one more activation", Rule::InFlight, holdMore},
      {"waits for itself", Rule::Deadlock, waitForItself},
  };
  return all;
}

} // namespace nxdt::schedule
