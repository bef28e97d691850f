//===- VerifyCommTest.cpp - ranks that do not meet ------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "nxdt/Verify/VerifyComm.h"
#include "nxdt/Support/UserError.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <gtest/gtest.h>

namespace nxdt {
namespace {

using plan::Collective;
using plan::DType;
using plan::Mesh;
using plan::Reduction;

CommStep step(const std::string &axis, std::string place,
              std::vector<int64_t> shape = {4}) {
  CommStep out;
  out.axes = {axis};
  out.shape = std::move(shape);
  out.place = std::move(place);
  return out;
}

/// A program for each rank of dp 2 x tp 2.
std::string said(const std::vector<std::vector<CommStep>> &ranks,
                 Mesh mesh = Mesh::nxd(1, 2, 1, 2)) {
  std::vector<CommClass> classes;
  for (size_t rank = 0; rank < ranks.size(); ++rank)
    classes.push_back({{int64_t(rank)}, ranks[rank]});
  try {
    verifyRendezvous(mesh, classes, "plan");
  } catch (const UserError &error) {
    return error.what();
  }
  return "";
}

TEST(VerifyComm, EqualProgramsMeet) {
  std::vector<CommStep> steps = {step("dp", "a"), step("tp", "b"),
                                 step("dp", "c")};
  EXPECT_EQ(said({steps, steps, steps, steps}), "");
}

TEST(VerifyComm, RanksOfOtherGroupsMayBeFurther) {
  // tp groups {0, 1} and {2, 3} run different numbers of collectives.
  std::vector<CommStep> one = {step("tp", "a")};
  std::vector<CommStep> two = {step("tp", "a"), step("tp", "b")};
  EXPECT_EQ(said({one, one, two, two}), "");
}

TEST(VerifyComm, MissingCollective) {
  std::vector<CommStep> both = {step("dp", "a"), step("tp", "b")};
  EXPECT_EQ(said({both, both, both, {step("dp", "a")}}),
            "plan: verify-comm: collectives that never end; each rank waits "
            "for the next\n"
            "  rank 2 waits in nxdt::all_reduce sum of f32[4] over tp (b) for "
            "rank 3\n"
            "  rank 3 has ended");
}

TEST(VerifyComm, SwappedOrderOfTwoGroups) {
  // The smallest cycle of dp 2 x tp 2 goes through all four ranks.
  std::vector<CommStep> dpFirst = {step("dp", "d"), step("tp", "t")};
  std::vector<CommStep> tpFirst = {step("tp", "t"), step("dp", "d")};
  EXPECT_EQ(said({dpFirst, tpFirst, tpFirst, dpFirst}),
            "plan: verify-comm: collectives that never end; each rank waits "
            "for the next\n"
            "  rank 0 waits in nxdt::all_reduce sum of f32[4] over dp (d) for "
            "rank 2\n"
            "  rank 2 waits in nxdt::all_reduce sum of f32[4] over tp (t) for "
            "rank 3\n"
            "  rank 3 waits in nxdt::all_reduce sum of f32[4] over dp (d) for "
            "rank 1\n"
            "  rank 1 waits in nxdt::all_reduce sum of f32[4] over tp (t) for "
            "rank 0");
}

TEST(VerifyComm, ShortestCycle) {
  // Ranks 0 and 1 wait for each other; 2 and 3 for nobody.
  auto whole = step("dp", "w");
  whole.axes = {"dp", "tp"};
  std::vector<CommStep> wholeFirst = {whole, step("tp", "t")};
  std::vector<CommStep> tpFirst = {step("tp", "t"), whole};
  std::string text = said({wholeFirst, tpFirst, wholeFirst, wholeFirst});
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2) << text;
  EXPECT_NE(text.find("rank 0 waits"), std::string::npos) << text;
  EXPECT_NE(text.find("rank 1 waits"), std::string::npos) << text;
}

std::string saidOfOther(std::function<void(CommStep &)> change) {
  CommStep other = step("tp", "b");
  change(other);
  return said({{step("tp", "a")}, {other}, {}, {}});
}

TEST(VerifyComm, OtherType) {
  EXPECT_EQ(saidOfOther([](CommStep &s) { s.dtype = DType::BF16; }),
            "plan: verify-comm: ranks meet over tp in different collectives\n"
            "  rank 0: nxdt::all_reduce sum of f32[4] (a)\n"
            "  rank 1: nxdt::all_reduce sum of bf16[4] (b)");
}

TEST(VerifyComm, OtherSizeReductionKindAndDimension) {
  for (auto change : std::vector<std::function<void(CommStep &)>>{
           [](CommStep &s) { s.shape = {8}; },
           [](CommStep &s) { s.reduction = Reduction::Max; },
           [](CommStep &s) { s.kind = Collective::AllGather; },
           [](CommStep &s) { s.dim = 1; }})
    EXPECT_NE(saidOfOther(change).find("in different collectives"),
              std::string::npos);
}

TEST(VerifyComm, ARankWithoutAProgram) {
  EXPECT_EQ(said({{}, {}, {}}), "plan: verify-comm: rank 3 has no program");
}

TEST(VerifyComm, ClassesMustBeAlike) {
  // Ranks 0 and 1 share a program, but their dp groups meet different ones.
  std::vector<CommStep> steps = {step("dp", "a")};
  try {
    verifyRendezvous(Mesh::nxd(1, 2, 1, 2),
                     {{{0, 1}, steps}, {{2}, steps}, {{3}, steps}}, "plan");
    FAIL();
  } catch (const UserError &error) {
    EXPECT_EQ(
        std::string(error.what()),
        "plan: verify-comm: ranks 0 and 1 run one program, but meet other "
        "programs over dp");
  }
}

TEST(VerifyComm, StagesAsClasses) {
  // Two stages of 2048 ranks with 20000 collectives each.
  Mesh mesh = Mesh::nxd(2, 256, 1, 8);
  std::vector<CommClass> stages(2);
  for (int64_t rank = 0; rank < mesh.size(); ++rank)
    stages[rank / 2048].ranks.push_back(rank);
  for (CommClass &stage : stages)
    for (int64_t i = 0; i < 20000; ++i)
      stage.steps.push_back(step(i % 2 ? "dp" : "tp", "s"));
  stages[1].steps.resize(10000);
  stages[0].steps.push_back(step("pp", "last"));
  stages[1].steps.push_back(step("pp", "last"));
  auto start = std::chrono::steady_clock::now();
  verifyRendezvous(mesh, stages, "plan");
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
  stages[1].steps.pop_back();
  EXPECT_THROW(verifyRendezvous(mesh, stages, "plan"), UserError);
}

} // namespace
} // namespace nxdt
