//===- DeadlockTest.cpp - orders that hang --------------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "nxdt/Schedule/ScheduleText.h"
#include "nxdt/Schedule/Verify.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

using namespace nxdt::schedule;

namespace {

PipelineSchedule read(const std::string &name) {
  std::ifstream file(std::string(NXDT_TEST_INPUTS) + "/Schedule/" + name);
  EXPECT_TRUE(file) << name;
  std::stringstream text;
  text << file.rdbuf();
  Parsed<PipelineSchedule> parsed = parseSchedule(text.str());
  EXPECT_TRUE(parsed.value) << parsed.error;
  return parsed.value.value_or(PipelineSchedule());
}

PipelineSchedule parse(const std::string &text) {
  Parsed<PipelineSchedule> parsed = parseSchedule(text);
  EXPECT_TRUE(parsed.value) << parsed.error;
  return parsed.value.value_or(PipelineSchedule());
}

using Lines = std::vector<std::string>;

void expectCircle(const PipelineSchedule &schedule,
                  const CommunicationModel &model, const Lines &lines) {
  VerifyOptions options;
  options.model = model;
  std::optional<Violation> violation = verify(schedule, options);
  ASSERT_TRUE(violation);
  EXPECT_EQ(violation->rule, Rule::Deadlock) << violation->message;
  EXPECT_EQ(violation->lines, lines);
}

void expectProved(const PipelineSchedule &schedule,
                  const CommunicationModel &model) {
  VerifyOptions options;
  options.model = model;
  std::optional<Violation> violation = verify(schedule, options);
  EXPECT_FALSE(violation) << violation->message;
}

TEST(Deadlock, PytorchIssue172668BothSend) {
  PipelineSchedule schedule = read("pytorch-172668-both-send.txt");
  Lines circle = {
      "stage 1 has not begun `recv x.0 1`, it waits at `wait x.1 0` (action 5)",
      "stage 0 has not begun `recv x.1 0`, it waits at `wait x.0 1` (action "
      "6)"};
  for (Queue queue : {Queue::PerChannel, Queue::PerDirection, Queue::PerPair})
    expectCircle(schedule, {queue, true}, circle);
  // What a simulator that takes sends for free says of it.
  expectProved(schedule, {Queue::PerPair, false});
}

TEST(Deadlock, PytorchIssue172668OddRanksReceiveFirst) {
  PipelineSchedule schedule =
      read("pytorch-172668-odd-ranks-receive-first.txt");
  Lines circle = {"stage 1 has not begun `recv x.0 2`, it waits at `wait dx.3 "
                  "0` (action 18)",
                  "stage 0 has not begun `recv dx.3 0`, it waits at `wait x.0 "
                  "2` (action 19)"};
  for (Queue queue : {Queue::PerChannel, Queue::PerDirection, Queue::PerPair})
    expectCircle(schedule, {queue, true}, circle);
  expectProved(schedule, {Queue::PerPair, false});
}

/// Two stages, one message each way, ends begun in different orders.
constexpr const char *kCrossed = R"(schedule update_step
stages 2
chunks 1
micro-batches 1
channel a stage 0 to 1 once
channel b stage 1 to 0 once
stage 0
run update_step 0
send a 0
recv b 0
wait b 0
wait a 0
stage 1
run update_step 0
send b 0
recv a 0
wait a 0
wait b 0
)";

TEST(Deadlock, OneQueuePerPairWantsOneOrder) {
  PipelineSchedule schedule = parse(kCrossed);
  expectProved(schedule, {Queue::PerChannel, true});
  expectProved(schedule, {Queue::PerDirection, true});
  expectProved(schedule, {Queue::PerPair, false});
  expectCircle(
      schedule, {Queue::PerPair, true},
      {"stage 0 has `recv b 0` (action 3) queued behind `send a 0` (action 2)",
       "stage 1 has `recv a 0` (action 3) queued behind `send b 0` (action "
       "2)"});
}

TEST(Deadlock, OneQueuePerDirectionWantsOneOrder) {
  PipelineSchedule schedule = parse(R"(schedule update_step
stages 2
chunks 1
micro-batches 1
channel a stage 0 to 1 once
channel b stage 0 to 1 once
stage 0
run update_step 0
send a 0
send b 0
wait a 0
wait b 0
stage 1
run update_step 0
recv b 0
recv a 0
wait a 0
wait b 0
)");
  expectProved(schedule, {Queue::PerChannel, true});
  expectCircle(
      schedule, {Queue::PerDirection, true},
      {"stage 0 has `send b 0` (action 3) queued behind `send a 0` (action 2)",
       "stage 1 has `recv a 0` (action 3) queued behind `recv b 0` (action "
       "2)"});
}

/// A circle of two stages within one of four: the short one is told.
TEST(Deadlock, TheShortestCircleIsTold) {
  std::string text = "schedule update_step\nstages 4\nchunks 1\n"
                     "micro-batches 1\n";
  for (int s = 0; s < 4; ++s)
    text += "channel right" + std::to_string(s) + " stage " +
            std::to_string(s) + " to " + std::to_string((s + 1) % 4) +
            " once\n";
  text += "channel left stage 2 to 1 once\n";
  auto both = [](std::string kind, std::string name) {
    return kind + " " + name + " 0\nwait " + name + " 0\n";
  };
  for (int s = 0; s < 4; ++s) {
    text += "stage " + std::to_string(s) + "\nrun update_step 0\n";
    std::string own = "right" + std::to_string(s);
    std::string previous = "right" + std::to_string((s + 3) % 4);
    if (s == 2)
      text += both("send", "left");
    text += both("send", own) + both("recv", previous);
    if (s == 1)
      text += both("recv", "left");
  }
  expectCircle(parse(text), {Queue::PerChannel, true},
               {"stage 2 has not begun `recv right1 0`, it waits at `wait left "
                "0` (action 3)",
                "stage 1 has not begun `recv left 0`, it waits at `wait right1 "
                "0` (action 3)"});
}

} // namespace
