//===- Interleaved.cpp - the schedule interleaved -------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Megatron's interleaved 1F1B: micro-batches go in groups of `stages`; a group
// passes a stage's first chunk, then its second and so on. The k-th forward
// pass of a stage is thus of its chunk (k mod stages * chunksPerStage) /
// stages, and the k-th backward pass of the mirrored one.
//
//===----------------------------------------------------------------------===//
#include "Generators.h"

#include <algorithm>

namespace nxdt::schedule {
namespace {

std::optional<std::string> checkProblem(const PipelineProblem &problem) {
  if (problem.forwardOnly)
    return "interleaved has backward passes; evaluation is forward-only";
  if (problem.chunksPerStage < 2)
    return "interleaved has at least 2 chunks per stage; 1f1b has 1";
  int64_t p = problem.stages, m = problem.microBatches;
  if (m % p == 0)
    return std::nullopt;
  int64_t above = (m / p + 1) * p;
  std::string nearest =
      m < p ? std::to_string(above)
            : std::to_string(above - p) + " or " + std::to_string(above);
  return "interleaved needs a number of micro-batches that is a multiple of "
         "the number of stages: " +
         std::to_string(m) + " % " + std::to_string(p) + " = " +
         std::to_string(m % p) + "; nearest: " + nearest + " micro-batches";
}

/// Twice the stages behind, since the last stage's first backward pass comes
/// back over as many, after all chunks but the last have been filled.
int64_t warmUp(const PipelineProblem &problem, int64_t stage) {
  return std::min(2 * (problem.stages - stage - 1) +
                      (problem.chunksPerStage - 1) * problem.stages,
                  problem.microBatches * problem.chunksPerStage);
}

ComputeStep stepOf(const PipelineProblem &problem, int64_t stage, Pass pass,
                   int64_t k) {
  int64_t p = problem.stages, round = p * problem.chunksPerStage;
  int64_t local = k % round / p;
  if (pass == Pass::Backward)
    local = problem.chunksPerStage - 1 - local;
  return {pass, local * p + stage, k / round * p + k % p};
}

std::vector<ComputeStep> steps(const PipelineProblem &problem, int64_t stage) {
  std::vector<ComputeStep> order;
  int64_t total = problem.microBatches * problem.chunksPerStage;
  int64_t ahead = warmUp(problem, stage);
  for (int64_t k = 0; k < ahead; ++k)
    order.push_back(stepOf(problem, stage, Pass::Forward, k));
  for (int64_t k = 0; k < total; ++k) {
    if (ahead + k < total)
      order.push_back(stepOf(problem, stage, Pass::Forward, ahead + k));
    order.push_back(stepOf(problem, stage, Pass::Backward, k));
  }
  return order;
}

int64_t inFlight(const PipelineProblem &problem, int64_t stage) {
  return std::min(warmUp(problem, stage) + 1,
                  problem.microBatches * problem.chunksPerStage);
}

} // namespace

const Generator kInterleaved = {"interleaved", checkProblem, steps, inFlight};

} // namespace nxdt::schedule
