//===- Verify.cpp - proves a schedule from its actions --------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "nxdt/Schedule/Verify.h"

#include "Deadlock.h"
#include "Verifier.h"
#include "nxdt/Schedule/ScheduleText.h"

#include <algorithm>

namespace nxdt::schedule {

using plan::ActionKind;

std::string_view name(Rule rule) {
  switch (rule) {
  case Rule::Shape:
    return "shape";
  case Rule::NoChannel:
    return "no-channel";
  case Rule::UnknownName:
    return "unknown-name";
  case Rule::WrongStage:
    return "wrong-stage";
  case Rule::MicroBatch:
    return "micro-batch";
  case Rule::Repeated:
    return "repeated";
  case Rule::Missing:
    return "missing";
  case Rule::UnmatchedTransfer:
    return "unmatched-transfer";
  case Rule::Unwaited:
    return "unwaited";
  case Rule::WaitBeforeBegin:
    return "wait-before-begin";
  case Rule::BackwardBeforeForward:
    return "backward-before-forward";
  case Rule::SentBeforeComputed:
    return "sent-before-computed";
  case Rule::UsedBeforeArrived:
    return "used-before-arrived";
  case Rule::ChannelOrder:
    return "channel-order";
  case Rule::InFlight:
    return "in-flight";
  case Rule::Deadlock:
    return "deadlock";
  }
  return "";
}

std::string Verifier::textOf(int64_t stage, int64_t action) const {
  return "action " + std::to_string(action + 1) + " `" +
         print(schedule.actions[stage][action]) + "`";
}

Violation Verifier::at(Rule rule, int64_t stage, int64_t action,
                       const std::string &what) const {
  Violation violation = of(rule, stage, textOf(stage, action) + " " + what);
  violation.action = action;
  return violation;
}

Violation Verifier::of(Rule rule, int64_t stage,
                       const std::string &what) const {
  std::string place = schedule.name;
  if (stage >= 0)
    place += ", stage " + std::to_string(stage);
  return {rule,
          stage,
          -1,
          place + ": " + what + " [" + std::string(name(rule)) + "]",
          {}};
}

std::optional<Violation> Verifier::run() {
  if (Result violation = checkShape())
    return violation;
  for (const Channel &channel : schedule.channels) {
    if (Result violation = checkChannel(channel))
      return violation;
    if (!channels.try_emplace(channel.name, &channel).second)
      return of(Rule::Shape, -1, "two channels are named " + channel.name);
  }
  if (options.wantsAllEdges)
    if (Result violation = checkEdges())
      return violation;
  if (Result violation = indexActions())
    return violation;
  for (int64_t stage = 0; stage < schedule.stages; ++stage)
    if (Result violation = checkRuns(stage))
      return violation;
  for (int64_t stage = 0; stage < schedule.stages; ++stage)
    if (Result violation = checkBackwards(stage))
      return violation;
  for (const Channel &channel : schedule.channels)
    if (Result violation = checkMessages(channel))
      return violation;
  if (Result violation = checkInFlight())
    return violation;
  return verifyDeadlock(schedule, options.model);
}

Verifier::Result Verifier::checkShape() const {
  for (auto [count, noun] :
       {std::pair{schedule.stages, "stages"},
        std::pair{schedule.chunksPerStage, "chunks per stage"},
        std::pair{schedule.microBatches, "micro-batches"}})
    if (count < 1)
      return of(Rule::Shape, -1,
                "the number of " + std::string(noun) + " is " +
                    std::to_string(count));
  if (static_cast<int64_t>(schedule.actions.size()) != schedule.stages)
    return of(Rule::Shape, -1,
              "there are actions for " +
                  std::to_string(schedule.actions.size()) +
                  " stages, not for " + std::to_string(schedule.stages));
  // Each pass is an action: so much smaller counts are bounded by the list.
  size_t most = 0;
  for (const std::vector<Action> &actions : schedule.actions)
    most = std::max(most, actions.size());
  if (isTraining() || isEvaluation())
    for (int64_t count : {schedule.chunksPerStage, schedule.microBatches})
      if (count > static_cast<int64_t>(most))
        return of(Rule::Shape, -1,
                  std::to_string(schedule.chunksPerStage) +
                      " chunks per stage and " +
                      std::to_string(schedule.microBatches) +
                      " micro-batches are more than the " +
                      std::to_string(most) + " actions of the longest stage");
  return std::nullopt;
}

Verifier::Result Verifier::checkEdges() const {
  if (!isTraining() && !isEvaluation())
    return std::nullopt;
  std::map<std::pair<std::string, std::string>, bool> joined;
  for (const Channel &channel : schedule.channels)
    if (!channel.isOnce)
      joined[{channel.producer, channel.consumer}] = true;
  int64_t chunks = schedule.stages * schedule.chunksPerStage;
  for (int64_t edge = 0; edge + 1 < chunks; ++edge)
    for (Pass pass : {Pass::Forward, Pass::Backward}) {
      if (pass == Pass::Backward && isEvaluation())
        continue;
      int64_t from = pass == Pass::Forward ? edge : edge + 1;
      std::string producer = programName(pass, from, isEvaluation());
      std::string consumer =
          programName(pass, edge + (edge + 1) - from, isEvaluation());
      if (!joined.count({producer, consumer}))
        return of(Rule::NoChannel, from % schedule.stages,
                  "no channel leads from " + producer + " to " + consumer);
    }
  return std::nullopt;
}

Verifier::Result Verifier::checkInFlight() const {
  if (!isTraining())
    return std::nullopt;
  int64_t p = schedule.stages, v = schedule.chunksPerStage;
  int64_t m = schedule.microBatches;
  for (int64_t stage = 0; stage < p; ++stage) {
    std::string why;
    int64_t limit = 0;
    if (options.inFlightCap) {
      limit = *options.inFlightCap;
      why = "the cap";
    } else if (v == 1) {
      limit = std::min(p - stage, m);
      why = "min(" + std::to_string(p) + " - " + std::to_string(stage) + ", " +
            std::to_string(m) + ")";
    } else {
      limit = std::min(2 * (p - stage - 1) + (v - 1) * p + 1, m * v);
      why = "min(2 * " + std::to_string(p - stage - 1) + " + " +
            std::to_string(v - 1) + " * " + std::to_string(p) + " + 1, " +
            std::to_string(m) + " * " + std::to_string(v) + ")";
    }
    int64_t held = 0;
    for (size_t i = 0; i < schedule.actions[stage].size(); ++i) {
      const Action &action = schedule.actions[stage][i];
      std::optional<ProgramPass> pass =
          action.kind == ActionKind::Run ? passOf(action.name) : std::nullopt;
      if (!pass)
        continue;
      held += pass->pass == Pass::Forward ? 1 : -1;
      if (held > limit)
        return at(Rule::InFlight, stage, static_cast<int64_t>(i),
                  "makes it hold the activations of " + std::to_string(held) +
                      " pairs of chunk and micro-batch; at most " +
                      std::to_string(limit) + " = " + why);
    }
  }
  return std::nullopt;
}

std::optional<Violation> verifyDeadlock(const PipelineSchedule &schedule,
                                        const CommunicationModel &model) {
  std::vector<std::string> lines = findDeadlock(schedule, model);
  if (lines.empty())
    return std::nullopt;
  return Violation{Rule::Deadlock, -1, -1,
                   schedule.name + ": stages wait for each other (" +
                       (model.isRendezvous ? "rendezvous" : "eager") +
                       ", queues " + std::string(name(model.queue)) + ") [" +
                       std::string(name(Rule::Deadlock)) + "]",
                   std::move(lines)};
}

std::optional<Violation> verify(const PipelineSchedule &schedule,
                                const VerifyOptions &options) {
  return Verifier(schedule, options).run();
}

std::vector<int64_t> inFlightPeaks(const PipelineSchedule &schedule) {
  std::vector<int64_t> peaks;
  for (const std::vector<Action> &actions : schedule.actions) {
    int64_t held = 0, peak = 0;
    for (const Action &action : actions) {
      std::optional<ProgramPass> pass =
          action.kind == ActionKind::Run ? passOf(action.name) : std::nullopt;
      if (!pass || pass->forwardOnly)
        continue;
      held += pass->pass == Pass::Forward ? 1 : -1;
      peak = std::max(peak, held);
    }
    peaks.push_back(peak);
  }
  return peaks;
}

} // namespace nxdt::schedule
