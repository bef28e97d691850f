//===- Simulation.h - runs all stages' actions together ---------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Stages are deterministic and no receive takes "any" message, so the order in
// which they are advanced changes neither how far they get nor the times: one
// greedy run is exact. docs/Pipeline.md says why.
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_LIB_SCHEDULE_SIMULATION_H
#define NXDT_LIB_SCHEDULE_SIMULATION_H

#include "nxdt/Schedule/Verify.h"

#include <functional>
#include <map>
#include <tuple>

namespace nxdt::schedule {

/// A message on its way: what both ends have begun, and when.
struct Message {
  int64_t channel = 0;
  int64_t microBatch = 0;
  int64_t sendAction = -1; ///< in the list of the channel's fromStage
  int64_t recvAction = -1; ///< in that of its toStage
  double sendBegin_s = 0;
  double recvBegin_s = 0;
  bool isDone = false;
  double begin_s = 0; ///< of the transfer: both ends ready, the queues free
  double end_s = 0;
};

/// Transfers of one end in the order in which they were begun.
struct TransferQueue {
  std::vector<int64_t> messages;
  size_t head = 0;
  double free_s = 0;

  bool isHead(int64_t message) const {
    return head < messages.size() && messages[head] == message;
  }
};

class Simulation {
public:
  /// Seconds of a Run.
  using RunTime = std::function<double(int64_t stage, const Action &)>;

  /// `schedule` names only its own channels, begins no message twice at one
  /// end, waits for none twice.
  Simulation(const PipelineSchedule &schedule, const CommunicationModel &model,
             RunTime runTime_s);

  /// As far as all get. True: to their ends.
  bool run();

  struct Stage {
    size_t next = 0; ///< the action it is at
    double clock_s = 0;
  };
  const PipelineSchedule &schedule;
  const CommunicationModel &model;
  std::vector<Stage> stages;
  std::vector<Message> messages;
  std::vector<TransferQueue> queues;
  /// By channel: the queue at its fromStage, and at its toStage.
  std::vector<int64_t> sendQueue, recvQueue;
  std::function<void(int64_t stage, size_t action, double begin_s,
                     double end_s)>
      onRun;

  int64_t channelOf(const Action &action) const {
    return channels.at(action.name);
  }
  int64_t messageOf(int64_t channel, int64_t microBatch);

private:
  bool advance(int64_t stage);
  void begin(int64_t stage, const Action &action);
  void finishHeads(int64_t queue);
  bool finish(int64_t message);

  RunTime runTime_s;
  std::map<std::string, int64_t> channels;
  std::map<std::pair<int64_t, int64_t>, int64_t> indices;
  std::vector<int64_t> awake;
};

} // namespace nxdt::schedule

#endif // NXDT_LIB_SCHEDULE_SIMULATION_H
