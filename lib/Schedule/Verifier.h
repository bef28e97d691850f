//===- Verifier.h - the parts of verify -------------------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_LIB_SCHEDULE_VERIFIER_H
#define NXDT_LIB_SCHEDULE_VERIFIER_H

#include "nxdt/Schedule/Verify.h"

#include <map>
#include <tuple>

namespace nxdt::schedule {

/// Where each action of a stage stands.
using ActionIndex =
    std::map<std::tuple<plan::ActionKind, std::string_view, int64_t>, int64_t>;

class Verifier {
public:
  Verifier(const PipelineSchedule &schedule, const VerifyOptions &options)
      : schedule(schedule), options(options) {}

  std::optional<Violation> run();

private:
  using Result = std::optional<Violation>;

  // Verify.cpp
  Result checkShape() const;
  Result checkEdges() const;
  Result checkInFlight() const;

  // VerifyActions.cpp: each action is known, in its place, and there once.
  Result checkChannel(const Channel &channel) const;
  Result checkAction(int64_t stage, int64_t action) const;
  Result checkRun(int64_t stage, int64_t action) const;
  Result checkTransfer(int64_t stage, int64_t action) const;
  Result indexActions();
  Result checkRuns(int64_t stage) const;
  Result checkRunsOf(int64_t stage, const std::string &program,
                     int64_t microBatches) const;

  // VerifyMessages.cpp: what depends on what.
  Result checkMessages(const Channel &channel) const;
  Result checkMessage(const Channel &channel, int64_t microBatch) const;
  Result checkProducer(const Channel &channel, int64_t microBatch) const;
  Result checkConsumer(const Channel &channel, int64_t microBatch) const;
  Result checkChannelOrder(const Channel &channel) const;
  Result checkBackwards(int64_t stage) const;

  int64_t messagesOf(const Channel &channel) const {
    return channel.isOnce ? 1 : schedule.microBatches;
  }
  /// -1: nowhere.
  int64_t find(int64_t stage, plan::ActionKind kind, std::string_view name,
               int64_t microBatch) const {
    auto it = index[stage].find({kind, name, microBatch});
    return it == index[stage].end() ? -1 : it->second;
  }
  const Channel *channelNamed(std::string_view name) const {
    auto it = channels.find(name);
    return it == channels.end() ? nullptr : it->second;
  }
  bool isTraining() const { return schedule.name == "train_step"; }
  bool isEvaluation() const { return schedule.name == "eval_step"; }
  /// Is it there for a message that is exchanged once?
  bool isRunOnce(int64_t stage, std::string_view program) const;

  Violation at(Rule rule, int64_t stage, int64_t action,
               const std::string &what) const;
  Violation of(Rule rule, int64_t stage, const std::string &what) const;
  /// "action 4 `run forward.1 3`"
  std::string textOf(int64_t stage, int64_t action) const;

  const PipelineSchedule &schedule;
  const VerifyOptions &options;
  std::map<std::string_view, const Channel *> channels;
  std::vector<ActionIndex> index; ///< by stage
};

} // namespace nxdt::schedule

#endif // NXDT_LIB_SCHEDULE_VERIFIER_H
