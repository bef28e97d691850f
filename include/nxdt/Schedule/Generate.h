//===- Generate.h - the orders of passes ------------------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_SCHEDULE_GENERATE_H
#define NXDT_SCHEDULE_GENERATE_H

#include "nxdt/Schedule/Problem.h"

namespace nxdt::schedule {

enum class Pass { Forward, Backward };

/// One micro-batch through one chunk.
struct ComputeStep {
  Pass pass = Pass::Forward;
  int64_t chunk = 0; ///< of the whole model
  int64_t microBatch = 0;
  bool operator==(const ComputeStep &) const = default;
};

/// What each stage computes, in order; index: stage.
using ComputeOrder = std::vector<std::vector<ComputeStep>>;

/// All that can be asked for: "1f1b", "interleaved", "forward-only".
std::vector<std::string_view> scheduleNames();

/// `check(problem, schedule)` must hold; throws std::logic_error if not.
ComputeOrder generate(const PipelineProblem &problem,
                      std::string_view schedule);
/// With scheduleFor(problem).
ComputeOrder generate(const PipelineProblem &problem);

} // namespace nxdt::schedule

#endif // NXDT_SCHEDULE_GENERATE_H
