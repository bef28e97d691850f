//===- ForwardOnly.cpp - the schedule forward-only ------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Evaluation: micro-batches in groups of `stages`, each group through all of a
// stage's chunks. The last group may be smaller, as nothing comes back.
//
//===----------------------------------------------------------------------===//
#include "Generators.h"

#include <algorithm>

namespace nxdt::schedule {
namespace {

std::optional<std::string> checkProblem(const PipelineProblem &problem) {
  if (!problem.forwardOnly)
    return "forward-only is for evaluation; training is 1f1b or interleaved";
  return std::nullopt;
}

std::vector<ComputeStep> steps(const PipelineProblem &problem, int64_t stage) {
  std::vector<ComputeStep> order;
  for (int64_t first = 0; first < problem.microBatches; first += problem.stages)
    for (int64_t chunk = stage; chunk < problem.chunks();
         chunk += problem.stages)
      for (int64_t m = first;
           m < std::min(first + problem.stages, problem.microBatches); ++m)
        order.push_back({Pass::Forward, chunk, m});
  return order;
}

int64_t inFlight(const PipelineProblem &, int64_t) { return 1; }

} // namespace

const Generator kForwardOnly = {"forward-only", checkProblem, steps, inFlight};

} // namespace nxdt::schedule
