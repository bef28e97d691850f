//===- Generators.h - one schedule, one file --------------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// To add a schedule: a file that defines its Generator, a line here and one in
// the table in Generate.cpp.
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_LIB_SCHEDULE_GENERATORS_H
#define NXDT_LIB_SCHEDULE_GENERATORS_H

#include "nxdt/Schedule/Generate.h"

namespace nxdt::schedule {

struct Generator {
  std::string_view name;
  /// What this schedule wants beyond what every pipeline does.
  std::optional<std::string> (*check)(const PipelineProblem &);
  std::vector<ComputeStep> (*steps)(const PipelineProblem &, int64_t stage);
  /// The most pairs (chunk, micro-batch) whose activations the stage holds.
  int64_t (*inFlight)(const PipelineProblem &, int64_t stage);
};

extern const Generator kOneForwardOneBackward;
extern const Generator kInterleaved;
extern const Generator kForwardOnly;

/// Null if there is none of that name.
const Generator *findGenerator(std::string_view name);

/// "1 stage", "2 stages".
std::string counted(int64_t count, std::string_view noun);

} // namespace nxdt::schedule

#endif // NXDT_LIB_SCHEDULE_GENERATORS_H
