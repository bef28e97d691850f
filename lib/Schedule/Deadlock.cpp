//===- Deadlock.cpp - stages that wait for each other ---------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Deadlock.h"

#include "Simulation.h"
#include "nxdt/Schedule/ScheduleText.h"

#include <algorithm>

namespace nxdt::schedule {
namespace {

/// Who waits for whom once nothing moves any more. Nodes: the stages, then the
/// messages.
class WaitGraph {
public:
  explicit WaitGraph(Simulation &simulation)
      : simulation(simulation), schedule(simulation.schedule) {
    // Before messages are numbered for good: waits may name new ones.
    for (int64_t stage = 0; stage < schedule.stages; ++stage)
      if (const Action *action = current(stage))
        messageOf(*action);
  }

  std::vector<std::string> shortestCircle() {
    std::vector<Edge> best;
    for (int64_t node = 0; node < size(); ++node) {
      if (edgesOf(node).empty())
        continue;
      std::vector<Edge> circle = circleThrough(node, best.size());
      if (!circle.empty() && (best.empty() || circle.size() < best.size()))
        best = std::move(circle);
    }
    std::vector<std::string> lines;
    for (size_t i = 0; i < best.size(); ++i)
      if (!best[i].line.empty())
        lines.push_back(best[i].line);
    return lines;
  }

private:
  struct Edge {
    int64_t to = 0;
    std::string line; ///< empty: said with the next edge
  };

  int64_t size() const {
    return schedule.stages + static_cast<int64_t>(simulation.messages.size());
  }

  const Action *current(int64_t stage) const {
    size_t next = simulation.stages[stage].next;
    return next < schedule.actions[stage].size()
               ? &schedule.actions[stage][next]
               : nullptr;
  }

  int64_t messageOf(const Action &action) {
    return simulation.messageOf(simulation.channelOf(action),
                                action.microBatch);
  }

  std::string textOf(int64_t stage, int64_t action) const {
    return "`" + print(schedule.actions[stage][action]) + "` (action " +
           std::to_string(action + 1) + ")";
  }

  std::vector<Edge> edgesOf(int64_t node) {
    if (node >= schedule.stages)
      return edgesOfMessage(node - schedule.stages);
    const Action *action = current(node);
    if (!action)
      return {};
    return {{schedule.stages + messageOf(*action), ""}};
  }

  std::vector<Edge> edgesOfMessage(int64_t index) {
    const Message &message = simulation.messages[index];
    if (message.isDone)
      return {};
    const Channel &channel = schedule.channels[message.channel];
    std::vector<Edge> edges;
    auto addEnd = [&](bool isSend) {
      int64_t stage = isSend ? channel.fromStage : channel.toStage;
      int64_t action = isSend ? message.sendAction : message.recvAction;
      if (action < 0) {
        std::string wanted =
            print({isSend ? plan::ActionKind::Send : plan::ActionKind::Recv,
                   channel.name, message.microBatch});
        edges.push_back({stage, "stage " + std::to_string(stage) +
                                    " has not begun `" + wanted + "`" +
                                    whereIs(stage)});
        return;
      }
      int64_t queueIndex = isSend ? simulation.sendQueue[message.channel]
                                  : simulation.recvQueue[message.channel];
      const TransferQueue &queue = simulation.queues[queueIndex];
      if ((isSend && !simulation.model.isRendezvous) || queue.isHead(index) ||
          queue.head == queue.messages.size())
        return;
      int64_t head = queue.messages[queue.head];
      edges.push_back({schedule.stages + head,
                       "stage " + std::to_string(stage) + " has " +
                           textOf(stage, action) + " queued behind " +
                           textOf(stage, actionOf(head, stage))});
    };
    addEnd(true);
    addEnd(false);
    return edges;
  }

  int64_t actionOf(int64_t message, int64_t stage) const {
    const Message &entry = simulation.messages[message];
    return schedule.channels[entry.channel].fromStage == stage
               ? entry.sendAction
               : entry.recvAction;
  }

  std::string whereIs(int64_t stage) const {
    size_t next = simulation.stages[stage].next;
    if (!current(stage))
      return ", and has ended";
    return ", it waits at " + textOf(stage, static_cast<int64_t>(next));
  }

  /// Breadth first, so the shortest one through `start`; empty: none, or none
  /// shorter than `limit` edges.
  std::vector<Edge> circleThrough(int64_t start, size_t limit) {
    struct Step {
      int64_t from = -1;
      Edge edge;
    };
    std::vector<Step> reached(size());
    std::vector<bool> isReached(size());
    std::vector<int64_t> frontier = {start};
    for (size_t length = 1; !frontier.empty() && (!limit || length < limit);
         ++length) {
      std::vector<int64_t> next;
      for (int64_t node : frontier)
        for (Edge &edge : edgesOf(node)) {
          if (isReached[edge.to])
            continue;
          isReached[edge.to] = true;
          int64_t to = edge.to;
          reached[to] = {node, std::move(edge)};
          if (to == start)
            return pathTo(start, reached);
          next.push_back(to);
        }
      frontier = std::move(next);
    }
    return {};
  }

  template <typename Steps>
  static std::vector<Edge> pathTo(int64_t start, Steps &reached) {
    std::vector<Edge> path;
    int64_t node = start;
    do {
      path.push_back(reached[node].edge);
      node = reached[node].from;
    } while (node != start);
    std::reverse(path.begin(), path.end());
    return path;
  }

  Simulation &simulation;
  const PipelineSchedule &schedule;
};

} // namespace

std::vector<std::string> findDeadlock(const PipelineSchedule &schedule,
                                      const CommunicationModel &model) {
  Simulation simulation(schedule, model,
                        [](int64_t, const Action &) { return 0.0; });
  if (simulation.run())
    return {};
  std::vector<std::string> lines = WaitGraph(simulation).shortestCircle();
  if (lines.empty())
    lines.push_back("a stage waits for one that has ended");
  return lines;
}

} // namespace nxdt::schedule
