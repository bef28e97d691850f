//===- ScheduleRun.cpp - a stage, action by action -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "runtime/Executor/ScheduleRun.h"
#include "nxdt/Plan/Family.h"
#include "nxdt/Support/UserError.h"
#include "runtime/Checkpoint/TorchTensor.h"
#include "runtime/Executor/Recorder.h"

#include "ATen/ops/empty.h"

namespace nxdt::runtime {

std::vector<comm::Group *> bindChannels(const plan::Plan &plan,
                                        const plan::Mesh &mesh,
                                        comm::RankView *world) {
  std::vector<comm::Group *> out;
  for (const plan::Channel &channel : plan.channels) {
    // The plan's mesh is the world's, and has more than one stage.
    comm::Group &group = world->channel(channel.name);
    int64_t stage = plan::stageOf(mesh, world->rank());
    comm::ChannelSpec expected{channel.name,
                               channel.isSend ? stage : channel.peer,
                               channel.isSend ? channel.peer : stage};
    if (group.ranks() != comm::channelRanks(mesh, expected, world->rank()))
      throw UserError("the channel '" + channel.name +
                      "' does not go from "
                      "stage " +
                      std::to_string(expected.from) + " to stage " +
                      std::to_string(expected.to) + " as in this plan");
    out.push_back(&group);
  }
  return out;
}

void ScheduleRun::run(const plan::Schedule &schedule,
                      const std::function<void(int32_t, int64_t)> &runProgram) {
  try {
    for (const plan::Action &action : schedule.actions)
      switch (action.kind) {
      case plan::ActionKind::Run:
        runProgram(action.index, action.microBatch);
        break;
      case plan::ActionKind::Send:
      case plan::ActionKind::Recv:
        start(action);
        break;
      case plan::ActionKind::Wait:
        wait(action);
        break;
      case plan::ActionKind::Free:
        carries.take(action.index, action.microBatch);
        break;
      }
  } catch (...) {
    works.clear();
    carries.clear();
    throw;
  }
}

void ScheduleRun::start(const plan::Action &action) {
  const plan::Channel &channel = plan.channels[size_t(action.index)];
  comm::Group &group = *channels[size_t(action.index)];
  std::string label = channel.reason + (channel.reason.empty() ? "" : ", ") +
                      "micro-batch " + std::to_string(action.microBatch);
  comm::WorkPtr &work = works[{action.index, action.microBatch}];
  if (channel.isSend) {
    work = comm::startSend(
        group, carries.get(channel.buffer, action.microBatch), label);
    return;
  }
  const plan::Buffer &buffer = plan.buffers[size_t(channel.buffer)];
  work = comm::startReceive(
      group,
      at::empty(
          buffer.shape,
          at::TensorOptions().dtype(torchType(buffer.dtype)).device(device)),
      label);
}

void ScheduleRun::wait(const plan::Action &action) {
  auto it = works.find({action.index, action.microBatch});
  comm::WorkPtr work = std::move(it->second);
  works.erase(it);
  auto begin = Recorder::Clock::now();
  at::Tensor tensor = work->wait();
  const plan::Channel &channel = plan.channels[size_t(action.index)];
  if (recorder && recorder->isOn()) {
    // Of a message its receiver's half is recorded.
    schedule::TraceEvent event;
    event.thread = "receive " + channel.name;
    event.category = "transfer";
    event.name = channel.name + " " + std::to_string(action.microBatch);
    event.microBatch = action.microBatch;
    event.from = channel.peer;
    event.bytes = int64_t(tensor.nbytes());
    recorder->addMoved(
        event, channel.isSend ? comm::Work::Span() : work->span(), begin);
  }
  if (!channel.isSend)
    carries.put(channel.buffer, action.microBatch, std::move(tensor));
}

} // namespace nxdt::runtime
