//===- Problem.cpp - what no schedule can do ------------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Generators.h"
#include "nxdt/Schedule/NearestStages.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace nxdt::schedule {
namespace {

/// Passes of all stages: more would not fit in memory as actions.
constexpr int64_t kMaxPasses = int64_t(1) << 26;

/// "chunk 3 ..." for the first cost that is not a time.
std::optional<std::string> checkTimes(const std::vector<double> &times_s,
                                      int64_t count, std::string_view what,
                                      std::string_view each) {
  if (times_s.empty())
    return std::nullopt;
  if (static_cast<int64_t>(times_s.size()) != count)
    return std::string(what) + " times are for " +
           counted(static_cast<int64_t>(times_s.size()), each) +
           ", but there are " + std::to_string(count);
  for (size_t i = 0; i < times_s.size(); ++i)
    if (!std::isfinite(times_s[i]) || times_s[i] < 0)
      return "the " + std::string(what) + " time of " + std::string(each) +
             " " + std::to_string(i) + " is " + std::to_string(times_s[i]) +
             " s; a time is finite and at least 0";
  return std::nullopt;
}

std::optional<std::string> checkCounts(const PipelineProblem &problem) {
  for (auto [count, noun] :
       {std::pair{problem.stages, "stages"},
        std::pair{problem.chunksPerStage, "chunks per stage"},
        std::pair{problem.microBatches, "micro-batches"}})
    if (count < 1)
      return "the number of " + std::string(noun) + " is " +
             std::to_string(count) + "; nearest: 1";
  if (problem.stages == 1 && problem.chunksPerStage > 1)
    return "1 stage has 1 chunk, not " +
           std::to_string(problem.chunksPerStage) +
           ": chunks are for interleaving stages; nearest: 1 chunk, or 2 "
           "stages";
  // One at a time, so that the products do not overflow.
  int64_t passes = problem.forwardOnly ? 1 : 2;
  for (int64_t count :
       {problem.stages, problem.chunksPerStage, problem.microBatches}) {
    if (count > kMaxPasses / passes)
      return counted(problem.stages, "stage") + " x " +
             counted(problem.chunksPerStage, "chunk") + " x " +
             counted(problem.microBatches, "micro-batch") +
             (problem.forwardOnly ? "" : " x 2 passes") +
             " are more than the most passes of a schedule, " +
             std::to_string(kMaxPasses);
    passes *= count;
  }
  return std::nullopt;
}

std::optional<std::string> checkCap(const PipelineProblem &problem,
                                    const Generator &generator) {
  if (!problem.inFlightCap)
    return std::nullopt;
  for (int64_t stage = 0; stage < problem.stages; ++stage) {
    int64_t held = generator.inFlight(problem, stage);
    if (held > *problem.inFlightCap)
      return std::string(generator.name) + " holds the activations of " +
             std::to_string(held) + " micro-batches and chunks on stage " +
             std::to_string(stage) + ", but the cap is " +
             std::to_string(*problem.inFlightCap) +
             "; nearest: " + std::to_string(held);
  }
  return std::nullopt;
}

} // namespace

std::string counted(int64_t count, std::string_view noun) {
  std::string text = std::to_string(count) + " " + std::string(noun);
  if (count != 1)
    text += noun.ends_with("ch") ? "es" : "s";
  return text;
}

std::string_view scheduleFor(const PipelineProblem &problem) {
  if (problem.forwardOnly)
    return kForwardOnly.name;
  return problem.chunksPerStage == 1 ? kOneForwardOneBackward.name
                                     : kInterleaved.name;
}

std::optional<std::string> check(const PipelineProblem &problem) {
  return check(problem, scheduleFor(problem));
}

std::optional<std::string> check(const PipelineProblem &problem,
                                 std::string_view schedule) {
  const Generator *generator = findGenerator(schedule);
  if (!generator) {
    std::string names;
    for (std::string_view name : scheduleNames())
      names += (names.empty() ? "" : ", ") + std::string(name);
    return "there is no schedule '" + std::string(schedule) +
           "'; there are: " + names;
  }
  if (std::optional<std::string> error = checkCounts(problem))
    return error;
  if (std::optional<std::string> error =
          checkTimes(problem.forward_s, problem.chunks(), "forward", "chunk"))
    return error;
  if (std::optional<std::string> error =
          checkTimes(problem.backward_s, problem.chunks(), "backward", "chunk"))
    return error;
  if (std::optional<std::string> error = checkTimes(
          problem.transfer_s, problem.chunks() - 1, "transfer", "edge"))
    return error;
  if (std::optional<std::string> error = generator->check(problem))
    return error;
  return checkCap(problem, *generator);
}

std::string nearestStages(int64_t stages, int64_t layers) {
  stages = std::min(stages, layers);
  return "pipeline_model_parallel_size = " + std::to_string(stages) +
         ", virtual_pipeline_model_parallel_size = " +
         std::to_string(layers / stages);
}

} // namespace nxdt::schedule
