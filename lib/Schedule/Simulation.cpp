//===- Simulation.cpp - runs all stages' actions together -----------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Simulation.h"

#include <algorithm>

namespace nxdt::schedule {

using plan::ActionKind;

Simulation::Simulation(const PipelineSchedule &schedule,
                       const CommunicationModel &model, RunTime runTime_s)
    : schedule(schedule), model(model), stages(schedule.stages),
      runTime_s(std::move(runTime_s)) {
  // (stage, peer or channel, is it of sends)
  std::map<std::tuple<int64_t, int64_t, bool>, int64_t> keys;
  auto queueOf = [&](int64_t stage, int64_t peer, int64_t channel,
                     bool isSend) {
    std::tuple<int64_t, int64_t, bool> key = {stage, peer, isSend};
    if (model.queue == Queue::PerChannel)
      key = {stage, channel, isSend};
    if (model.queue == Queue::PerPair)
      key = {stage, peer, false};
    return keys.try_emplace(key, keys.size()).first->second;
  };
  for (const Channel &channel : schedule.channels) {
    int64_t index = static_cast<int64_t>(channels.size());
    channels[channel.name] = index;
    sendQueue.push_back(
        queueOf(channel.fromStage, channel.toStage, index, true));
    recvQueue.push_back(
        queueOf(channel.toStage, channel.fromStage, index, false));
  }
  queues.resize(keys.size());
}

int64_t Simulation::messageOf(int64_t channel, int64_t microBatch) {
  auto [it, isNew] =
      indices.try_emplace({channel, microBatch}, messages.size());
  if (isNew) {
    Message message;
    message.channel = channel;
    message.microBatch = microBatch;
    messages.push_back(message);
  }
  return it->second;
}

bool Simulation::run() {
  for (int64_t stage = 0; stage < schedule.stages; ++stage)
    awake.push_back(stage);
  while (!awake.empty()) {
    int64_t stage = awake.back();
    awake.pop_back();
    while (advance(stage))
      ;
  }
  for (int64_t stage = 0; stage < schedule.stages; ++stage)
    if (stages[stage].next != schedule.actions[stage].size())
      return false;
  return true;
}

bool Simulation::advance(int64_t stage) {
  Stage &state = stages[stage];
  if (state.next == schedule.actions[stage].size())
    return false;
  const Action &action = schedule.actions[stage][state.next];
  switch (action.kind) {
  case ActionKind::Free:
    break;
  case ActionKind::Run: {
    double end_s = state.clock_s + runTime_s(stage, action);
    if (onRun)
      onRun(stage, state.next, state.clock_s, end_s);
    state.clock_s = end_s;
    break;
  }
  case ActionKind::Send:
  case ActionKind::Recv:
    begin(stage, action);
    break;
  case ActionKind::Wait: {
    int64_t channel = channelOf(action);
    const Message &message = messages[messageOf(channel, action.microBatch)];
    bool isGone = !model.isRendezvous && message.sendAction >= 0 &&
                  schedule.channels[channel].fromStage == stage;
    if (isGone)
      break;
    if (!message.isDone)
      return false;
    state.clock_s = std::max(state.clock_s, message.end_s);
    break;
  }
  }
  ++state.next;
  return true;
}

void Simulation::begin(int64_t stage, const Action &action) {
  int64_t channel = channelOf(action);
  int64_t index = messageOf(channel, action.microBatch);
  Message &message = messages[index];
  int64_t position = static_cast<int64_t>(stages[stage].next);
  bool isSend = action.kind == ActionKind::Send;
  (isSend ? message.sendAction : message.recvAction) = position;
  (isSend ? message.sendBegin_s : message.recvBegin_s) = stages[stage].clock_s;
  int64_t queue = isSend ? sendQueue[channel] : recvQueue[channel];
  // An eager send is gone at once: it holds up nothing.
  if (isSend && !model.isRendezvous) {
    finishHeads(recvQueue[channel]);
    return;
  }
  queues[queue].messages.push_back(index);
  finishHeads(queue);
}

void Simulation::finishHeads(int64_t queue) {
  // What ends here makes room there, and so on.
  std::vector<int64_t> open = {queue};
  while (!open.empty()) {
    TransferQueue &current = queues[open.back()];
    if (current.head == current.messages.size() ||
        !finish(current.messages[current.head])) {
      open.pop_back();
      continue;
    }
    const Message &message = messages[current.messages[current.head - 1]];
    open.push_back(sendQueue[message.channel]);
    open.push_back(recvQueue[message.channel]);
  }
}

bool Simulation::finish(int64_t index) {
  Message &message = messages[index];
  TransferQueue &sends = queues[sendQueue[message.channel]];
  TransferQueue &recvs = queues[recvQueue[message.channel]];
  if (message.sendAction < 0 || message.recvAction < 0 ||
      !recvs.isHead(index) || (model.isRendezvous && !sends.isHead(index)))
    return false;
  message.begin_s = std::max(
      {message.sendBegin_s, message.recvBegin_s, sends.free_s, recvs.free_s});
  const Channel &channel = schedule.channels[message.channel];
  message.end_s = message.begin_s + channel.transfer_s;
  message.isDone = true;
  for (TransferQueue *queue : {&sends, &recvs}) {
    if (queue == &sends && !model.isRendezvous)
      continue;
    ++queue->head;
    queue->free_s = message.end_s;
  }
  awake.push_back(channel.fromStage);
  awake.push_back(channel.toStage);
  return true;
}

} // namespace nxdt::schedule
