//===- FamilyMutationTest.cpp - damaged pipelines are refused -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Mutations.h"
#include "SampleFamily.h"

#include <random>

namespace nxdt::plan {
namespace {

TEST(FamilyMutation, TruncatedAnywhere) {
  checkTruncated(toJson(sampleFamily()));
}

TEST(FamilyMutation, WrongTypes) { checkWrongTypes(toJson(sampleFamily())); }

TEST(FamilyMutation, MissingAndUnknownFields) {
  checkFields(toJson(sampleFamily()));
}

/// Calls `change` with each action of each stage of a whole family.
int64_t forEachAction(
    const std::function<void(PlanFamily &, std::vector<Action> &, size_t)>
        &change) {
  const PlanFamily original = sampleFamily();
  int64_t tried = 0;
  for (size_t stage = 0; stage < 2; ++stage) {
    size_t count = original.stages[stage].schedules[0].actions.size();
    for (size_t i = 0; i < count; ++i, ++tried) {
      PlanFamily family = original;
      change(family, family.stages[stage].schedules[0].actions, i);
    }
  }
  return tried;
}

bool isBad(const PlanFamily &family) {
  try {
    verifyFamily(family, "p.json");
  } catch (const UserError &) {
    return true;
  }
  return false;
}

TEST(FamilyMutation, EveryActionIsNeededOnce) {
  int64_t tried = forEachAction(
      [](PlanFamily &family, std::vector<Action> &actions, size_t i) {
        Action action = actions[i];
        actions.erase(actions.begin() + long(i));
        EXPECT_TRUE(isBad(family)) << "without " << i;
        for (size_t at = 0; at <= actions.size(); ++at) {
          std::vector<Action> twice = actions;
          twice.insert(twice.begin() + long(i), action);
          twice.insert(twice.begin() + long(at), action);
          std::swap(actions, twice);
          EXPECT_TRUE(isBad(family)) << i << " again at " << at;
          std::swap(actions, twice);
        }
      });
  EXPECT_GT(tried, 30);
}

TEST(FamilyMutation, EveryFieldOfAnActionCounts) {
  forEachAction([](PlanFamily &family, std::vector<Action> &actions, size_t i) {
    const Action action = actions[i];
    for (ActionKind kind : {ActionKind::Run, ActionKind::Send, ActionKind::Recv,
                            ActionKind::Wait, ActionKind::Free})
      if (kind != action.kind) {
        actions[i] = {kind, action.index, action.microBatch};
        EXPECT_TRUE(isBad(family)) << i << " " << name(kind);
      }
    for (int32_t index : {-2, -1, 0, 1, 2, 3, 4, 5, 6, 1 << 30})
      if (index != action.index) {
        actions[i] = {action.kind, index, action.microBatch};
        EXPECT_TRUE(isBad(family)) << i << " index " << index;
      }
    for (int64_t microBatch : {std::numeric_limits<int64_t>::min(), int64_t(-1),
                               int64_t(0), int64_t(1), int64_t(2), int64_t(3)})
      if (microBatch != action.microBatch) {
        actions[i] = {action.kind, action.index, microBatch};
        EXPECT_TRUE(isBad(family)) << i << " micro-batch " << microBatch;
      }
  });
}

/// An order in which what is needed is not there yet is refused; any other one
/// is as good as the first.
TEST(FamilyMutation, OrdersThatCannotBe) {
  std::mt19937_64 random(3);
  int64_t refused = 0;
  for (int i = 0; i < 500; ++i) {
    PlanFamily family = sampleFamily();
    auto &actions = family.stages[random() % 2].schedules[0].actions;
    std::shuffle(actions.begin(), actions.end(), random);
    refused += isBad(family);
  }
  EXPECT_EQ(refused, 500);
}

TEST(FamilyMutation, RandomBytesNeverCrash) {
  const std::string original = toJson(sampleFamily());
  std::mt19937_64 random(7);
  int64_t refused = 0;
  for (int i = 0; i < 10000; ++i) {
    std::string text = original;
    for (int changes = 1 + int(random() % 3); changes > 0; --changes)
      text[random() % text.size()] = char(random() % 256);
    refused += isRefused(text);
  }
  EXPECT_GT(refused, 7000);
}

} // namespace
} // namespace nxdt::plan
