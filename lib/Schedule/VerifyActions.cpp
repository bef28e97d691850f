//===- VerifyActions.cpp - each action known, and there once --------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Verifier.h"
#include "nxdt/Schedule/ScheduleText.h"

#include <algorithm>
#include <cmath>

namespace nxdt::schedule {

using plan::ActionKind;

Verifier::Result Verifier::checkChannel(const Channel &channel) const {
  auto wrong = [&](const std::string &what) {
    return of(Rule::Shape, -1, "channel " + channel.name + " " + what);
  };
  if (channel.name.empty() ||
      channel.name.find_first_of(" \t\r\n#") != std::string::npos)
    return wrong("has a name that is empty or has white space or #");
  for (int64_t stage : {channel.fromStage, channel.toStage})
    if (stage < 0 || stage >= schedule.stages)
      return wrong("ends on stage " + std::to_string(stage) + " of " +
                   std::to_string(schedule.stages));
  if (channel.fromStage == channel.toStage)
    return wrong("leads from stage " + std::to_string(channel.fromStage) +
                 " to itself");
  if (!std::isfinite(channel.transfer_s) || channel.transfer_s < 0)
    return wrong("takes " + std::to_string(channel.transfer_s) + " s");
  if (!channel.isOnce && (isTraining() || isEvaluation()) &&
      (channel.producer.empty() || channel.consumer.empty()))
    return wrong("has a message per micro-batch, but nothing that makes it or "
                 "nothing that needs it");
  for (bool isProducer : {true, false}) {
    const std::string &program =
        isProducer ? channel.producer : channel.consumer;
    int64_t stage = isProducer ? channel.fromStage : channel.toStage;
    std::optional<ProgramPass> pass = passOf(program);
    if (pass && pass->chunk % schedule.stages != stage)
      return wrong("joins stage " + std::to_string(stage) + " and " + program +
                   ", which lies on stage " +
                   std::to_string(pass->chunk % schedule.stages));
  }
  return std::nullopt;
}

bool Verifier::isRunOnce(int64_t stage, std::string_view program) const {
  return std::any_of(
      schedule.channels.begin(), schedule.channels.end(),
      [&](const Channel &channel) {
        return channel.isOnce &&
               ((channel.toStage == stage && channel.consumer == program) ||
                (channel.fromStage == stage && channel.producer == program));
      });
}

Verifier::Result Verifier::checkRun(int64_t stage, int64_t action) const {
  const Action &run = schedule.actions[stage][action];
  std::optional<ProgramPass> pass = passOf(run.name);
  bool isOurs = pass && (isTraining() ? !pass->forwardOnly
                                      : isEvaluation() && pass->forwardOnly);
  if (isOurs) {
    if (pass->chunk >= schedule.stages * schedule.chunksPerStage)
      return at(Rule::UnknownName, stage, action,
                "names chunk " + std::to_string(pass->chunk) + " of " +
                    std::to_string(schedule.stages * schedule.chunksPerStage));
    if (pass->chunk % schedule.stages != stage)
      return at(Rule::WrongStage, stage, action,
                "is for stage " +
                    std::to_string(pass->chunk % schedule.stages));
    if (run.microBatch < 0 || run.microBatch >= schedule.microBatches)
      return at(Rule::MicroBatch, stage, action,
                "names micro-batch " + std::to_string(run.microBatch) + " of " +
                    std::to_string(schedule.microBatches));
    return std::nullopt;
  }
  bool isStep = !isTraining() && !isEvaluation() && run.name == schedule.name;
  if (!isStep && !isRunOnce(stage, run.name))
    return at(Rule::UnknownName, stage, action,
              "names a program that " + schedule.name +
                  " does not run on this stage");
  if (run.microBatch != 0)
    return at(Rule::MicroBatch, stage, action,
              "names micro-batch " + std::to_string(run.microBatch) +
                  "; the program runs once, for micro-batch 0");
  return std::nullopt;
}

Verifier::Result Verifier::checkTransfer(int64_t stage, int64_t action) const {
  const Action &transfer = schedule.actions[stage][action];
  const Channel *channel = channelNamed(transfer.name);
  if (!channel)
    return at(Rule::UnknownName, stage, action, "names no channel");
  bool isSender = channel->fromStage == stage;
  bool isReceiver = channel->toStage == stage;
  if ((transfer.kind == ActionKind::Send && !isSender) ||
      (transfer.kind == ActionKind::Recv && !isReceiver) ||
      (!isSender && !isReceiver))
    return at(Rule::WrongStage, stage, action,
              "is not at its end of the channel, which leads from stage " +
                  std::to_string(channel->fromStage) + " to " +
                  std::to_string(channel->toStage));
  if (transfer.microBatch < 0 || transfer.microBatch >= messagesOf(*channel))
    return at(Rule::MicroBatch, stage, action,
              "names micro-batch " + std::to_string(transfer.microBatch) +
                  " of " + std::to_string(messagesOf(*channel)));
  return std::nullopt;
}

Verifier::Result Verifier::checkAction(int64_t stage, int64_t action) const {
  const Action &entry = schedule.actions[stage][action];
  switch (entry.kind) {
  case ActionKind::Run:
    return checkRun(stage, action);
  case ActionKind::Send:
  case ActionKind::Recv:
  case ActionKind::Wait:
    return checkTransfer(stage, action);
  case ActionKind::Free:
    // Buffers are of the plan: plan::verify knows them.
    if (entry.microBatch < 0 || entry.microBatch >= schedule.microBatches)
      return at(Rule::MicroBatch, stage, action,
                "names micro-batch " + std::to_string(entry.microBatch) +
                    " of " + std::to_string(schedule.microBatches));
    return std::nullopt;
  }
  return std::nullopt;
}

Verifier::Result Verifier::indexActions() {
  index.resize(schedule.stages);
  for (int64_t stage = 0; stage < schedule.stages; ++stage)
    for (size_t i = 0; i < schedule.actions[stage].size(); ++i) {
      int64_t position = static_cast<int64_t>(i);
      if (Result violation = checkAction(stage, position))
        return violation;
      const Action &action = schedule.actions[stage][i];
      auto [it, isNew] = index[stage].try_emplace(
          {action.kind, action.name, action.microBatch}, position);
      if (!isNew)
        return at(Rule::Repeated, stage, position,
                  "repeats action " + std::to_string(it->second + 1));
    }
  return std::nullopt;
}

Verifier::Result Verifier::checkRunsOf(int64_t stage,
                                       const std::string &program,
                                       int64_t microBatches) const {
  for (int64_t m = 0; m < microBatches; ++m)
    if (find(stage, ActionKind::Run, program, m) < 0)
      return of(Rule::Missing, stage,
                "`" + print({ActionKind::Run, program, m}) + "` is missing");
  return std::nullopt;
}

Verifier::Result Verifier::checkRuns(int64_t stage) const {
  if (isTraining() || isEvaluation()) {
    for (int64_t local = 0; local < schedule.chunksPerStage; ++local)
      for (Pass pass : {Pass::Forward, Pass::Backward}) {
        if (pass == Pass::Backward && isEvaluation())
          continue;
        if (Result violation =
                checkRunsOf(stage,
                            programName(pass, local * schedule.stages + stage,
                                        isEvaluation()),
                            schedule.microBatches))
          return violation;
      }
  } else if (Result violation = checkRunsOf(stage, schedule.name, 1)) {
    return violation;
  }
  for (const Channel &channel : schedule.channels)
    for (bool isProducer : {true, false}) {
      const std::string &program =
          isProducer ? channel.producer : channel.consumer;
      bool isHere = (isProducer ? channel.fromStage : channel.toStage) == stage;
      if (!channel.isOnce || !isHere || program.empty() || passOf(program))
        continue;
      if (Result violation = checkRunsOf(stage, program, 1))
        return violation;
    }
  return std::nullopt;
}

} // namespace nxdt::schedule
