//===- GenerateTest.cpp - the orders of passes ----------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "nxdt/Schedule/Generate.h"

#include <gtest/gtest.h>

#include <stdexcept>

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

/// "0F1 2B0": chunk, pass, micro-batch.
std::string textOf(const std::vector<ComputeStep> &steps) {
  std::string text;
  for (const ComputeStep &step : steps)
    text += (text.empty() ? "" : " ") + std::to_string(step.chunk) +
            (step.pass == Pass::Forward ? "F" : "B") +
            std::to_string(step.microBatch);
  return text;
}

int64_t warmUpOf(const std::vector<ComputeStep> &steps) {
  int64_t count = 0;
  while (count < static_cast<int64_t>(steps.size()) &&
         steps[count].pass == Pass::Forward)
    ++count;
  // The first of a pair of one forward and one backward pass is no warm-up.
  return count - 1;
}

TEST(Generate, OneForwardOneBackward) {
  ComputeOrder order = generate(problemOf(3, 1, 4));
  ASSERT_EQ(order.size(), 3u);
  EXPECT_EQ(textOf(order[0]), "0F0 0F1 0F2 0B0 0F3 0B1 0B2 0B3");
  EXPECT_EQ(textOf(order[1]), "1F0 1F1 1B0 1F2 1B1 1F3 1B2 1B3");
  EXPECT_EQ(textOf(order[2]), "2F0 2B0 2F1 2B1 2F2 2B2 2F3 2B3");
}

TEST(Generate, Interleaved) {
  ComputeOrder order = generate(problemOf(2, 2, 4));
  ASSERT_EQ(order.size(), 2u);
  EXPECT_EQ(textOf(order[0]), "0F0 0F1 2F0 2F1 0F2 2B0 0F3 2B1 2F2 0B0 2F3 0B1 "
                              "2B2 2B3 0B2 0B3");
  EXPECT_EQ(textOf(order[1]), "1F0 1F1 3F0 3B0 3F1 3B1 1F2 1B0 1F3 1B1 3F2 3B2 "
                              "3F3 3B3 1B2 1B3");
}

TEST(Generate, ForwardOnlyWithALastGroupThatIsNotFull) {
  PipelineProblem problem = problemOf(2, 2, 3);
  problem.forwardOnly = true;
  ComputeOrder order = generate(problem);
  EXPECT_EQ(textOf(order[0]), "0F0 0F1 2F0 2F1 0F2 2F2");
  EXPECT_EQ(textOf(order[1]), "1F0 1F1 3F0 3F1 1F2 3F2");
}

/// Megatron's counts: p - s - 1, and 2 (p - s - 1) + (v - 1) p, not more than
/// there are.
TEST(Generate, WarmUpCountsAreMegatrons) {
  for (int64_t p = 2; p <= 8; ++p)
    for (int64_t v = 1; v <= 4; ++v)
      for (int64_t m = p; m <= 4 * p; m += p) {
        ComputeOrder order = generate(problemOf(p, v, m));
        for (int64_t s = 0; s < p; ++s) {
          int64_t wanted = v == 1 ? p - s - 1 : 2 * (p - s - 1) + (v - 1) * p;
          EXPECT_EQ(warmUpOf(order[s]), std::min(wanted, m * v - 1))
              << p << " " << v << " " << m << " " << s;
        }
      }
}

TEST(Generate, AnUncheckedProblemThrows) {
  EXPECT_THROW(generate(problemOf(4, 2, 6)), std::logic_error);
}

} // namespace
