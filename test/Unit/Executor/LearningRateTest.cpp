//===- LearningRateTest.cpp - schedules -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "runtime/Optim/LearningRate.h"
#include "nxdt/Support/UserError.h"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace nxdt::runtime {
namespace {

namespace fs = std::filesystem;

ScheduleConfig schedule(ScheduleKind kind, int64_t warmup, int64_t maxSteps,
                        double minLr = 0.0, int64_t constant = 0) {
  ScheduleConfig out;
  out.kind = kind;
  out.warmupSteps = warmup;
  out.maxSteps = maxSteps;
  out.minLr = minLr;
  out.constantSteps = constant;
  return out;
}

TEST(LearningRate, Constant) {
  auto s = schedule(ScheduleKind::Constant, 0, 10);
  EXPECT_EQ(learningRate(0.3, s, 0), 0.3);
  EXPECT_EQ(learningRate(0.3, s, 100), 0.3);
}

TEST(LearningRate, LinearAnnealingWithWarmUp) {
  auto s = schedule(ScheduleKind::LinearAnnealingWithWarmUp, 4, 12);
  EXPECT_EQ(learningRate(0.8, s, 0), 0.0);
  EXPECT_DOUBLE_EQ(learningRate(0.8, s, 1), 0.2);
  EXPECT_DOUBLE_EQ(learningRate(0.8, s, 4), 0.8);
  EXPECT_DOUBLE_EQ(learningRate(0.8, s, 8), 0.4);
  EXPECT_EQ(learningRate(0.8, s, 12), 0.0);
  EXPECT_EQ(learningRate(0.8, s, 20), 0.0);
  s.warmupSteps = 0;
  EXPECT_EQ(learningRate(0.8, s, 0), 0.8);
}

TEST(LearningRate, CosineAnnealing) {
  auto s = schedule(ScheduleKind::CosineAnnealing, 3, 11, 0.1);
  EXPECT_DOUBLE_EQ(learningRate(0.9, s, 0), 0.225);
  EXPECT_DOUBLE_EQ(learningRate(0.9, s, 3), 0.9);
  EXPECT_NEAR(learningRate(0.9, s, 7), 0.5, 1e-15);
  EXPECT_NEAR(learningRate(0.9, s, 9), 0.1 + 0.8 * 0.5 * (1 - std::sqrt(0.5)),
              1e-15);
  EXPECT_NEAR(learningRate(0.9, s, 11), 0.1, 1e-15);
  EXPECT_EQ(learningRate(0.9, s, 12), 0.1);
  s.warmupSteps = 0;
  EXPECT_EQ(learningRate(0.9, s, 0), 0.9);
  // All steps are warm-up.
  s.warmupSteps = 11;
  EXPECT_DOUBLE_EQ(learningRate(0.9, s, 11), 0.9);
  EXPECT_EQ(learningRate(0.9, s, 12), 0.1);
}

TEST(LearningRate, CosineAnnealingThenConstant) {
  auto s = schedule(ScheduleKind::CosineAnnealing, 2, 20, 0.1, 8); // D = 10
  EXPECT_EQ(learningRate(0.9, s, 0), 0.0);
  EXPECT_DOUBLE_EQ(learningRate(0.9, s, 1), 0.45);
  EXPECT_DOUBLE_EQ(learningRate(0.9, s, 2), 0.9);
  EXPECT_NEAR(learningRate(0.9, s, 7), 0.5, 1e-15);
  EXPECT_EQ(learningRate(0.9, s, 13), 0.1);
  // D < 0: to the floor right after the warm-up.
  s = schedule(ScheduleKind::CosineAnnealing, 750, 20000, 0.1, 80000);
  EXPECT_DOUBLE_EQ(learningRate(0.9, s, 750), 0.9);
  EXPECT_EQ(learningRate(0.9, s, 751), 0.1);
}

TEST(LearningRate, CosineMustGoDown) {
  auto s = schedule(ScheduleKind::CosineAnnealing, 2, 20, 0.1);
  EXPECT_THROW(checkSchedule(0.01, s), UserError);
  EXPECT_NO_THROW(checkSchedule(0.1, s));
}

TEST(LearningRate, ReferenceRuns) {
  if (!fs::is_directory(NXDT_GOLDEN_DIR))
    GTEST_SKIP() << "no reference runs: " << NXDT_GOLDEN_DIR;
  int64_t compared = 0;
  for (const auto &entry : fs::directory_iterator(NXDT_GOLDEN_DIR)) {
    std::ifstream file(entry.path() / "expected.json");
    if (!file)
      continue;
    nlohmann::json expected = nlohmann::json::parse(file);
    const auto &run = expected["run"];
    ScheduleKind kind = run["sched"] == "CosineAnnealing"
                            ? ScheduleKind::CosineAnnealing
                            : ScheduleKind::LinearAnnealingWithWarmUp;
    auto s = schedule(kind, run["warmup"], run["steps"], run["min_lr"]);
    for (const auto &step : expected["steps"]) {
      double lr = step["lr"];
      EXPECT_NEAR(learningRate(run["lr"], s, step["step"]), lr, 1e-12 * lr)
          << entry.path() << " step " << step["step"];
      ++compared;
    }
  }
  EXPECT_GE(compared, 20);
}

} // namespace
} // namespace nxdt::runtime
