//===- Timeline.cpp - the schedules of a pipeline, to look at -------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "nxdt/Analysis/Timeline.h"

#include "nxdt/Schedule/FamilySchedule.h"
#include "nxdt/Schedule/Picture.h"
#include "nxdt/Schedule/ScheduleText.h"
#include "nxdt/Support/UserError.h"

#include <algorithm>

using namespace nxdt;

namespace {
struct Timed {
  schedule::PipelineSchedule schedule;
  schedule::PipelineProblem problem;
  schedule::Timing timing;
};
} // namespace

static Timed timed(const CostModel &model, llvm::StringRef name) {
  Timed result;
  result.schedule = model.scheduleOf(name);
  schedule::PipelineProblem &problem = result.problem;
  problem.stages = result.schedule.stages;
  problem.chunksPerStage = result.schedule.chunksPerStage;
  problem.microBatches = result.schedule.microBatches;
  problem.forwardOnly = name == "eval_step";
  for (int64_t chunk = 0; chunk < problem.chunks(); ++chunk) {
    auto seconds = [&](schedule::Pass pass) {
      return model
          .program(problem.stageOf(chunk),
                   schedule::programName(pass, chunk, problem.forwardOnly))
          .total_s;
    };
    problem.forward_s.push_back(seconds(schedule::Pass::Forward));
    if (!problem.forwardOnly)
      problem.backward_s.push_back(seconds(schedule::Pass::Backward));
  }
  result.timing = model.timing(result.schedule);
  return result;
}

std::string nxdt::scheduleText(const CostModel &model,
                               const plan::PlanFamily &family,
                               const std::string &cluster) {
  if (family.stages.size() == 1)
    throw UserError("there is no schedule: "
                    "distributed_strategy.pipeline_model_parallel_size is 1");
  std::string text = cluster.empty()
                         ? "# A second is the average forward pass, by FLOPs; "
                           "messages take no time.\n"
                         : "# Predicted seconds on " + cluster + ".\n";
  for (const char *name : {"train_step", "eval_step"}) {
    if (!schedule::scheduleOf(family, name))
      continue;
    Timed one = timed(model, name);
    text += "\n# " + std::string(name) + ", " +
            std::string(schedule::scheduleFor(one.problem)) + "\n";
    std::string picture =
        schedule::timeline(one.schedule, one.timing) + "\n" +
        schedule::table(one.schedule, one.problem, one.timing);
    // As comments: the whole is a file that the schedule's grammar reads.
    size_t begin = 0;
    while (begin < picture.size()) {
      size_t end = std::min(picture.find('\n', begin), picture.size());
      std::string line = picture.substr(begin, end - begin);
      text += line.empty() ? "#\n" : "# " + line + "\n";
      begin = end + 1;
    }
    text += schedule::print(one.schedule);
  }
  return text;
}

std::string nxdt::stepTrace(const CostModel &model, int64_t microBatches) {
  std::vector<schedule::TraceProcess> processes;
  model.step(microBatches, &processes);
  return schedule::chromeTrace(processes);
}
