//===- StepTraffic.cpp - what optimizer steps move between ranks ----------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "runtime/Train/StepTraffic.h"
#include "nxdt/Support/Format.h"

#include <cstdio>
#include <map>

namespace nxdt::runtime {
namespace {

comm::CollectiveOp toComm(plan::Collective kind) {
  switch (kind) {
  case plan::Collective::AllGather:
    return comm::CollectiveOp::AllGather;
  case plan::Collective::ReduceScatter:
    return comm::CollectiveOp::ReduceScatter;
  case plan::Collective::AllReduce:
  case plan::Collective::AllSlice:
    break;
  }
  return comm::CollectiveOp::AllReduce;
}

std::string line(const std::string &name, int64_t calls, int64_t inputPredicted,
                 int64_t inputMeasured, int64_t sentPredicted,
                 int64_t sentMeasured) {
  char text[192];
  std::snprintf(
      text, sizeof(text), "  %-28s %7s %15s %15s %15s %15s\n", name.c_str(),
      withCommas(calls).c_str(), withCommas(inputPredicted).c_str(),
      withCommas(inputMeasured).c_str(), withCommas(sentPredicted).c_str(),
      withCommas(sentMeasured).c_str());
  return text;
}

} // namespace

StepTraffic::StepTraffic(const plan::Plan &plan, int64_t microBatches,
                         comm::RankView *world) {
  if (!world)
    return;
  for (const plan::Traffic &traffic :
       plan::trafficOf(plan, plan::Stage::Step, microBatches))
    rows.push_back({traffic.group + " " + std::string(plan::name(traffic.kind)),
                    {&world->group(traffic.group)},
                    toComm(traffic.kind),
                    {traffic.calls, traffic.inputBytes, traffic.sentBytes},
                    {}});
  std::map<int64_t, Row> sends;
  for (const plan::ChannelTraffic &channel :
       plan::channelTrafficOf(plan, plan::Stage::Step)) {
    if (!channel.isSend)
      continue;
    Row &row = sends[channel.peer];
    row.name = "send to stage " + std::to_string(channel.peer);
    row.groups.push_back(&world->channel(channel.name));
    row.op = comm::CollectiveOp::Broadcast;
    row.predicted.calls += channel.calls;
    row.predicted.inputBytes += channel.bytes;
    row.predicted.sentBytes += channel.bytes;
  }
  for (auto &[peer, row] : sends)
    rows.push_back(std::move(row));
}

void StepTraffic::count(int64_t sign) {
  for (Row &row : rows)
    for (comm::Group *group : row.groups) {
      comm::CollectiveCounter counter =
          group->counters()[static_cast<size_t>(row.op)];
      row.measured.calls += sign * counter.calls;
      row.measured.inputBytes += sign * counter.inputBytes;
      row.measured.sentBytes += sign * counter.sentBytes;
    }
}

void StepTraffic::begin() { count(-1); }

void StepTraffic::end() {
  count(1);
  ++steps;
}

std::string StepTraffic::table() const {
  if (steps == 0 || rows.empty())
    return "";
  char head[192];
  std::snprintf(head, sizeof(head), "%-30s %7s %15s %15s %15s %15s\n",
                "bytes per step and rank", "calls", "input predicted",
                "measured", "sent predicted", "measured");
  std::string out = head;
  Counts predicted, measured;
  for (const Row &row : rows) {
    Counts mean = row.measured;
    mean.calls /= steps;
    mean.inputBytes /= steps;
    mean.sentBytes /= steps;
    out += line(row.name, mean.calls, row.predicted.inputBytes, mean.inputBytes,
                row.predicted.sentBytes, mean.sentBytes);
    measured.calls += mean.calls;
    measured.inputBytes += mean.inputBytes;
    measured.sentBytes += mean.sentBytes;
    predicted.inputBytes += row.predicted.inputBytes;
    predicted.sentBytes += row.predicted.sentBytes;
  }
  return out + line("total", measured.calls, predicted.inputBytes,
                    measured.inputBytes, predicted.sentBytes,
                    measured.sentBytes);
}

} // namespace nxdt::runtime
