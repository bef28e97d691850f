//===- VerifyTest.cpp - schedules proved and refused ----------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Corruptions.h"
#include "nxdt/Schedule/ScheduleText.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

using namespace nxdt::schedule;
using nxdt::plan::ActionKind;

namespace {

Proved randomProved(std::mt19937_64 &random) {
  Proved proved;
  proved.problem = randomProblem(random);
  proved.order = generate(proved.problem);
  proved.options.queue = randomQueue(random);
  std::string first = programName(Pass::Forward, 0, proved.problem.forwardOnly);
  proved.options.frees = {{first, "input"}};
  proved.schedule =
      expand(proved.problem, proved.order,
             randomChannels(proved.problem, random), proved.options);
  return proved;
}

TEST(Verify, RandomSchedulesAreProved) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 2000; ++i) {
    Proved proved = randomProved(random);
    VerifyOptions options;
    options.model.queue = proved.options.queue;
    std::optional<Violation> violation = verify(proved.schedule, options);
    ASSERT_FALSE(violation) << violation->message << "\n"
                            << print(proved.schedule);
  }
}

/// What is proved with one queue per pair of stages holds with more queues.
TEST(Verify, WeakerQueuesFollow) {
  std::mt19937_64 random(2);
  for (int i = 0; i < 200; ++i) {
    Proved proved = randomProved(random);
    for (Queue queue : {Queue::PerChannel, Queue::PerDirection, Queue::PerPair})
      for (bool isRendezvous : {false, true}) {
        VerifyOptions options;
        options.model = {queue, isRendezvous};
        if (isRendezvous && queue > proved.options.queue)
          continue;
        std::optional<Violation> violation = verify(proved.schedule, options);
        EXPECT_FALSE(violation) << violation->message;
      }
  }
}

TEST(Verify, RandomCorruptionsAreRefusedByName) {
  std::mt19937_64 random(4);
  std::map<std::string, int64_t> applied;
  int64_t count = 0;
  while (count < 1000) {
    Proved proved = randomProved(random);
    const Corruption &corruption = corruptions()[uniform(
        random, 0, static_cast<int64_t>(corruptions().size()) - 1)];
    PipelineSchedule before = proved.schedule;
    if (!corruption.apply(proved, random))
      continue;
    ++count;
    ++applied[corruption.what];
    VerifyOptions options;
    options.model.queue = proved.options.queue;
    std::optional<Violation> violation = verify(proved.schedule, options);
    ASSERT_TRUE(violation) << corruption.what << "\n" << print(before);
    EXPECT_EQ(name(violation->rule), name(corruption.rule))
        << corruption.what << ": " << violation->message;
    EXPECT_TRUE(violation->message.ends_with(
        "[" + std::string(name(corruption.rule)) + "]"))
        << violation->message;
  }
  for (const Corruption &corruption : corruptions())
    EXPECT_GT(applied[corruption.what], 15) << corruption.what;
}

TEST(Verify, EveryRuleIsBrokenByACorruption) {
  std::set<Rule> broken;
  for (const Corruption &corruption : corruptions())
    broken.insert(corruption.rule);
  for (int rule = 0; rule <= static_cast<int>(Rule::Deadlock); ++rule)
    EXPECT_TRUE(broken.count(static_cast<Rule>(rule)))
        << name(static_cast<Rule>(rule));
}

/// Runs a schedule by chance, one stage at a time, with its own idea of what
/// actions mean: rendezvous, one queue per ordered pair of stages.
class Interpreter {
public:
  explicit Interpreter(const PipelineSchedule &schedule)
      : schedule(schedule), next(schedule.stages), has(schedule.stages) {}

  /// "done", "stuck", or what went wrong.
  std::string run(std::mt19937_64 &random) {
    while (true) {
      std::vector<int64_t> able;
      for (int64_t stage = 0; stage < schedule.stages; ++stage)
        if (next[stage] < schedule.actions[stage].size() && canStep(stage))
          able.push_back(stage);
      if (able.empty())
        break;
      int64_t stage =
          able[uniform(random, 0, static_cast<int64_t>(able.size()) - 1)];
      std::string error = step(stage);
      if (!error.empty())
        return error;
    }
    for (int64_t stage = 0; stage < schedule.stages; ++stage)
      if (next[stage] < schedule.actions[stage].size())
        return "stuck";
    return "done";
  }

private:
  using Key = std::pair<std::string, int64_t>;

  const Action &current(int64_t stage) const {
    return schedule.actions[stage][next[stage]];
  }

  bool canStep(int64_t stage) const {
    const Action &action = current(stage);
    return action.kind != ActionKind::Wait ||
           gone.count({action.name, action.microBatch});
  }

  std::string step(int64_t stage) {
    const Action &action = current(stage);
    ++next[stage];
    Key key = {action.name, action.microBatch};
    for (const Channel &channel : schedule.channels) {
      Key message = {channel.name, action.microBatch};
      if (action.kind == ActionKind::Run && channel.toStage == stage &&
          channel.consumer == action.name && !has[stage].count(message))
        return "has not received " + channel.name;
      if (action.kind == ActionKind::Run && channel.fromStage == stage &&
          channel.producer == action.name)
        has[stage].insert(message);
      if (channel.name != action.name)
        continue;
      auto ends = std::pair(channel.fromStage, channel.toStage);
      if (action.kind == ActionKind::Send) {
        if (!has[stage].count(key))
          return "has not made " + channel.name;
        sends[ends].push_back(key);
      }
      if (action.kind == ActionKind::Recv)
        receives[ends].push_back(key);
      if (action.kind == ActionKind::Wait && channel.toStage == stage)
        has[stage].insert(key);
      move(ends);
    }
    return "";
  }

  void move(std::pair<int64_t, int64_t> ends) {
    std::vector<Key> &from = sends[ends], &to = receives[ends];
    while (!from.empty() && !to.empty() && from.front() == to.front()) {
      gone.insert(from.front());
      from.erase(from.begin());
      to.erase(to.begin());
    }
  }

  const PipelineSchedule &schedule;
  std::vector<size_t> next;
  std::vector<std::set<Key>> has;
  std::map<std::pair<int64_t, int64_t>, std::vector<Key>> sends, receives;
  std::set<Key> gone;
};

/// Two neighbours of a stage change places: verify() and the interpreter agree
/// on whether that is a deadlock, and what is proved runs to its end.
TEST(Verify, AgreesWithAnInterpreterOnSwappedActions) {
  std::mt19937_64 random(6);
  int64_t proved = 0, hanging = 0, refused = 0;
  for (int i = 0; i < 3000; ++i) {
    PipelineProblem problem;
    problem.stages = uniform(random, 2, 4);
    problem.chunksPerStage = uniform(random, 1, 2);
    problem.microBatches = problem.stages * uniform(random, 1, 2);
    ExpandOptions options;
    options.queue =
        uniform(random, 0, 1) ? Queue::PerDirection : Queue::PerChannel;
    PipelineSchedule schedule = expand(
        problem, generate(problem), randomChannels(problem, random), options);
    for (int64_t swaps = uniform(random, 1, 3); swaps > 0; --swaps) {
      auto &actions = schedule.actions[uniform(random, 0, problem.stages - 1)];
      int64_t last = static_cast<int64_t>(actions.size()) - 1;
      int64_t first = uniform(random, 0, last - 1);
      // Near ones mostly stay legal, far ones mostly hang.
      int64_t second = std::min(last, first + uniform(random, 1, 6));
      std::swap(actions[first], actions[second]);
    }
    std::optional<Violation> violation = verify(schedule);
    std::string outcome = Interpreter(schedule).run(random);
    if (!violation) {
      ++proved;
      EXPECT_EQ(outcome, "done") << print(schedule);
    } else if (violation->rule == Rule::Deadlock) {
      ++hanging;
      EXPECT_EQ(outcome, "stuck") << print(schedule);
      EXPECT_GE(violation->lines.size(), 2u);
    } else {
      ++refused;
    }
  }
  EXPECT_GT(proved, 200);
  EXPECT_GT(hanging, 100);
  EXPECT_GT(refused, 200);
}

/// Any text: an error, a violation, or a schedule that runs to its end.
TEST(Verify, DamagedTextsDoNoHarm) {
  std::mt19937_64 random(8);
  const std::string letters = "0123456789 \n.-abefnorsuvwx";
  int64_t unreadable = 0, refused = 0, proved = 0;
  for (int i = 0; i < 3000; ++i) {
    PipelineProblem problem;
    problem.stages = uniform(random, 1, 3);
    problem.microBatches = problem.stages * uniform(random, 1, 2);
    std::string text = print(
        expand(problem, generate(problem), randomChannels(problem, random)));
    for (int64_t edits = uniform(random, 1, 3); edits > 0; --edits) {
      size_t at = uniform(random, 0, static_cast<int64_t>(text.size()) - 1);
      char letter = letters[uniform(random, 0, letters.size() - 1)];
      switch (uniform(random, 0, 2)) {
      case 0:
        text[at] = letter;
        break;
      case 1:
        text.insert(at, 1, letter);
        break;
      default:
        text.erase(at, uniform(random, 1, 12));
      }
    }
    Parsed<PipelineSchedule> parsed = parseSchedule(text);
    if (!parsed.value) {
      ++unreadable;
      EXPECT_TRUE(parsed.error.starts_with("line ")) << parsed.error;
    } else if (verify(*parsed.value)) {
      ++refused;
    } else {
      ++proved;
      EXPECT_EQ(Interpreter(*parsed.value).run(random), "done") << text;
    }
  }
  EXPECT_GT(unreadable, 100);
  EXPECT_GT(refused, 100);
  EXPECT_GT(proved, 10);
}

TEST(Verify, MessagesSayWhatAndWhere) {
  PipelineProblem problem;
  problem.stages = problem.microBatches = 2;
  PipelineSchedule schedule =
      expand(problem, generate(problem), edgeChannels(problem, {"x"}, {"dx"}));
  std::swap(schedule.actions[1][4], schedule.actions[1][2]);
  EXPECT_EQ(verify(schedule)->message,
            "train_step, stage 1: action 3 `run backward.1 0` comes before "
            "action 5 `run forward.1 0` [backward-before-forward]");
  schedule.microBatches = 3;
  EXPECT_EQ(verify(schedule)->message,
            "train_step, stage 0: `run forward.0 2` is missing [missing]");
  schedule.microBatches = int64_t(1) << 50;
  EXPECT_EQ(verify(schedule)->rule, Rule::Shape);
}

TEST(Verify, CapsReplaceTheBound) {
  PipelineProblem problem;
  problem.stages = 4;
  problem.microBatches = 8;
  PipelineSchedule schedule =
      expand(problem, generate(problem), edgeChannels(problem, {"x"}, {"dx"}));
  EXPECT_EQ(inFlightPeaks(schedule), (std::vector<int64_t>{4, 3, 2, 1}));
  VerifyOptions options;
  options.inFlightCap = 3;
  EXPECT_EQ(verify(schedule, options)->rule, Rule::InFlight);
  options.inFlightCap = 4;
  EXPECT_FALSE(verify(schedule, options));
}

} // namespace
