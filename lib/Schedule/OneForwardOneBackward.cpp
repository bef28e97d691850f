//===- OneForwardOneBackward.cpp - the schedule 1f1b ----------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each stage runs as many forward passes as there are stages behind it, then
// one forward and one backward pass in turn, then the backward passes that are
// left. A stage holds at most min(stages - stage, microBatches) activations.
//
//===----------------------------------------------------------------------===//
#include "Generators.h"

#include <algorithm>

namespace nxdt::schedule {
namespace {

std::optional<std::string> checkProblem(const PipelineProblem &problem) {
  if (problem.forwardOnly)
    return "1f1b has backward passes; evaluation is forward-only";
  if (problem.chunksPerStage != 1)
    return "1f1b has 1 chunk per stage, not " +
           std::to_string(problem.chunksPerStage) + "; interleaved has more";
  int64_t p = problem.stages, m = problem.microBatches;
  if (m >= p || problem.allowUnfilled)
    return std::nullopt;
  return "1f1b with " + counted(p, "stage") + " needs at least " +
         counted(p, "micro-batch") + ", not " + std::to_string(m) + " (" +
         std::to_string(m) + " - " + std::to_string(p) + " = " +
         std::to_string(m - p) + "): at most " + std::to_string(m) +
         " of the " + std::to_string(p) +
         " stages would be at work at a time, and " + std::to_string(p - 1) +
         "/" + std::to_string(m + p - 1) +
         " of the time is bubble; nearest: " + counted(p, "micro-batch") +
         ", or " + counted(m, "stage");
}

int64_t warmUp(const PipelineProblem &problem, int64_t stage) {
  return std::min(problem.stages - stage - 1, problem.microBatches);
}

std::vector<ComputeStep> steps(const PipelineProblem &problem, int64_t stage) {
  std::vector<ComputeStep> order;
  int64_t ahead = warmUp(problem, stage);
  for (int64_t m = 0; m < ahead; ++m)
    order.push_back({Pass::Forward, stage, m});
  for (int64_t m = 0; m < problem.microBatches; ++m) {
    if (ahead + m < problem.microBatches)
      order.push_back({Pass::Forward, stage, ahead + m});
    order.push_back({Pass::Backward, stage, m});
  }
  return order;
}

int64_t inFlight(const PipelineProblem &problem, int64_t stage) {
  return std::min(problem.stages - stage, problem.microBatches);
}

} // namespace

const Generator kOneForwardOneBackward = {"1f1b", checkProblem, steps,
                                          inFlight};

} // namespace nxdt::schedule
