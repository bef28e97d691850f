//===- RandomProblem.h - random legal pipelines -----------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_TEST_SCHEDULE_RANDOMPROBLEM_H
#define NXDT_TEST_SCHEDULE_RANDOMPROBLEM_H

#include "nxdt/Schedule/Actions.h"

#include <random>

namespace nxdt::schedule {

inline int64_t uniform(std::mt19937_64 &random, int64_t least, int64_t most) {
  return std::uniform_int_distribution<int64_t>(least, most)(random);
}

/// Legal whatever is drawn: 1f1b, interleaved or forward-only, times from 0.1
/// to 2 s, messages up to 0.5 s.
inline PipelineProblem randomProblem(std::mt19937_64 &random) {
  PipelineProblem problem;
  problem.forwardOnly = uniform(random, 0, 3) == 0;
  problem.stages = uniform(random, 1, 8);
  problem.chunksPerStage =
      problem.stages == 1 ? 1 : std::max<int64_t>(1, uniform(random, -1, 4));
  if (problem.forwardOnly) {
    problem.microBatches = uniform(random, 1, 24);
  } else if (problem.chunksPerStage > 1) {
    problem.microBatches = problem.stages * uniform(random, 1, 4);
  } else {
    problem.allowUnfilled = uniform(random, 0, 3) == 0;
    problem.microBatches =
        uniform(random, problem.allowUnfilled ? 1 : problem.stages, 24);
  }
  std::uniform_real_distribution<double> pass_s(0.1, 2.0), message_s(0.0, 0.5);
  for (int64_t c = 0; c < problem.chunks(); ++c) {
    problem.forward_s.push_back(pass_s(random));
    problem.backward_s.push_back(pass_s(random));
    if (c > 0)
      problem.transfer_s.push_back(message_s(random));
  }
  return problem;
}

/// One or two tensors forward, one or two back.
inline std::vector<Channel> randomChannels(const PipelineProblem &problem,
                                           std::mt19937_64 &random) {
  std::vector<std::string> forward = {"x", "rope"}, backward = {"dx", "drope"};
  forward.resize(uniform(random, 1, 2));
  backward.resize(uniform(random, 1, 2));
  return edgeChannels(problem, forward, backward);
}

inline Queue randomQueue(std::mt19937_64 &random) {
  constexpr Queue kQueues[] = {Queue::PerChannel, Queue::PerDirection,
                               Queue::PerPair};
  return kQueues[uniform(random, 0, 2)];
}

} // namespace nxdt::schedule

#endif // NXDT_TEST_SCHEDULE_RANDOMPROBLEM_H
