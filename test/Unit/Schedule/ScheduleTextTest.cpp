//===- ScheduleTextTest.cpp - schedules as text ---------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "nxdt/Schedule/ScheduleText.h"

#include "RandomProblem.h"

#include <gtest/gtest.h>

using namespace nxdt::schedule;
using nxdt::plan::ActionKind;

namespace {

TEST(ScheduleText, ActionsComeBack) {
  for (ActionKind kind : {ActionKind::Run, ActionKind::Send, ActionKind::Recv,
                          ActionKind::Wait, ActionKind::Free}) {
    Action action = {kind, "x.1", 30};
    Parsed<Action> parsed = parseAction(print(action));
    ASSERT_TRUE(parsed.value) << parsed.error;
    EXPECT_EQ(*parsed.value, action);
  }
  EXPECT_EQ(print({ActionKind::Run, "forward.1", 3}), "run forward.1 3");
}

TEST(ScheduleText, ActionsThatAreNone) {
  auto errorOf = [](const char *text) { return parseAction(text).error; };
  EXPECT_EQ(errorOf(""), "expected run, send, recv, wait or free, not the end "
                         "of the line");
  EXPECT_EQ(errorOf("rum forward.1 3"),
            "expected run, send, recv, wait or free, not 'rum'");
  EXPECT_EQ(errorOf("run"),
            "expected a program's name, not the end of the line");
  EXPECT_EQ(errorOf("send"),
            "expected a channel's name, not the end of the line");
  EXPECT_EQ(errorOf("free"),
            "expected a buffer's name, not the end of the line");
  EXPECT_EQ(errorOf("run forward.1"),
            "expected a micro-batch, not the end of the line");
  EXPECT_EQ(errorOf("run forward.1 -3"), "expected a micro-batch, not '-3'");
  EXPECT_EQ(errorOf("run forward.1 3x"), "expected a micro-batch, not '3x'");
  EXPECT_EQ(errorOf("run forward.1 99999999999999999999"),
            "expected a micro-batch, not '99999999999999999999'");
  EXPECT_EQ(errorOf("run forward.1 3 4"),
            "expected the end of the line, not '4'");
}

TEST(ScheduleText, RandomSchedulesComeBack) {
  std::mt19937_64 random(3);
  for (int i = 0; i < 200; ++i) {
    PipelineProblem problem = randomProblem(random);
    std::vector<Channel> channels = randomChannels(problem, random);
    if (problem.stages > 1)
      channels.push_back(
          {"tied", problem.stages - 1, 0, "", "add_tied", true, 1e-300});
    PipelineSchedule schedule = expand(problem, generate(problem), channels);
    Parsed<PipelineSchedule> parsed = parseSchedule(print(schedule));
    ASSERT_TRUE(parsed.value) << parsed.error;
    EXPECT_EQ(*parsed.value, schedule);
  }
}

constexpr const char *kHead =
    "schedule eval_step\nstages 2\nchunks 1\nmicro-batches 1\n";

TEST(ScheduleText, CommentsAndIndentationMeanNothing) {
  Parsed<PipelineSchedule> parsed =
      parseSchedule(std::string("# by hand\n\n") + kHead +
                    "stage 0\n  run eval.0 0 # first\r\n\nstage 1\n");
  ASSERT_TRUE(parsed.value) << parsed.error;
  EXPECT_EQ(parsed.value->actions[0],
            (std::vector<Action>{{ActionKind::Run, "eval.0", 0}}));
  EXPECT_TRUE(parsed.value->actions[1].empty());
}

TEST(ScheduleText, ErrorsNameTheLineAndWhatWasExpected) {
  auto errorOf = [](const std::string &text) {
    return parseSchedule(text).error;
  };
  auto errorBelow = [&](const std::string &text) {
    return errorOf(kHead + text);
  };
  EXPECT_EQ(errorOf(""), "line 1: expected 'schedule', not the end of the "
                         "text");
  EXPECT_EQ(errorOf("schedule\n"),
            "line 1: expected a schedule's name, not the end of the line");
  EXPECT_EQ(errorOf("schedule a\nchunks 2\n"),
            "line 2: expected 'stages', not 'chunks'");
  EXPECT_EQ(errorOf("schedule a\nstages 0\n"),
            "line 2: expected a count from 1 to 1048576, not 0");
  EXPECT_EQ(errorOf("schedule a\nstages 1099511627776\n"),
            "line 2: expected a count from 1 to 1048576, not 1099511627776");
  EXPECT_EQ(errorOf("schedule a\nstages two\n"),
            "line 2: expected a count, not 'two'");
  EXPECT_EQ(errorOf("schedule a\nstages 2\n"),
            "line 3: expected 'chunks', not the end of the text");
  EXPECT_EQ(errorBelow("run eval.0 0\n"),
            "line 5: expected 'channel' or 'stage', not 'run'");
  EXPECT_EQ(errorBelow("channel x stage 0 1\n"),
            "line 5: expected 'to', not '1'");
  EXPECT_EQ(errorBelow("channel x stage 0 to 1 takes -1\n"),
            "line 5: expected a time in seconds, not '-1'");
  EXPECT_EQ(errorBelow("channel x stage 0 to 1 takes inf\n"),
            "line 5: expected a time in seconds, not 'inf'");
  EXPECT_EQ(errorBelow("channel x stage 0 to 1 before b after a\n"),
            "line 5: expected the end of the line, not 'after'");
  EXPECT_EQ(errorBelow("stage 1\n"), "line 5: expected stage 0, not 1");
  EXPECT_EQ(errorBelow("stage 0\n\nrun eval.0\n"),
            "line 7: expected a micro-batch, not the end of the line");
  EXPECT_EQ(errorBelow("stage 0\n"),
            "line 6: expected 'stage 1', not the end of the text");
  EXPECT_EQ(errorBelow("stage 0\nstage 1\nstage 2\n"),
            "line 7: there are only 2 stages, no stage 2");
}

} // namespace
