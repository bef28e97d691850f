//===- Generate.cpp - the table of schedules ------------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Generators.h"

#include <algorithm>
#include <stdexcept>

namespace nxdt::schedule {
namespace {
const Generator *const kGenerators[] = {&kOneForwardOneBackward, &kInterleaved,
                                        &kForwardOnly};
} // namespace

const Generator *findGenerator(std::string_view name) {
  auto *it =
      std::find_if(std::begin(kGenerators), std::end(kGenerators),
                   [&](const Generator *entry) { return entry->name == name; });
  return it == std::end(kGenerators) ? nullptr : *it;
}

std::vector<std::string_view> scheduleNames() {
  std::vector<std::string_view> names;
  for (const Generator *generator : kGenerators)
    names.push_back(generator->name);
  return names;
}

ComputeOrder generate(const PipelineProblem &problem,
                      std::string_view schedule) {
  if (std::optional<std::string> error = check(problem, schedule))
    throw std::logic_error("an unchecked pipeline: " + *error);
  ComputeOrder order;
  for (int64_t stage = 0; stage < problem.stages; ++stage)
    order.push_back(findGenerator(schedule)->steps(problem, stage));
  return order;
}

ComputeOrder generate(const PipelineProblem &problem) {
  return generate(problem, scheduleFor(problem));
}

} // namespace nxdt::schedule
