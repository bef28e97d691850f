//===- ProblemTest.cpp - pipelines that cannot be -------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "nxdt/Schedule/Problem.h"

#include <gtest/gtest.h>

#include <limits>

using namespace nxdt::schedule;

namespace {

PipelineProblem problemOf(int64_t stages, int64_t chunks,
                          int64_t microBatches) {
  PipelineProblem problem;
  problem.stages = stages;
  problem.chunksPerStage = chunks;
  problem.microBatches = microBatches;
  return problem;
}

void expectRefused(const PipelineProblem &problem, const std::string &error) {
  EXPECT_EQ(check(problem).value_or("legal"), error);
}

TEST(Problem, LegalOnesPass) {
  EXPECT_EQ(check(problemOf(1, 1, 1)), std::nullopt);
  EXPECT_EQ(check(problemOf(4, 1, 4)), std::nullopt);
  EXPECT_EQ(check(problemOf(4, 1, 5)), std::nullopt);
  EXPECT_EQ(check(problemOf(4, 2, 8)), std::nullopt);
}

TEST(Problem, CountsBelowOneAreRefused) {
  expectRefused(problemOf(0, 1, 4), "the number of stages is 0; nearest: 1");
  expectRefused(problemOf(2, -1, 4),
                "the number of chunks per stage is -1; nearest: 1");
  expectRefused(problemOf(2, 1, 0),
                "the number of micro-batches is 0; nearest: 1");
}

TEST(Problem, InterleavedWantsMultiplesOfTheStages) {
  expectRefused(problemOf(4, 2, 6),
                "interleaved needs a number of micro-batches that is a "
                "multiple of the number of stages: 6 % 4 = 2; nearest: 4 or 8 "
                "micro-batches");
  expectRefused(problemOf(4, 2, 3),
                "interleaved needs a number of micro-batches that is a "
                "multiple of the number of stages: 3 % 4 = 3; nearest: 4 "
                "micro-batches");
}

TEST(Problem, OneStageHasNoChunks) {
  expectRefused(problemOf(1, 2, 4),
                "1 stage has 1 chunk, not 2: chunks are for interleaving "
                "stages; nearest: 1 chunk, or 2 stages");
}

/// torchtitan issue 775: 8 stages and 1 micro-batch hang there.
TEST(Problem, FewerMicroBatchesThanStagesAreRefused) {
  expectRefused(
      problemOf(8, 1, 1),
      "1f1b with 8 stages needs at least 8 micro-batches, not 1 (1 - 8 = -7): "
      "at most 1 of the 8 stages would be at work at a time, and 7/8 of the "
      "time is bubble; nearest: 8 micro-batches, or 1 stage");
  PipelineProblem problem = problemOf(8, 1, 1);
  problem.allowUnfilled = true;
  EXPECT_EQ(check(problem), std::nullopt);
  problem.allowUnfilled = false;
  problem.forwardOnly = true;
  EXPECT_EQ(check(problem), std::nullopt);
}

TEST(Problem, EvaluationTakesAnyCount) {
  PipelineProblem problem = problemOf(4, 2, 6);
  problem.forwardOnly = true;
  EXPECT_EQ(check(problem), std::nullopt);
  problem.microBatches = 1;
  EXPECT_EQ(check(problem), std::nullopt);
}

TEST(Problem, CostsMustFit) {
  PipelineProblem problem = problemOf(2, 1, 2);
  problem.forward_s = {1, 1, 1};
  expectRefused(problem, "forward times are for 3 chunks, but there are 2");
  problem.forward_s = {1, 1};
  problem.backward_s = {1, -1};
  expectRefused(problem, "the backward time of chunk 1 is -1.000000 s; a time "
                         "is finite and at least 0");
  problem.backward_s.clear();
  problem.transfer_s = {std::numeric_limits<double>::infinity()};
  expectRefused(problem, "the transfer time of edge 0 is inf s; a time is "
                         "finite and at least 0");
}

TEST(Problem, CapsNameTheStageAndTheLeast) {
  PipelineProblem problem = problemOf(4, 1, 8);
  problem.inFlightCap = 3;
  expectRefused(problem, "1f1b holds the activations of 4 micro-batches and "
                         "chunks on stage 0, but the cap is 3; nearest: 4");
  problem.inFlightCap = 4;
  EXPECT_EQ(check(problem), std::nullopt);
  problem = problemOf(4, 2, 8);
  problem.inFlightCap = 10;
  expectRefused(problem,
                "interleaved holds the activations of 11 micro-batches and "
                "chunks on stage 0, but the cap is 10; nearest: 11");
}

TEST(Problem, HugeCountsAreRefusedBeforeTheyOverflow) {
  int64_t huge = int64_t(1) << 40;
  expectRefused(problemOf(huge, huge, huge),
                "1099511627776 stages x 1099511627776 chunks x 1099511627776 "
                "micro-batches x 2 passes are more than the most passes of a "
                "schedule, 67108864");
}

TEST(Problem, SchedulesAreKnownByName) {
  EXPECT_EQ(check(problemOf(2, 1, 2), "gpipe"),
            "there is no schedule 'gpipe'; there are: 1f1b, interleaved, "
            "forward-only");
  EXPECT_EQ(check(problemOf(2, 2, 2), "1f1b"),
            "1f1b has 1 chunk per stage, not 2; interleaved has more");
  EXPECT_EQ(check(problemOf(2, 1, 2), "interleaved"),
            "interleaved has at least 2 chunks per stage; 1f1b has 1");
  EXPECT_EQ(check(problemOf(2, 1, 2), "forward-only"),
            "forward-only is for evaluation; training is 1f1b or interleaved");
  PipelineProblem problem = problemOf(2, 1, 2);
  problem.forwardOnly = true;
  EXPECT_EQ(check(problem, "1f1b"),
            "1f1b has backward passes; evaluation is forward-only");
  EXPECT_EQ(check(problem, "interleaved"),
            "interleaved has backward passes; evaluation is forward-only");
}

} // namespace
