//===- Corruptions.h - one broken rule at a time ----------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_TEST_SCHEDULE_CORRUPTIONS_H
#define NXDT_TEST_SCHEDULE_CORRUPTIONS_H

#include "RandomProblem.h"
#include "nxdt/Schedule/Verify.h"

namespace nxdt::schedule {

/// A schedule that was proved, and what it was made from.
struct Proved {
  PipelineProblem problem;
  ComputeOrder order;
  ExpandOptions options;
  PipelineSchedule schedule;
};

struct Corruption {
  const char *what;
  Rule rule; ///< that it breaks
  /// False: this schedule has no place for it.
  bool (*apply)(Proved &, std::mt19937_64 &);
};

/// All of them; each rule is broken by at least one.
const std::vector<Corruption> &corruptions();

} // namespace nxdt::schedule

#endif // NXDT_TEST_SCHEDULE_CORRUPTIONS_H
