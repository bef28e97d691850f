//===- PlanFamilyTest.cpp - pipelines: JSON and what they must not be -*- C++
//-*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "TiedFamily.h"
#include "nxdt/Plan/Communication.h"
#include "nxdt/Plan/Family.h"
#include "nxdt/Plan/PlanJson.h"
#include "nxdt/Support/UserError.h"

#include <functional>
#include <gtest/gtest.h>

namespace nxdt::plan {
namespace {

std::string messageOf(const std::function<void()> &body) {
  try {
    body();
  } catch (const UserError &e) {
    return e.what();
  }
  return "";
}

std::string refusalOf(const std::function<void(Plan &, Plan &)> &change) {
  PlanFamily family = sampleFamily();
  change(family.stages[0], family.stages[1]);
  return messageOf([&] { verifyFamily(family, "p.json"); });
}

/// `change` must be refused with this message.
#define EXPECT_REFUSED(change, text)                                           \
  EXPECT_EQ(refusalOf([]([[maybe_unused]] Plan &first,                         \
                         [[maybe_unused]] Plan &second) { change; }),          \
            std::string("p.json: ") + text)                                    \
      << #change

TEST(PlanFamily, ReadsBackWhatItWrote) {
  PlanFamily family = sampleFamily();
  EXPECT_EQ(refusalOf([](Plan &, Plan &) {}), "");
  std::string text = toJson(family);
  PlanFamily read = familyFromJson(text, "p.json");
  EXPECT_EQ(toJson(read), text);
  ASSERT_EQ(read.stages.size(), 2u);
  for (size_t i = 0; i < 2; ++i) {
    const Plan &found = read.stages[i], &expected = family.stages[i];
    ASSERT_EQ(found.channels.size(), 2u);
    for (size_t j = 0; j < 2; ++j) {
      EXPECT_EQ(found.channels[j].name, expected.channels[j].name);
      EXPECT_EQ(found.channels[j].isSend, expected.channels[j].isSend);
      EXPECT_EQ(found.channels[j].peer, expected.channels[j].peer);
      EXPECT_EQ(found.channels[j].buffer, expected.channels[j].buffer);
      EXPECT_EQ(found.channels[j].reason, expected.channels[j].reason);
    }
    ASSERT_EQ(found.schedules.size(), 1u);
    EXPECT_EQ(found.schedules[0].name, "train_step");
    EXPECT_EQ(found.schedules[0].microBatches, 3);
    EXPECT_EQ(found.schedules[0].actions, expected.schedules[0].actions);
    EXPECT_EQ(found.buffers[3].role, Role::Carry);
  }
  // An action is a line.
  EXPECT_NE(text.find(R"(
{"name":"h.0","direction":"send","peer":1,"buffer":3,"reason":"hidden states"},
)"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find(R"(
"schedules":[
{"name":"train_step","micro_batches":3,"actions":[
"run forward.0 0",
"send h.0 0",
"run forward.0 1",
"recv dh.0 0",
"send h.0 1",
"wait h.0 0",
"free h 0",
)"),
            std::string::npos)
      << text;
}

TEST(PlanFamily, AFamilyOfOneIsItsPlan) {
  std::string text = toJson(samplePlan());
  EXPECT_EQ(text.find("channels"), std::string::npos);
  PlanFamily family = familyFromJson(text, "p.json");
  ASSERT_EQ(family.stages.size(), 1u);
  EXPECT_EQ(toJson(family), text);
  verifyFamily(family, "p.json");
  EXPECT_EQ(messageOf([] { fromJson(toJson(sampleFamily()), "p.json"); }),
            "p.json: holds a plan for each stage of a pipeline, expected a "
            "single plan");
}

TEST(PlanFamily, JsonIsReadStrictly) {
  std::string text = toJson(sampleFamily());
  auto saysOf = [&](const std::string &from, const std::string &to) {
    std::string changed = text;
    size_t at = changed.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    changed.replace(at, from.size(), to);
    return messageOf([&] { familyFromJson(changed, "p.json"); });
  };
  const std::string place = "p.json: stages[0].schedules[0].actions[1]: ";
  EXPECT_EQ(saysOf("send h.0 0", "send h.1 0"),
            place + "there is no channel 'h.1'");
  EXPECT_EQ(saysOf("run forward.0 0", "run h.0 0"),
            "p.json: stages[0].schedules[0].actions[0]: there is no program "
            "'h.0'");
  EXPECT_EQ(saysOf("free h 0", "free forward.0 0"),
            "p.json: stages[0].schedules[0].actions[6]: there is no buffer "
            "'forward.0'");
  for (const char *wrong :
       {"put h.0 0", "send h.0", "send h.0 ", "send h.0 0x", "send h.0 +0",
        "send  0", "send", "", "send h.0 99999999999999999999"})
    EXPECT_EQ(saysOf("send h.0 0", wrong),
              place +
                  "expected '<run|send|recv|wait|free> <name> <micro-batch>', "
                  "found \"" +
                  wrong + "\"");
  EXPECT_EQ(saysOf(R"("direction":"send")", R"("direction":"both")"),
            "p.json: stages[0].channels[0].direction: unknown direction 'both' "
            "(known: send, recv)");
  EXPECT_EQ(saysOf("\"channels\"", "\"chanels\""),
            "p.json: stages[0]: the field 'channels' is missing");
  EXPECT_EQ(saysOf("\"schedules\"", "\"schedule\""),
            "p.json: stages[0]: the field 'schedules' is missing");
}

TEST(PlanFamily, NamesMayHaveSpaces) {
  PlanFamily family = sampleFamily();
  for (Plan &plan : family.stages)
    plan.channels[0].name = " h of 0 ";
  PlanFamily read = familyFromJson(toJson(family), "p.json");
  EXPECT_EQ(actionText(read.stages[0], read.stages[0].schedules[0].actions[1]),
            "send  h of 0  0");
  EXPECT_EQ(toJson(read), toJson(family));
  EXPECT_EQ(actionText(read.stages[0], act(kWait, 7, 2)), "wait #7 2");
}

TEST(PlanFamily, Carries) {
  EXPECT_REFUSED(first.programs[0].values[1] = first.programs[0].values[2],
                 "stage 0: program 'forward.0': the values 1 and 2 are both "
                 "bound to the carry 'h'");
  // Read, then written.
  EXPECT_REFUSED(
      first.programs[0].instructions[0].args[1] = ValueRef{2},
      "stage 0: program 'forward.0', instruction 0 (my::make in lm_head): uses "
      "the value 2 before anything has defined it");
  EXPECT_REFUSED(
      first.programs[0].instructions.push_back(aten("my::make", {}, {2})),
      "stage 0: program 'forward.0', instruction 1 (my::make in lm_head): "
      "defines the value 2 a second time");
  EXPECT_REFUSED(
      first.programs[1].instructions[1].args[1] = ValueRef{2},
      "stage 0: program 'backward.0', instruction 0 (my::make in lm_head): "
      "frees the value 2, whose last use this is not");
  EXPECT_REFUSED(first.programs[1].instructions[0].frees.push_back(2),
                 "stage 0: program 'backward.0', instruction 0 (my::make in "
                 "lm_head): frees a value twice");
  // Buffers other than carries stay.
  EXPECT_REFUSED(first.programs[1].instructions[1].frees.push_back(0),
                 "stage 0: program 'backward.0', instruction 1 "
                 "(aten::add_.Tensor in lm_head): frees the value 0, which is "
                 "bound to a buffer");
  for (const char *name : {"begin_step", "other", "eval_step"}) {
    std::string text = refusalOf([&](Plan &first, Plan &) {
      first.programs.push_back(first.programs[0]);
      first.programs.back().name = name;
    });
    EXPECT_EQ(text, "p.json: stage 0: program '" + std::string(name) +
                        "' uses the carry 'h', but runs outside of schedules: "
                        "there is no micro-batch");
  }
}

Schedule &step(Plan &plan) { return plan.schedules[0]; }
void insert(Plan &plan, size_t at, Action action) {
  auto &actions = step(plan).actions;
  actions.insert(actions.begin() + long(at), action);
}
void erase(Plan &plan, size_t at) {
  auto &actions = step(plan).actions;
  actions.erase(actions.begin() + long(at));
}

TEST(PlanFamily, Schedules) {
  const std::string say = "stage 0: schedule 'train_step': ";
  EXPECT_REFUSED(step(first).name = "step",
                 "stage 0: unknown schedule 'step' (known: train_step, "
                 "eval_step, update_step)");
  EXPECT_REFUSED(first.schedules.push_back(first.schedules[0]),
                 "stage 0: two schedules are named 'train_step'");
  EXPECT_REFUSED(step(first).microBatches = 0,
                 say + "has 0 micro-batches, expected at least 1");
  EXPECT_REFUSED(step(first).name = "update_step",
                 "stage 0: schedule 'update_step': has 3 micro-batches, but it "
                 "runs once per step");
  EXPECT_REFUSED(step(first).microBatches = 2,
                 say + "action 10 (run forward.0 2): there are the "
                       "micro-batches 0 to 1");
  EXPECT_REFUSED(step(first).microBatches = 4,
                 say + "runs the program 'forward.0' for 3 of 4 "
                       "micro-batches");
  EXPECT_REFUSED(step(first).actions[0].microBatch = -1,
                 say + "action 0 (run forward.0 -1): there are the "
                       "micro-batches 0 to 2");
  EXPECT_REFUSED(step(first).actions[0].index = 2,
                 say + "action 0 (run #2 0): the program 2 does not exist (the "
                       "plan has 2)");
  EXPECT_REFUSED(step(first).actions[1].index = -1,
                 say + "action 1 (send #-1 0): the channel -1 does not exist "
                       "(the plan has 2)");
  EXPECT_REFUSED(step(first).actions[6].index = 0,
                 say + "action 6 (free w 0): is no carry");
  EXPECT_REFUSED(step(first).actions[1].index = 1,
                 say + "action 1 (send dh.0 0): is a channel to receive on");
  EXPECT_REFUSED(erase(first, 0),
                 say + "action 0 (send h.0 0): the carry 'h' is not there: "
                       "nothing has made it for this micro-batch");
  EXPECT_REFUSED(insert(first, 1, act(kRun, 0, 0)),
                 say + "action 1 (run forward.0 0): runs twice for this "
                       "micro-batch");
  EXPECT_REFUSED(insert(first, 2, act(kSend, 0, 0)),
                 say + "action 2 (send h.0 0): was started before for this "
                       "micro-batch");
  EXPECT_REFUSED(erase(first, 1),
                 say + "action 4 (wait h.0 0): waits for what was not "
                       "started");
  EXPECT_REFUSED(insert(first, 6, act(kWait, 0, 0)),
                 say + "action 6 (wait h.0 0): was waited for before");
  EXPECT_REFUSED(erase(first, 5), say + "nothing waits for the send of 'h.0', "
                                        "micro-batch 0");
  EXPECT_REFUSED(erase(first, 6),
                 say + "the carry 'h' is left over for micro-batch 0");
  EXPECT_REFUSED(insert(first, 7, act(kFree, 3, 0)),
                 say + "action 7 (free h 0): the carry 'h' is not there: it "
                       "was dropped before");
  // Freed before it is sent.
  EXPECT_REFUSED(
      {
        erase(first, 6);
        insert(first, 1, act(kFree, 3, 0));
      },
      say + "action 2 (send h.0 0): the carry 'h' is not there: it was dropped "
            "before");
  // A program drops it, another one wants it.
  EXPECT_REFUSED(insert(first, 9, act(kFree, 4, 0)),
                 say + "action 9 (free kept 0): the carry 'kept' is not there: "
                       "it was dropped before");
  // What arrives would overwrite what is there.
  EXPECT_REFUSED(
      {
        erase(first, 6);
        first.channels[1].buffer = 3;
      },
      say + "action 6 (wait dh.0 0): the carry 'h' is there already for this "
            "micro-batch");
}

TEST(PlanFamily, Channels) {
  EXPECT_REFUSED(first.channels[1].name = "h.0",
                 "stage 0: channel 'h.0': its name is empty or stands twice");
  EXPECT_REFUSED(first.channels[0].peer = 2,
                 "stage 0: channel 'h.0': its peer is stage 2 of 2");
  EXPECT_REFUSED(first.channels[0].buffer = 6,
                 "stage 0: channel 'h.0': buffer 6 does not exist (the plan "
                 "has 6)");
  EXPECT_REFUSED(first.channels[0].buffer = 0,
                 "stage 0: channel 'h.0': its buffer 'w' is no carry");
  EXPECT_REFUSED(first.channels[0].peer = 0,
                 "channel 'h.0' of stage 0: its peer is its own stage");
  EXPECT_REFUSED(second.channels[0].name = "x",
                 "channel 'h.0' of stage 0: stage 1 has no such channel");
  EXPECT_REFUSED(
      {
        second.buffers[3].shape = {8};
        second.programs[0].values[3].shape = {8};
      },
      "channel 'h.0' of stage 0: 'h' is f32[2, 4], but on stage 1 'h.in' is "
      "f32[8]");
  EXPECT_REFUSED(
      {
        second.buffers[3].logicalShape = (std::vector<int64_t>{2, 4});
        second.buffers[3].split = (std::vector<Axes>{{}, {}});
      },
      "channel 'h.0' of stage 0: 'h' is f32[2, 4], but on stage 1 'h.in' is "
      "f32[2, 4] and lies otherwise");
  EXPECT_REFUSED(
      {
        second.schedules[0].actions[0].microBatch = 1;
        second.schedules[0].actions[1].microBatch = 1;
        second.schedules[0].actions[6].microBatch = 0;
        second.schedules[0].actions[7].microBatch = 0;
        std::swap(second.schedules[0].actions[2],
                  second.schedules[0].actions[8]);
        for (size_t i = 3; i < 6; ++i)
          std::swap(second.schedules[0].actions[i],
                    second.schedules[0].actions[i + 6]);
      },
      "channel 'h.0' of stage 0: schedule 'train_step': at place 0 it sends "
      "micro-batch 0, but stage 1 receives micro-batch 1");
  // Both ends are of one kind: neither schedule sends.
  EXPECT_REFUSED(
      {
        first.schedules.clear();
        second.schedules.clear();
        first.programs.clear();
        second.programs.clear();
        second.channels[0].isSend = true;
      },
      "channel 'h.0' of stage 0: both ends send");
}

TEST(PlanFamily, StagesAgree) {
  EXPECT_REFUSED(second.mesh[0].second = 3,
                 "stage 1 and stage 0 differ in mesh");
  EXPECT_REFUSED(second.vocabSize = 4,
                 "stage 1 and stage 0 differ in vocab_size");
  EXPECT_REFUSED(
      {
        second.schedules.clear();
        second.programs.clear();
      },
      "stage 1 has no schedule 'train_step', but stage 0 has one");
  EXPECT_REFUSED(
      {
        first.schedules.clear();
        first.programs.clear();
      },
      "stage 0 has no schedule 'train_step', but stage 1 has one");
  EXPECT_EQ(messageOf([] { verifyFamily({{firstStage()}}, "p.json"); }),
            "p.json: has the plans of 1 stages, but the mesh has pp 2");
  EXPECT_EQ(messageOf([] { verifyFamily({}, "p.json"); }),
            "p.json: has no stages");
}

TEST(PlanFamily, TiedParametersAndTheirOwners) {
  PlanFamily family = tiedFamily();
  verifyFamily(family, "p.json");
  using Owners = std::map<std::string, int64_t>;
  EXPECT_EQ(ownersOf(family), (Owners{{"v", 1}, {"w", 1}}));
  EXPECT_EQ(ownersOf(sampleFamily()), (Owners{{"v", 1}, {"w", 0}}));
  EXPECT_EQ(buffersOf(family).stages[1].buffers.size(), 10u);
  EXPECT_TRUE(buffersOf(family).stages[1].schedules.empty());
  Plan whole = wholeOf(family);
  std::string names;
  for (const Buffer &buffer : whole.buffers)
    names += buffer.name + " ";
  EXPECT_EQ(names, "v w w.m ");
  auto refusal = [](const std::function<void(PlanFamily &)> &change) {
    PlanFamily changed = tiedFamily();
    change(changed);
    return messageOf([&] { verifyFamily(changed, "p.json"); });
  };
  EXPECT_EQ(refusal([](PlanFamily &f) {
              f.stages[0].tied = f.stages[1].tied = {{"alias", "x"}};
            }),
            "p.json: tied: 'x' is not the parameter of any buffer");
  EXPECT_EQ(
      refusal([](PlanFamily &f) {
        f.stages[0].tied = f.stages[1].tied = {{"v", "w"}};
      }),
      "p.json: stage 1: tied: the alias 'v' is empty, has a buffer of its "
      "own or stands twice");
  EXPECT_EQ(refusal([](PlanFamily &f) { f.stages[0].buffers[0].init.a = 1; }),
            "p.json: the parameter 'w' is not the same on stage 0 and on stage "
            "1");
  EXPECT_EQ(refusal([](PlanFamily &f) {
              f.stages[0].buffers.push_back(f.stages[1].buffers[7]);
              f.stages[0].memory = bufferBytes(f.stages[0]);
            }),
            "p.json: the parameter 'w' has optimizer states on stage 0 and on "
            "stage 1");
}

TEST(PlanFamily, Traffic) {
  Plan plan = firstStage();
  std::vector<ChannelTraffic> step = channelTrafficOf(plan, Stage::Step);
  ASSERT_EQ(step.size(), 2u);
  EXPECT_EQ(step[0].name, "h.0");
  EXPECT_TRUE(step[0].isSend);
  EXPECT_EQ(step[0].peer, 1);
  EXPECT_EQ(step[0].calls, 3);
  EXPECT_EQ(step[0].bytes, 3 * 32);
  EXPECT_FALSE(step[1].isSend);
  EXPECT_TRUE(channelTrafficOf(plan, Stage::Evaluation).empty());
  EXPECT_EQ(runsOf(plan, plan.programs[0], Stage::Step, 7), 3);
  EXPECT_EQ(runsOf(plan, plan.programs[0], Stage::Evaluation, 7), 0);
  plan.programs[0].name = "finish_step";
  plan.programs[1].name = "train_step";
  EXPECT_EQ(runsOf(plan, plan.programs[0], Stage::Step, 7), 4);
  EXPECT_EQ(runsOf(plan, plan.programs[1], Stage::Step, 7), 3);
}

} // namespace
} // namespace nxdt::plan
