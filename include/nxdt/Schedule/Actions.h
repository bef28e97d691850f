//===- Actions.h - what each stage does, in order ---------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A schedule as it is run: per stage a list of actions, which name programs,
// channels and buffers. What each kind of action means is said with
// plan::ActionKind; the text form is in ScheduleText.h.
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_SCHEDULE_ACTIONS_H
#define NXDT_SCHEDULE_ACTIONS_H

#include "nxdt/Plan/Plan.h"
#include "nxdt/Schedule/Generate.h"

namespace nxdt::schedule {

/// One way from a stage to another, for one tensor per micro-batch.
struct Channel {
  std::string name; ///< no white space
  int64_t fromStage = 0;
  int64_t toStage = 0;
  /// The program whose end makes a message; empty: it is there from the start.
  std::string producer;
  /// The program that cannot begin without it; empty: none.
  std::string consumer;
  /// One message in all (micro-batch 0) instead of one per micro-batch: what
  /// tied parameters exchange. The producer's last run makes it; one that is
  /// no pass is run for that.
  bool isOnce = false;
  /// Seconds that a message takes once both ends have begun.
  double transfer_s = 0;
  bool operator==(const Channel &) const = default;
};

struct Action {
  plan::ActionKind kind = plan::ActionKind::Run;
  std::string name; ///< program; channel; channel; channel; carry buffer
  int64_t microBatch = 0;
  bool operator==(const Action &) const = default;
};

/// The schedules of that name of all stages together.
///
/// "train_step" runs forward.<chunk> and backward.<chunk> for each micro-batch,
/// "eval_step" eval.<chunk>, any other name the program of that name, once on
/// each stage. Producers and consumers of isOnce channels that are none of
/// these are run once besides.
struct PipelineSchedule {
  std::string name;
  int64_t stages = 1;
  int64_t chunksPerStage = 1;
  int64_t microBatches = 1;
  std::vector<Channel> channels;
  std::vector<std::vector<Action>> actions; ///< by stage
  bool operator==(const PipelineSchedule &) const = default;
};

/// Transfers that happen in the order in which they were begun: each waits for
/// the end of the one before it. Weakest first; a schedule without a deadlock
/// under one has none under those before it.
enum class Queue {
  PerChannel,   ///< messages have tags: Gloo
  PerDirection, ///< a communicator for each ordered pair of stages
  PerPair,      ///< a communicator for each pair of stages: NCCL's usual
};
std::string_view name(Queue queue);

/// The carry buffer is dropped right after the program and its sends.
struct FreeRule {
  std::string program;
  std::string buffer;
};

struct ExpandOptions {
  /// Begins of transfers come in one order on both ends of each such queue.
  Queue queue = Queue::PerDirection;
  /// A receive begins that many passes before the one that needs it, or
  /// earlier where the queue's order asks for it, or later.
  int64_t receivesAhead = 1;
  std::vector<FreeRule> frees;
};

/// "forward.3", "backward.3" and "eval.3".
std::string programName(Pass pass, int64_t chunk, bool forwardOnly);

/// What a program's name says; nullopt for other names.
struct ProgramPass {
  Pass pass = Pass::Forward;
  int64_t chunk = 0;
  bool forwardOnly = false;
};
std::optional<ProgramPass> passOf(std::string_view program);

/// Channels "<tensor>.<chunk that makes it>" between neighbouring chunks; a
/// tensor's name must be unique among both lists.
std::vector<Channel> edgeChannels(const PipelineProblem &problem,
                                  const std::vector<std::string> &forward,
                                  const std::vector<std::string> &backward);

/// The actions for `order`; isOnce channels are served at the end of their
/// stages. `order` must follow the data (verify() says so of the result);
/// throws std::logic_error where it makes no progress.
PipelineSchedule expand(const PipelineProblem &problem,
                        const ComputeOrder &order,
                        std::vector<Channel> channels,
                        const ExpandOptions &options = {});

/// Each stage runs `program`, and then the isOnce channels are served:
/// update_step.
PipelineSchedule expandOnce(const std::string &program, int64_t stages,
                            std::vector<Channel> channels,
                            const std::vector<FreeRule> &frees = {});

} // namespace nxdt::schedule

#endif // NXDT_SCHEDULE_ACTIONS_H
