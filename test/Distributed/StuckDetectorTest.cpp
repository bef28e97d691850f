//===- StuckDetectorTest.cpp - who may be called stuck ----------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "runtime/Comm/StuckDetector.h"

#include <gtest/gtest.h>

namespace nxdt::comm::test {
namespace {

constexpr std::chrono::seconds kSecond{1};

std::vector<StatusSnapshot> twoStuckRanks() {
  std::vector<StatusSnapshot> ranks(2);
  for (StatusSnapshot &rank : ranks) {
    rank.phase = Phase::Running;
    rank.waiting = rank.stuck = true;
    rank.text = "waiting for all_reduce";
  }
  return ranks;
}

TEST(StuckDetector, RanksHeardToBeStuckForTheLimitAreStuck) {
  StuckDetector detector(1.0);
  auto begin = StuckDetector::Clock::now();
  EXPECT_EQ(detector.observe(twoStuckRanks(), begin, {}), "");
  EXPECT_EQ(detector.observe(twoStuckRanks(), begin + kSecond / 2, {}), "");
  EXPECT_NE(detector.observe(twoStuckRanks(), begin + 2 * kSecond, {}), "");
}

// What a rank said before its host was cut off says nothing of now.
TEST(StuckDetector, ASilentRankIsNotCalledStuck) {
  StuckDetector detector(0.0);
  auto heard = StuckDetector::Clock::now() - kSecond;
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(detector.observe(twoStuckRanks(), heard, {}), "");
}

TEST(StuckDetector, ProgressOfOneRankStartsTheLimitAgain) {
  StuckDetector detector(1.0);
  auto begin = StuckDetector::Clock::now();
  std::vector<StatusSnapshot> ranks = twoStuckRanks();
  EXPECT_EQ(detector.observe(ranks, begin, {}), "");
  ++ranks[1].progress;
  EXPECT_EQ(detector.observe(ranks, begin + 2 * kSecond, {}), "");
  ranks[0].stuck = false;
  EXPECT_EQ(detector.observe(ranks, begin + 9 * kSecond, {}), "");
}

} // namespace
} // namespace nxdt::comm::test
