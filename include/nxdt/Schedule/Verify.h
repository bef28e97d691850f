//===- Verify.h - proves a schedule from its actions ------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Written against the meaning of actions, not against the generators: a
// schedule from a file is proved in the same way. docs/Pipeline.md states the
// model of communication.
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_SCHEDULE_VERIFY_H
#define NXDT_SCHEDULE_VERIFY_H

#include "nxdt/Schedule/Actions.h"

namespace nxdt::schedule {

/// In the order in which they are checked.
enum class Rule {
  Shape,                 ///< counts, channels' ends and names
  NoChannel,             ///< neighbouring chunks without a channel
  UnknownName,           ///< no such program or channel
  WrongStage,            ///< another stage's program or end of a channel
  MicroBatch,            ///< there is no such micro-batch
  Repeated,              ///< an action twice
  Missing,               ///< a program that is not run for a micro-batch
  UnmatchedTransfer,     ///< a message without a send or a receive
  Unwaited,              ///< a transfer that nobody waits for
  WaitBeforeBegin,       ///< waits for a transfer that begins later
  BackwardBeforeForward, ///< of the same chunk and micro-batch
  SentBeforeComputed,    ///< the send comes before what makes the message
  UsedBeforeArrived,     ///< the program comes before the wait
  ChannelOrder,          ///< received in another order than sent
  InFlight,              ///< too many activations at a time
  Deadlock,              ///< stages wait for each other
};
/// "backward-before-forward", ...
std::string_view name(Rule rule);

struct Violation {
  Rule rule = Rule::Shape;
  int64_t stage = -1;  ///< -1: of no single one
  int64_t action = -1; ///< in the stage's list
  std::string message; ///< one line, with the rule's name, place and action
  /// Deadlock: the shortest circle, a line per stage.
  std::vector<std::string> lines;
};

struct CommunicationModel {
  Queue queue = Queue::PerDirection;
  /// A send ends when it has been received; otherwise at once (a transport that
  /// keeps what is sent, which none promises).
  bool isRendezvous = true;
};

struct VerifyOptions {
  CommunicationModel model;
  /// The most pairs (chunk, micro-batch) whose activations a stage may hold,
  /// instead of what 1f1b or interleaved hold.
  std::optional<int64_t> inFlightCap;
  /// Every two neighbouring chunks need a channel in each direction (forward
  /// only for evaluation). Without it a chunk may depend on nothing.
  bool wantsAllEdges = true;
};

/// The first violation; nullopt: the schedule is proved.
std::optional<Violation> verify(const PipelineSchedule &schedule,
                                const VerifyOptions &options = {});

/// The rule Deadlock alone, for schedules of other programs than passes.
/// Each message must be begun once and waited for once at each of its ends.
std::optional<Violation> verifyDeadlock(const PipelineSchedule &schedule,
                                        const CommunicationModel &model = {});

/// By stage: the most pairs (chunk, micro-batch) between their forward and
/// their backward pass at a time. For a schedule that verify() passes.
std::vector<int64_t> inFlightPeaks(const PipelineSchedule &schedule);

} // namespace nxdt::schedule

#endif // NXDT_SCHEDULE_VERIFY_H
