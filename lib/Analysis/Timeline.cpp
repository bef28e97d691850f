//===- Timeline.cpp - the schedules of a pipeline, to look at -------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "nxdt/Analysis/Timeline.h"

#include "nxdt/Analysis/Flops.h"
#include "nxdt/Schedule/FamilySchedule.h"
#include "nxdt/Schedule/Picture.h"
#include "nxdt/Schedule/ScheduleText.h"
#include "nxdt/Support/UserError.h"

#include <algorithm>
#include <numeric>

using namespace mlir;
using namespace nxdt;

namespace {
struct Timed {
  schedule::PipelineSchedule schedule;
  schedule::PipelineProblem problem;
  schedule::Timing timing;
};
} // namespace

static schedule::PipelineSchedule
requireSchedule(const plan::PlanFamily &family, StringRef name) {
  auto found = schedule::scheduleOf(family, name.str());
  if (!found)
    throw UserError("there is no schedule: "
                    "distributed_strategy.pipeline_model_parallel_size is 1");
  return *found;
}

static Timed timed(ModuleOp module, const plan::PlanFamily &family,
                   StringRef name) {
  Timed result;
  result.schedule = requireSchedule(family, name);
  schedule::PipelineProblem &problem = result.problem;
  problem.stages = result.schedule.stages;
  problem.chunksPerStage = result.schedule.chunksPerStage;
  problem.microBatches = result.schedule.microBatches;
  problem.forwardOnly = name == "eval_step";
  auto flops = [&](schedule::Pass pass) {
    std::vector<double> list;
    for (int64_t chunk = 0; chunk < problem.chunks(); ++chunk)
      list.push_back(programFlops(
          module, schedule::programName(pass, chunk, problem.forwardOnly)));
    return list;
  };
  problem.forward_s = flops(schedule::Pass::Forward);
  double unit =
      std::accumulate(problem.forward_s.begin(), problem.forward_s.end(), 0.0) /
      problem.chunks();
  if (!problem.forwardOnly)
    problem.backward_s = flops(schedule::Pass::Backward);
  for (std::vector<double> *list : {&problem.forward_s, &problem.backward_s})
    for (double &cost : *list)
      cost /= unit > 0 ? unit : 1;
  result.timing = schedule::simulate(result.schedule, problem);
  return result;
}

std::string nxdt::scheduleText(ModuleOp module,
                               const plan::PlanFamily &family) {
  std::string text = "# A second is the average forward pass, by FLOPs; "
                     "messages take no time.\n";
  for (const char *name : {"train_step", "eval_step"}) {
    if (family.stages.size() > 1 && !schedule::scheduleOf(family, name))
      continue;
    Timed one = timed(module, family, name);
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

std::string nxdt::scheduleTrace(ModuleOp module,
                                const plan::PlanFamily &family) {
  Timed one = timed(module, family, "train_step");
  return schedule::chromeTrace(one.schedule, one.timing);
}
