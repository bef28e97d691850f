//===- MinCutTest.cpp - little is sent over borders -----------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "../../../passes/Pipeline/MinCut.h"

#include "gtest/gtest.h"

#include <algorithm>
#include <random>

using namespace nxdt;

namespace {

/// Bytes sent over all borders; -1 if a user comes before its producer.
int64_t sentBytes(const CutProblem &problem,
                  const std::vector<unsigned> &places) {
  int64_t bytes = 0;
  for (const CutProblem::Value &value : problem.values) {
    unsigned last = places[value.producer];
    for (unsigned user : value.users) {
      if (places[user] < places[value.producer])
        return -1;
      last = std::max(last, places[user]);
    }
    bytes += value.bytes * (last - places[value.producer]);
  }
  return bytes;
}

/// The best of all ways, tried one after the other.
int64_t bestOf(const CutProblem &problem) {
  std::vector<unsigned> places;
  for (const CutProblem::Node &node : problem.nodes)
    places.push_back(node.low);
  int64_t best = -1;
  while (true) {
    int64_t bytes = sentBytes(problem, places);
    if (bytes >= 0 && (best < 0 || bytes < best))
      best = bytes;
    size_t node = 0;
    while (node < places.size() && places[node] == problem.nodes[node].high)
      places[node] = problem.nodes[node].low, ++node;
    if (node == places.size())
      return best;
    ++places[node];
  }
}

TEST(MinCut, SendsTheSmallTensorAndNotWhatIsMadeOfIt) {
  // x (8 bytes) is used by a norm of equal size and by the layer behind the
  // border; a gather makes it larger.
  CutProblem problem;
  problem.places = 2;
  problem.nodes = {{0, 0}, {0, 1}, {0, 1}, {1, 1}};
  problem.values = {{0, 8, {1, 2, 3}}, {1, 8, {3}}, {2, 32, {3}}};
  EXPECT_EQ(placeNodes(problem), (std::vector<unsigned>{0, 1, 1, 1}));
}

TEST(MinCut, SumsBeforeItSends) {
  CutProblem problem;
  problem.places = 2;
  problem.nodes = {{0, 0}, {0, 0}, {0, 1}, {1, 1}};
  problem.values = {{0, 8, {2}}, {1, 8, {2}}, {2, 8, {3}}};
  EXPECT_EQ(placeNodes(problem), (std::vector<unsigned>{0, 0, 0, 1}));
}

TEST(MinCut, NarrowsByWhatNodesNeed) {
  CutProblem problem;
  problem.places = 3;
  problem.nodes = {{1, 2}, {0, 2}, {0, 1}};
  problem.values = {{0, 1, {1}}, {1, 1, {2}}};
  unsigned bad = 0;
  ASSERT_TRUE(narrow(problem, bad));
  for (const CutProblem::Node &node : problem.nodes) {
    EXPECT_EQ(node.low, 1u);
    EXPECT_EQ(node.high, 1u);
  }
  problem.nodes[2].high = 0;
  EXPECT_FALSE(narrow(problem, bad));
}

/// One border: exact. Several are cut one after the other, so the first is.
TEST(MinCut, IsTheBestOfAllWaysOverOneBorder) {
  std::mt19937 random(7);
  auto draw = [&](unsigned n) { return unsigned(random() % n); };
  for (int round = 0; round < 300; ++round) {
    CutProblem problem;
    problem.places = 2;
    unsigned nodes = 3 + draw(7);
    for (unsigned i = 0; i < nodes; ++i) {
      unsigned pinned = draw(4);
      problem.nodes.push_back({pinned == 1 ? 1u : 0u, pinned == 0 ? 0u : 1u});
    }
    for (unsigned i = 0; i + 1 < nodes; ++i) {
      CutProblem::Value value{i, 1 + draw(9), {}};
      for (unsigned user = i + 1; user < nodes; ++user)
        if (draw(3) == 0)
          value.users.push_back(user);
      if (!value.users.empty())
        problem.values.push_back(value);
    }
    unsigned bad = 0;
    if (!narrow(problem, bad))
      continue;
    EXPECT_EQ(sentBytes(problem, placeNodes(problem)), bestOf(problem))
        << "round " << round;
  }
}

} // namespace
