//===- Expand.cpp - passes into actions -----------------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Where a transfer begins must be agreed on by both ends: in a queue that takes
// one at a time, two ends with different orders wait for each other for ever.
// Both follow the order in which messages come to be when every pass takes one
// unit of time and all start as early as they can. It extends "must happen
// before" (a pass takes time), so sends, which cannot move, keep to it by
// themselves, and every receive has a place: after the last send that comes
// before it and before the first that comes after it.
//
//===----------------------------------------------------------------------===//
#include "nxdt/Schedule/Actions.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <stdexcept>
#include <tuple>

namespace nxdt::schedule {
namespace {

using plan::ActionKind;

/// Slot i of a stage comes before its i-th pass, the last one after all.
struct Begin {
  int64_t slot = 0;
  int64_t channel = 0;
  int64_t microBatch = 0;
  bool isSend = false;
  int64_t madeAt = 0; ///< its message, in units of time
};

/// (stage, program, micro-batch) -> position in the stage's order.
using Positions = std::map<std::tuple<int64_t, std::string, int64_t>, int64_t>;

class Expander {
public:
  Expander(const PipelineProblem &problem, const ComputeOrder &order,
           std::vector<Channel> channels, const ExpandOptions &options)
      : problem(problem), order(order), options(options) {
    result.name = problem.forwardOnly ? "eval_step" : "train_step";
    result.stages = problem.stages;
    result.chunksPerStage = problem.chunksPerStage;
    result.microBatches = problem.microBatches;
    result.channels = std::move(channels);
    result.actions.resize(problem.stages);
  }

  PipelineSchedule run() {
    findPositions();
    findTimes();
    for (int64_t stage = 0; stage < problem.stages; ++stage)
      writeStage(stage);
    return std::move(result);
  }

private:
  std::string programOf(const ComputeStep &step) const {
    return programName(step.pass, step.chunk, problem.forwardOnly);
  }

  void findPositions() {
    for (int64_t stage = 0; stage < problem.stages; ++stage)
      for (size_t i = 0; i < order[stage].size(); ++i) {
        const ComputeStep &step = order[stage][i];
        positions[{stage, programOf(step), step.microBatch}] =
            static_cast<int64_t>(i);
      }
    for (size_t c = 0; c < result.channels.size(); ++c) {
      const Channel &channel = result.channels[c];
      if (channel.isOnce)
        continue;
      incoming[{channel.toStage, channel.consumer}].push_back(c);
    }
  }

  /// The ends of all passes at one unit each, as early as possible.
  void findTimes() {
    end.resize(problem.stages);
    bool isMoving = true;
    while (isMoving) {
      isMoving = false;
      for (int64_t stage = 0; stage < problem.stages; ++stage)
        while (advance(stage))
          isMoving = true;
    }
    for (int64_t stage = 0; stage < problem.stages; ++stage)
      if (end[stage].size() != order[stage].size())
        throw std::logic_error("the order of passes goes round in circles");
  }

  bool advance(int64_t stage) {
    std::vector<int64_t> &done = end[stage];
    if (done.size() == order[stage].size())
      return false;
    const ComputeStep &step = order[stage][done.size()];
    int64_t start = done.empty() ? 0 : done.back();
    auto it = incoming.find({stage, programOf(step)});
    if (it != incoming.end())
      for (int64_t c : it->second) {
        std::optional<int64_t> made =
            madeAt(result.channels[c], step.microBatch);
        if (!made)
          return false;
        start = std::max(start, *made);
      }
    done.push_back(start + 1);
    return true;
  }

  /// When the message is there, if its producer has run.
  std::optional<int64_t> madeAt(const Channel &channel,
                                int64_t microBatch) const {
    if (channel.producer.empty())
      return 0;
    int64_t position =
        positionOf(channel.fromStage, channel.producer, microBatch);
    if (position >= static_cast<int64_t>(end[channel.fromStage].size()))
      return std::nullopt;
    return end[channel.fromStage][position];
  }

  int64_t positionOf(int64_t stage, const std::string &program,
                     int64_t microBatch) const {
    auto it = positions.find({stage, program, microBatch});
    if (it == positions.end())
      throw std::logic_error("no pass " + program + " of micro-batch " +
                             std::to_string(microBatch) + " on stage " +
                             std::to_string(stage));
    return it->second;
  }

  /// Which of the stage's queues a transfer is in.
  std::tuple<int64_t, int64_t> queueOf(const Begin &begin,
                                       int64_t stage) const {
    const Channel &channel = result.channels[begin.channel];
    int64_t peer = begin.isSend ? channel.toStage : channel.fromStage;
    switch (options.queue) {
    case Queue::PerChannel:
      return {begin.channel, begin.isSend};
    case Queue::PerDirection:
      return {peer, begin.isSend};
    case Queue::PerPair:
      return {peer, 0};
    }
    return {};
  }

  std::vector<Begin> beginsOf(int64_t stage) const {
    std::map<std::tuple<int64_t, int64_t>, std::vector<Begin>> queues;
    for (size_t c = 0; c < result.channels.size(); ++c) {
      const Channel &channel = result.channels[c];
      if (channel.isOnce)
        continue;
      for (int64_t m = 0; m < problem.microBatches; ++m) {
        if (channel.fromStage != stage && channel.toStage != stage)
          break;
        Begin begin = {0, static_cast<int64_t>(c), m, true,
                       *madeAt(channel, m)};
        if (channel.fromStage == stage) {
          if (!channel.producer.empty())
            begin.slot = positionOf(stage, channel.producer, m) + 1;
          queues[queueOf(begin, stage)].push_back(begin);
        }
        if (channel.toStage == stage) {
          begin.isSend = false;
          begin.slot = channel.consumer.empty()
                           ? static_cast<int64_t>(order[stage].size())
                           : std::max<int64_t>(
                                 0, positionOf(stage, channel.consumer, m) -
                                        options.receivesAhead);
          queues[queueOf(begin, stage)].push_back(begin);
        }
      }
    }
    std::vector<Begin> begins;
    for (auto &[key, queue] : queues) {
      settle(queue);
      begins.insert(begins.end(), queue.begin(), queue.end());
    }
    // A queue's own order is that of the messages, so one sort serves all.
    std::stable_sort(
        begins.begin(), begins.end(), [&](const Begin &a, const Begin &b) {
          return std::tuple(a.slot, rank(a)) < std::tuple(b.slot, rank(b));
        });
    return begins;
  }

  static std::tuple<int64_t, int64_t, int64_t> rank(const Begin &begin) {
    return {begin.madeAt, begin.channel, begin.microBatch};
  }

  /// Puts a queue into the order of the messages and moves receives so that
  /// their slots ascend.
  static void settle(std::vector<Begin> &queue) {
    std::sort(queue.begin(), queue.end(), [&](const Begin &a, const Begin &b) {
      return rank(a) < rank(b);
    });
    for (size_t i = queue.size(); i-- > 1;)
      if (!queue[i - 1].isSend)
        queue[i - 1].slot = std::min(queue[i - 1].slot, queue[i].slot);
    int64_t lastSend = 0;
    for (Begin &begin : queue) {
      if (begin.isSend)
        lastSend = std::max(lastSend, begin.slot);
      else
        begin.slot = std::max(begin.slot, lastSend);
    }
  }

  void add(int64_t stage, ActionKind kind, std::string name,
           int64_t microBatch) {
    result.actions[stage].push_back({kind, std::move(name), microBatch});
  }

  void writeStage(int64_t stage) {
    std::vector<Begin> begins = beginsOf(stage);
    std::map<int64_t, int64_t> unsent; // channel -> micro-batch to wait for
    size_t next = 0;
    auto writeBegins = [&](int64_t slot) {
      for (; next < begins.size() && begins[next].slot == slot; ++next) {
        const Begin &begin = begins[next];
        const std::string &channel = result.channels[begin.channel].name;
        if (!begin.isSend) {
          add(stage, ActionKind::Recv, channel, begin.microBatch);
          continue;
        }
        auto it = unsent.find(begin.channel);
        if (it != unsent.end())
          add(stage, ActionKind::Wait, channel, it->second);
        unsent[begin.channel] = begin.microBatch;
        add(stage, ActionKind::Send, channel, begin.microBatch);
      }
    };
    std::string previous;
    int64_t previousMicroBatch = 0;
    auto writeFrees = [&] {
      for (const FreeRule &rule : options.frees)
        if (rule.program == previous)
          add(stage, ActionKind::Free, rule.buffer, previousMicroBatch);
    };
    for (size_t i = 0; i < order[stage].size(); ++i) {
      const ComputeStep &step = order[stage][i];
      writeBegins(static_cast<int64_t>(i));
      writeFrees();
      previous = programOf(step);
      previousMicroBatch = step.microBatch;
      auto it = incoming.find({stage, previous});
      if (it != incoming.end())
        for (int64_t c : it->second)
          add(stage, ActionKind::Wait, result.channels[c].name,
              step.microBatch);
      add(stage, ActionKind::Run, previous, step.microBatch);
    }
    writeBegins(static_cast<int64_t>(order[stage].size()));
    writeFrees();
    for (const Begin &begin : begins)
      if (!begin.isSend && result.channels[begin.channel].consumer.empty())
        add(stage, ActionKind::Wait, result.channels[begin.channel].name,
            begin.microBatch);
    for (auto [channel, microBatch] : unsent)
      add(stage, ActionKind::Wait, result.channels[channel].name, microBatch);
  }

  const PipelineProblem &problem;
  const ComputeOrder &order;
  const ExpandOptions &options;
  PipelineSchedule result;
  Positions positions;
  std::map<std::pair<int64_t, std::string>, std::vector<int64_t>> incoming;
  std::vector<std::vector<int64_t>> end;
};

/// What happens once, after everything else.
class OnceServer {
public:
  OnceServer(PipelineSchedule &schedule, const std::vector<FreeRule> &frees)
      : schedule(schedule), frees(frees) {
    for (const Channel &channel : schedule.channels)
      if (channel.isOnce)
        channels.push_back(&channel);
  }

  /// All ends begin before any is waited for, in the order of the list: no
  /// circles.
  void run() {
    for (const Channel *channel : channels)
      if (isRunHere(channel->producer) && isFirst(*channel))
        add(channel->fromStage, ActionKind::Run, channel->producer);
    for (const Channel *channel : channels) {
      add(channel->fromStage, ActionKind::Send, channel->name);
      add(channel->toStage, ActionKind::Recv, channel->name);
    }
    for (const Channel *channel : channels)
      if (isRunHere(channel->producer) && isFirst(*channel))
        for (const FreeRule &rule : frees)
          if (rule.program == channel->producer)
            add(channel->fromStage, ActionKind::Free, rule.buffer);
    for (const Channel *channel : channels) {
      add(channel->fromStage, ActionKind::Wait, channel->name);
      add(channel->toStage, ActionKind::Wait, channel->name);
      if (isRunHere(channel->consumer) && isLast(*channel))
        add(channel->toStage, ActionKind::Run, channel->consumer);
    }
  }

private:
  void add(int64_t stage, ActionKind kind, const std::string &name) {
    schedule.actions[stage].push_back({kind, name, 0});
  }

  /// Not one that the schedule is made of anyway.
  bool isRunHere(const std::string &program) const {
    return !program.empty() && program != schedule.name && !passOf(program);
  }

  /// A producer runs before the first of its messages, ...
  bool isFirst(const Channel &channel) const {
    return *std::find_if(channels.begin(), channels.end(),
                         [&](const Channel *other) {
                           return other->producer == channel.producer &&
                                  other->fromStage == channel.fromStage;
                         }) == &channel;
  }

  /// ... a consumer after the last.
  bool isLast(const Channel &channel) const {
    return *std::find_if(channels.rbegin(), channels.rend(),
                         [&](const Channel *other) {
                           return other->consumer == channel.consumer &&
                                  other->toStage == channel.toStage;
                         }) == &channel;
  }

  PipelineSchedule &schedule;
  const std::vector<FreeRule> &frees;
  std::vector<const Channel *> channels;
};

} // namespace

std::string_view name(Queue queue) {
  switch (queue) {
  case Queue::PerChannel:
    return "per-channel";
  case Queue::PerDirection:
    return "per-direction";
  case Queue::PerPair:
    return "per-pair";
  }
  return "";
}

std::string programName(Pass pass, int64_t chunk, bool forwardOnly) {
  std::string_view kind = forwardOnly             ? "eval."
                          : pass == Pass::Forward ? "forward."
                                                  : "backward.";
  return std::string(kind) + std::to_string(chunk);
}

std::optional<ProgramPass> passOf(std::string_view program) {
  for (auto [prefix, pass, isEvaluation] :
       {std::tuple{std::string_view("forward."), Pass::Forward, false},
        std::tuple{std::string_view("backward."), Pass::Backward, false},
        std::tuple{std::string_view("eval."), Pass::Forward, true}}) {
    if (!program.starts_with(prefix))
      continue;
    std::string_view digits = program.substr(prefix.size());
    int64_t chunk = 0;
    auto [end, code] =
        std::from_chars(digits.data(), digits.data() + digits.size(), chunk);
    // The name is written in one way only.
    if (code == std::errc() && std::to_string(chunk) == digits && chunk >= 0)
      return ProgramPass{pass, chunk, isEvaluation};
  }
  return std::nullopt;
}

std::vector<Channel> edgeChannels(const PipelineProblem &problem,
                                  const std::vector<std::string> &forward,
                                  const std::vector<std::string> &backward) {
  std::vector<Channel> channels;
  auto add = [&](const std::string &tensor, Pass pass, int64_t from,
                 int64_t to) {
    channels.push_back({tensor + "." + std::to_string(from),
                        problem.stageOf(from), problem.stageOf(to),
                        programName(pass, from, problem.forwardOnly),
                        programName(pass, to, problem.forwardOnly), false,
                        problem.transferTime_s(std::min(from, to))});
  };
  for (int64_t edge = 0; edge + 1 < problem.chunks(); ++edge) {
    for (const std::string &tensor : forward)
      add(tensor, Pass::Forward, edge, edge + 1);
    if (!problem.forwardOnly)
      for (const std::string &tensor : backward)
        add(tensor, Pass::Backward, edge + 1, edge);
  }
  return channels;
}

PipelineSchedule expand(const PipelineProblem &problem,
                        const ComputeOrder &order,
                        std::vector<Channel> channels,
                        const ExpandOptions &options) {
  PipelineSchedule schedule =
      Expander(problem, order, std::move(channels), options).run();
  OnceServer(schedule, options.frees).run();
  return schedule;
}

PipelineSchedule expandOnce(const std::string &program, int64_t stages,
                            std::vector<Channel> channels,
                            const std::vector<FreeRule> &frees) {
  PipelineSchedule schedule = {program, stages, 1, 1, std::move(channels), {}};
  schedule.actions.resize(stages, {{ActionKind::Run, program, 0}});
  OnceServer(schedule, frees).run();
  return schedule;
}

} // namespace nxdt::schedule
