//===- Problem.h - what a pipeline has to do --------------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A pipeline is `stages` groups of ranks; chunk c of the model (0 .. stages *
// chunksPerStage - 1, in model order) lies on stage c % stages. Plain structs:
// no MLIR, no libtorch. docs/Pipeline.md derives the numbers.
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_SCHEDULE_PROBLEM_H
#define NXDT_SCHEDULE_PROBLEM_H

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nxdt::schedule {

struct PipelineProblem {
  int64_t stages = 1;
  int64_t chunksPerStage = 1;
  int64_t microBatches = 1;
  /// Evaluation: no backward passes.
  bool forwardOnly = false;
  /// Lets 1f1b run with fewer micro-batches than stages, as NxD Training does:
  /// correct, but at least half of the time is bubble.
  bool allowUnfilled = false;
  /// Seconds of one micro-batch through a chunk, by chunk; empty: 1 each.
  std::vector<double> forward_s;
  std::vector<double> backward_s;
  /// Seconds of one message between chunks e and e + 1, by e, in either
  /// direction; empty: 0 each.
  std::vector<double> transfer_s;
  /// The most pairs (chunk, micro-batch) whose activations a stage may hold.
  std::optional<int64_t> inFlightCap;

  int64_t chunks() const { return stages * chunksPerStage; }
  int64_t stageOf(int64_t chunk) const { return chunk % stages; }
  double forwardTime_s(int64_t chunk) const {
    return forward_s.empty() ? 1.0 : forward_s[chunk];
  }
  double backwardTime_s(int64_t chunk) const {
    return backward_s.empty() ? 1.0 : backward_s[chunk];
  }
  double transferTime_s(int64_t edge) const {
    return transfer_s.empty() ? 0.0 : transfer_s[edge];
  }
};

/// "forward-only" for evaluation, "1f1b" for one chunk per stage, else
/// "interleaved".
std::string_view scheduleFor(const PipelineProblem &problem);

/// Why the schedule cannot be made, in one line with the arithmetic and the
/// nearest legal values (the caller adds place and key); nullopt: it can.
/// Everything else in this library wants a problem that passes.
std::optional<std::string> check(const PipelineProblem &problem);
std::optional<std::string> check(const PipelineProblem &problem,
                                 std::string_view schedule);

} // namespace nxdt::schedule

#endif // NXDT_SCHEDULE_PROBLEM_H
