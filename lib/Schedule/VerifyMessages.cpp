//===- VerifyMessages.cpp - what depends on what --------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Verifier.h"
#include "nxdt/Schedule/ScheduleText.h"

#include <algorithm>

namespace nxdt::schedule {

using plan::ActionKind;

Verifier::Result Verifier::checkBackwards(int64_t stage) const {
  if (!isTraining())
    return std::nullopt;
  for (int64_t local = 0; local < schedule.chunksPerStage; ++local) {
    int64_t chunk = local * schedule.stages + stage;
    for (int64_t m = 0; m < schedule.microBatches; ++m) {
      int64_t forward = find(stage, ActionKind::Run,
                             programName(Pass::Forward, chunk, false), m);
      int64_t backward = find(stage, ActionKind::Run,
                              programName(Pass::Backward, chunk, false), m);
      if (backward < forward)
        return at(Rule::BackwardBeforeForward, stage, backward,
                  "comes before " + textOf(stage, forward));
    }
  }
  return std::nullopt;
}

Verifier::Result Verifier::checkMessages(const Channel &channel) const {
  for (int64_t m = 0; m < messagesOf(channel); ++m)
    if (Result violation = checkMessage(channel, m))
      return violation;
  return checkChannelOrder(channel);
}

Verifier::Result Verifier::checkMessage(const Channel &channel,
                                        int64_t microBatch) const {
  struct End {
    int64_t stage;
    ActionKind kind;
  };
  const End ends[] = {{channel.fromStage, ActionKind::Send},
                      {channel.toStage, ActionKind::Recv}};
  for (const End &end : ends)
    if (find(end.stage, end.kind, channel.name, microBatch) < 0)
      return of(Rule::UnmatchedTransfer, end.stage,
                "`" + print({end.kind, channel.name, microBatch}) +
                    "` is missing");
  for (const End &end : ends) {
    int64_t begin = find(end.stage, end.kind, channel.name, microBatch);
    int64_t wait = find(end.stage, ActionKind::Wait, channel.name, microBatch);
    if (wait < 0)
      return at(Rule::Unwaited, end.stage, begin,
                "is never waited for: `" +
                    print({ActionKind::Wait, channel.name, microBatch}) +
                    "` is missing");
    if (wait < begin)
      return at(Rule::WaitBeforeBegin, end.stage, wait,
                "comes before " + textOf(end.stage, begin));
  }
  if (Result violation = checkProducer(channel, microBatch))
    return violation;
  return checkConsumer(channel, microBatch);
}

Verifier::Result Verifier::checkProducer(const Channel &channel,
                                         int64_t microBatch) const {
  if (channel.producer.empty())
    return std::nullopt;
  int64_t stage = channel.fromStage;
  int64_t send = find(stage, ActionKind::Send, channel.name, microBatch);
  // Of a message that is there once, each run of the producer makes a part.
  bool isPass = passOf(channel.producer).has_value();
  int64_t first = channel.isOnce ? 0 : microBatch;
  int64_t last = !channel.isOnce ? microBatch
                 : isPass        ? schedule.microBatches - 1
                                 : 0;
  for (int64_t m = first; m <= last; ++m) {
    int64_t run = find(stage, ActionKind::Run, channel.producer, m);
    if (run < 0)
      return at(Rule::SentBeforeComputed, stage, send,
                "is made by `" + print({ActionKind::Run, channel.producer, m}) +
                    "`, which is missing");
    if (send < run)
      return at(Rule::SentBeforeComputed, stage, send,
                "comes before what makes the message, " + textOf(stage, run));
  }
  return std::nullopt;
}

Verifier::Result Verifier::checkConsumer(const Channel &channel,
                                         int64_t microBatch) const {
  if (channel.consumer.empty())
    return std::nullopt;
  int64_t stage = channel.toStage;
  int64_t wait = find(stage, ActionKind::Wait, channel.name, microBatch);
  bool isPass = passOf(channel.consumer).has_value();
  int64_t first = channel.isOnce ? 0 : microBatch;
  int64_t last = !channel.isOnce ? microBatch
                 : isPass        ? schedule.microBatches - 1
                                 : 0;
  for (int64_t m = first; m <= last; ++m) {
    int64_t run = find(stage, ActionKind::Run, channel.consumer, m);
    if (run < 0)
      return of(Rule::Missing, stage,
                "`" + print({ActionKind::Run, channel.consumer, m}) +
                    "` is missing, for which channel " + channel.name +
                    " is there");
    if (run < wait)
      return at(Rule::UsedBeforeArrived, stage, run,
                "comes before " + textOf(stage, wait));
  }
  return std::nullopt;
}

Verifier::Result Verifier::checkChannelOrder(const Channel &channel) const {
  // (begin of the receive, micro-batch) in the order of the sends.
  std::vector<std::pair<int64_t, int64_t>> sends;
  for (int64_t m = 0; m < messagesOf(channel); ++m)
    sends.push_back(
        {find(channel.fromStage, ActionKind::Send, channel.name, m), m});
  std::sort(sends.begin(), sends.end());
  for (size_t i = 1; i < sends.size(); ++i) {
    int64_t before = find(channel.toStage, ActionKind::Recv, channel.name,
                          sends[i - 1].second);
    int64_t after =
        find(channel.toStage, ActionKind::Recv, channel.name, sends[i].second);
    if (after < before)
      return at(Rule::ChannelOrder, channel.toStage, after,
                "comes before " + textOf(channel.toStage, before) +
                    ", but stage " + std::to_string(channel.fromStage) +
                    " sends micro-batch " +
                    std::to_string(sends[i - 1].second) + " before " +
                    std::to_string(sends[i].second));
  }
  return std::nullopt;
}

} // namespace nxdt::schedule
