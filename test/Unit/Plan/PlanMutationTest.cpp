//===- PlanMutationTest.cpp - damaged plans are refused -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Damages a valid plan in every place, one at a time: each must end in a
// UserError, none in a crash or in silence.
//
//===----------------------------------------------------------------------===//
#include "Mutations.h"
#include "SamplePlan.h"

#include <random>

namespace nxdt::plan {
namespace {

TEST(PlanMutation, TruncatedAnywhere) {
  checkTruncated(toJson(samplePlan()));
  checkTruncated(toJson(shardedPlan()));
  checkTruncated(toJson(pendingPlan()));
}

TEST(PlanMutation, WrongTypes) {
  checkWrongTypes(toJson(samplePlan()));
  checkWrongTypes(toJson(shardedPlan()));
  checkWrongTypes(toJson(pendingPlan()));
}

TEST(PlanMutation, MissingAndUnknownFields) {
  checkFields(toJson(samplePlan()));
  checkFields(toJson(shardedPlan()));
  checkFields(toJson(pendingPlan()));
}

TEST(PlanMutation, Slots) {
  const Plan original = samplePlan();
  auto refuses = [&](auto &&change) {
    Plan plan = original;
    change(plan.programs[0]);
    return isRefused(toJson(plan));
  };
  int64_t tried = 0;
  const Program &program = original.programs[0];
  for (size_t i = 0; i < program.instructions.size(); ++i) {
    const Instruction &instruction = program.instructions[i];
    // Wherever a temporary stands, every other temporary and every index out
    // of range is wrong: the sample uses each once.
    for (int32_t wrong : {-2, 6, 1 << 30, 3, 4, 5}) {
      for (size_t j = 0; j < instruction.args.size(); ++j) {
        const auto *ref = std::get_if<ValueRef>(&instruction.args[j]);
        // The gradient's instruction may read the gradient it is given, 3.
        if (!ref || ref->index == wrong || (i == 1 && wrong == 3))
          continue;
        ++tried;
        EXPECT_TRUE(refuses([&](Program &p) {
          p.instructions[i].args[j] = ValueRef{wrong};
        })) << i
            << " argument " << j << " = " << wrong;
      }
      auto list = [&](std::vector<int32_t> Instruction::*field) {
        for (size_t j = 0; j < (instruction.*field).size(); ++j) {
          if ((instruction.*field)[j] == wrong)
            continue;
          ++tried;
          EXPECT_TRUE(refuses([&](Program &p) {
            (p.instructions[i].*field)[j] = wrong;
          })) << i
              << " entry " << j << " = " << wrong;
        }
      };
      list(&Instruction::outs);
      list(&Instruction::gradOuts);
      list(&Instruction::frees);
    }
  }
  EXPECT_GT(tried, 50);
}

void checkShapes(const Plan &plan) {
  const Json original = Json::parse(toJson(plan));
  int64_t tried = 0;
  for (const auto &at : nodes(original)) {
    std::string parent = at.parent_pointer().to_string();
    bool isSize =
        parent.ends_with("/shape") || parent.ends_with("/logical_shape");
    if (!isSize)
      continue;
    for (int64_t wrong : {int64_t(-1), std::numeric_limits<int64_t>::min(),
                          std::numeric_limits<int64_t>::max()}) {
      Json json = original;
      json[at] = wrong;
      EXPECT_TRUE(isRefused(json.dump())) << at.to_string() << " " << wrong;
      ++tried;
    }
    // Buffers and the values bound to them must agree.
    Json json = original;
    json[at] = original[at].get<int64_t>() + 1;
    bool isTemporary =
        parent.find("/values/") != std::string::npos &&
        original[at.parent_pointer().parent_pointer()]["buffer"] == -1;
    // Collectives tell the shapes of their results. 7 and 8 rows over 3 ranks
    // are 3 each, but every buffer of a parameter must tell the same.
    bool isFree = isTemporary && plan.mesh[1].first != "tp";
    bool isMoment = parent == "/buffers/3/logical_shape" && at.back() == "0" &&
                    plan.mesh[1].first == "tp";
    EXPECT_EQ(isRefused(json.dump()), !isFree && !isMoment) << at.to_string();
  }
  EXPECT_GT(tried, 50);
}

TEST(PlanMutation, Shapes) {
  checkShapes(samplePlan());
  checkShapes(shardedPlan());
}

/// What a shard or a group says in the wrong way is refused; a legal one in the
/// wrong place is for verifiers that know the meaning.
TEST(PlanMutation, Axes) {
  const Json original = Json::parse(toJson(shardedPlan()));
  int64_t tried = 0;
  for (const auto &at : nodes(original)) {
    std::string path = at.to_string();
    bool isAxis = path.find("/split/") != std::string::npos ||
                  path.find("/partial/") != std::string::npos ||
                  path.find("/coordinate/") != std::string::npos ||
                  path.find("/axes/") != std::string::npos;
    if (!isAxis || !original[at].is_string())
      continue;
    for (const char *wrong : {"", "pp", "tp:(2)2", "dp,tp", "tp:(0)1",
                              "tp:(1)9999999999", "tp:", "TP"}) {
      Json json = original;
      json[at] = wrong;
      EXPECT_TRUE(isRefused(json.dump())) << path << " " << wrong;
      ++tried;
    }
    // Twice the same axis.
    Json json = original;
    json[at.parent_pointer()].push_back(original[at]);
    EXPECT_TRUE(isRefused(json.dump())) << path;
  }
  EXPECT_GT(tried, 80);
}

TEST(PlanMutation, RandomBytesNeverCrash) {
  const std::string original = toJson(samplePlan());
  std::mt19937_64 random(7);
  int64_t refused = 0;
  for (int i = 0; i < 20000; ++i) {
    std::string text = original;
    for (int changes = 1 + int(random() % 3); changes > 0; --changes)
      text[random() % text.size()] = char(random() % 256);
    refused += isRefused(text);
  }
  EXPECT_GT(refused, 15000);
}

} // namespace
} // namespace nxdt::plan
