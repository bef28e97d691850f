//===- Communication.cpp - what collectives of a plan move ----------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "nxdt/Plan/Communication.h"

#include "nxdt/Plan/Family.h"
#include "nxdt/Plan/Mesh.h"
#include "nxdt/Plan/PlanVerify.h"

#include <algorithm>
#include <map>

namespace nxdt::plan {

std::string groupText(const Axes &axes) {
  std::string text;
  for (const std::string &axis : axes)
    text += (text.empty() ? "" : ",") + axis;
  return text;
}

bool isCollective(const Instruction &instruction) {
  return instruction.kind == OpKind::Collective ||
         instruction.kind == OpKind::Start;
}

std::vector<Transfer> transfersOf(const Instruction &instruction) {
  std::vector<Transfer> list;
  for (size_t i = 0; i < instruction.args.size(); ++i) {
    Transfer transfer;
    transfer.input = std::get<ValueRef>(instruction.args[i]).index;
    transfer.result = instruction.outs[i];
    bool isAlone = instruction.parts.empty();
    transfer.module =
        isAlone ? instruction.module : instruction.parts[i].module;
    transfer.reason =
        isAlone ? instruction.reason : instruction.parts[i].reason;
    list.push_back(transfer);
  }
  return list;
}

Payload payloadOf(const Plan &plan, const Program &program,
                  const Instruction &instruction, const Transfer &transfer) {
  Payload payload;
  if (instruction.collective == Collective::AllSlice)
    return payload;
  int64_t ranks = groupSize(meshOf(plan), toGroupSpec(instruction.axes));
  if (ranks <= 1)
    return payload;
  const Value &input = program.values[transfer.input];
  int64_t bytes = checkedBytes(input.dtype, input.shape);
  payload.ranks = ranks;
  payload.inputBytes = bytes;
  switch (instruction.collective) {
  case Collective::AllReduce:
    payload.sentBytes = 2 * (ranks - 1) * bytes / ranks;
    break;
  case Collective::AllGather:
    // (n-1)/n of n parts.
    payload.sentBytes = (ranks - 1) * bytes;
    break;
  case Collective::ReduceScatter:
    payload.sentBytes = (ranks - 1) * bytes / ranks;
    break;
  case Collective::AllSlice:
    break;
  }
  return payload;
}

Payload payloadOf(const Plan &plan, const Program &program,
                  const Instruction &instruction) {
  Payload all;
  for (const Transfer &transfer : transfersOf(instruction)) {
    Payload one = payloadOf(plan, program, instruction, transfer);
    all.ranks = one.ranks;
    all.inputBytes += one.inputBytes;
    all.sentBytes += one.sentBytes;
  }
  return all;
}

ProgramUse useOf(std::string_view program) {
  if (program == "train_step")
    return {Stage::Step, true};
  if (program == "begin_step" || program == "finish_step" ||
      program == "update_step")
    return {Stage::Step, false};
  if (program == "eval_step")
    return {Stage::Evaluation, true};
  if (program == "begin_eval" || program == "finish_eval")
    return {Stage::Evaluation, false};
  return {};
}

namespace {

int64_t countOf(const Schedule &schedule, ActionKind kind, size_t index) {
  return std::count_if(schedule.actions.begin(), schedule.actions.end(),
                       [&](const Action &action) {
                         return action.kind == kind &&
                                action.index == int64_t(index);
                       });
}

} // namespace

int64_t runsOf(const Plan &plan, const Program &program, Stage stage,
               int64_t microBatches) {
  int64_t runs = 0;
  for (const Schedule &schedule : plan.schedules)
    if (useOf(schedule.name).stage == stage)
      runs += countOf(schedule, ActionKind::Run,
                      size_t(&program - plan.programs.data()));
  ProgramUse use = useOf(program.name);
  if (use.stage == stage && !findSchedule(plan, program.name))
    runs += use.isPerMicroBatch ? microBatches : 1;
  return runs;
}

std::vector<ChannelTraffic> channelTrafficOf(const Plan &plan, Stage stage) {
  std::vector<ChannelTraffic> list;
  for (size_t i = 0; i < plan.channels.size(); ++i) {
    const Channel &channel = plan.channels[i];
    const Buffer &buffer = plan.buffers[size_t(channel.buffer)];
    ChannelTraffic entry{channel.name, channel.peer, channel.isSend, 0, 0};
    for (const Schedule &schedule : plan.schedules)
      if (useOf(schedule.name).stage == stage)
        entry.calls += countOf(
            schedule, channel.isSend ? ActionKind::Send : ActionKind::Recv, i);
    entry.bytes = entry.calls * checkedBytes(buffer.dtype, buffer.shape);
    if (entry.calls > 0)
      list.push_back(std::move(entry));
  }
  return list;
}

std::vector<Traffic> trafficOf(const Plan &plan, Stage stage,
                               int64_t microBatches) {
  std::map<std::pair<std::string, Collective>, Traffic> all;
  for (const Program &program : plan.programs) {
    int64_t runs = runsOf(plan, program, stage, microBatches);
    if (runs == 0)
      continue;
    for (const Instruction &instruction : program.instructions) {
      if (!isCollective(instruction))
        continue;
      Payload payload = payloadOf(plan, program, instruction);
      if (payload.ranks <= 1)
        continue;
      std::string group = groupText(instruction.axes);
      Traffic &entry = all[{group, instruction.collective}];
      entry.group = group;
      entry.kind = instruction.collective;
      entry.ranks = payload.ranks;
      entry.calls += runs;
      entry.inputBytes += runs * payload.inputBytes;
      entry.sentBytes += runs * payload.sentBytes;
    }
  }
  std::vector<Traffic> list;
  for (auto &[key, entry] : all)
    list.push_back(entry);
  return list;
}

} // namespace nxdt::plan
