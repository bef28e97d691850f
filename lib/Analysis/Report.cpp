//===- Report.cpp - what a strategy costs ---------------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "nxdt/Analysis/Report.h"

#include "nxdt/Passes/Passes.h"
#include "nxdt/Plan/Communication.h"
#include "nxdt/Plan/Family.h"
#include "nxdt/Schedule/Actions.h"
#include "nxdt/Schedule/Picture.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <tuple>

using namespace mlir;
using namespace nxdt;

std::string nxdt::classOf(const std::string &path) {
  std::string text;
  for (size_t i = 0; i < path.size(); ++i) {
    text += path[i];
    size_t end = i + 1;
    while (end < path.size() && std::isdigit(path[end]))
      ++end;
    bool isNumber =
        path[i] == '.' && end > i + 1 &&
        (end == path.size() || !(std::isalnum(path[end]) || path[end] == '_'));
    if (isNumber) {
      text += '*';
      i = end - 1;
    }
  }
  return text;
}

std::pair<std::string, std::vector<std::string>> nxdt::splitReason(
    const std::string &reason,
    const std::vector<std::pair<std::string, std::string>> &origins) {
  std::string text = reason;
  std::vector<std::string> causes;
  bool found = true;
  while (found) {
    found = false;
    for (const auto &[name, origin] : origins) {
      std::string suffix = " [" + origin + "]";
      if (!text.ends_with(suffix))
        continue;
      text.resize(text.size() - suffix.size());
      causes.insert(causes.begin(), name);
      found = true;
      break;
    }
  }
  return {text, causes};
}

std::vector<std::pair<std::string, int64_t>>
nxdt::memoryCategories(const plan::MemoryReport &memory) {
  return {{"parameters", memory.paramBytes},
          {"fp32 masters", memory.masterBytes},
          {"gradients", memory.gradBytes},
          {"optimizer state", memory.optStateBytes},
          {"inputs and others", memory.otherBytes},
          {"activations at the peak", memory.peakActivationBytes}};
}

int64_t nxdt::totalBytes(const plan::MemoryReport &memory) {
  int64_t total = 0;
  for (const auto &[name, bytes] : memoryCategories(memory))
    total += bytes;
  return total;
}

std::vector<std::pair<std::string, int64_t>>
nxdt::filePeaks(const StrategyReport &report) {
  if (!report.files)
    return {};
  int64_t state = report.totalBytes - report.memory.peakActivationBytes;
  const plan::FileMemory &files = *report.files;
  return {{"total, weights drawn", state + files.drawBytes},
          {"total, resuming", state + files.resumeBytes},
          {"total, resharding: max.", state + files.reshardBytes},
          {"total, saving", state + files.saveBytes + files.tellBytes}};
}

std::vector<std::string> nxdt::causesOf(const plan::Plan &plan,
                                        const plan::Axes &group,
                                        std::vector<std::string> causes) {
  auto has = [&](const std::string &name) {
    return std::any_of(group.begin(), group.end(), [&](const auto &axis) {
      return axis.substr(0, axis.find(':')) == name;
    });
  };
  std::erase_if(causes, [&](const std::string &cause) {
    bool isAxis = std::any_of(plan.mesh.begin(), plan.mesh.end(),
                              [&](auto &axis) { return axis.first == cause; });
    return (isAxis && !has(cause)) || (cause == "zero1" && !has("dp")) ||
           (cause == "sequence_parallel" && !has("tp"));
  });
  return causes;
}

static std::vector<LiveGroup> groupLive(const Peak &peak) {
  std::map<
      std::tuple<std::string, std::string, plan::DType, std::vector<int64_t>>,
      size_t>
      known;
  std::vector<LiveGroup> groups;
  for (const LiveTensor &tensor : peak.tensors) {
    std::string module = classOf(tensor.module);
    auto [it, isNew] = known.try_emplace(
        {module, tensor.op, tensor.dtype, tensor.shape}, groups.size());
    if (isNew) {
      groups.push_back({tensor, 0, 0});
      groups.back().one.module = module;
    }
    LiveGroup &group = groups[it->second];
    ++group.count;
    group.bytes += tensor.bytes;
  }
  std::stable_sort(
      groups.begin(), groups.end(),
      [](const LiveGroup &a, const LiveGroup &b) { return a.bytes > b.bytes; });
  return groups;
}

/// In the order in which the programs run them.
static std::vector<CollectiveGroup>
groupCollectives(const plan::Plan &plan, plan::Stage stage,
                 const StrategyReport &report) {
  using Key = std::tuple<std::string, std::string, std::string, std::string,
                         std::string, std::string>;
  std::map<Key, size_t> known;
  std::vector<CollectiveGroup> groups;
  for (const plan::Program &program : plan.programs) {
    int64_t runs = plan::runsOf(plan, program, stage, report.microBatches);
    if (runs == 0)
      continue;
    bool isPerMicroBatch = plan::useOf(program.name).isPerMicroBatch ||
                           schedule::passOf(program.name);
    for (const plan::Instruction &instruction : program.instructions) {
      if (!plan::isCollective(instruction))
        continue;
      for (const plan::Transfer &transfer : plan::transfersOf(instruction)) {
        plan::Payload payload =
            plan::payloadOf(plan, program, instruction, transfer);
        if (payload.ranks <= 1)
          continue;
        CollectiveGroup one;
        bool isBackward = transfer.module.ends_with("^");
        one.phase = !isPerMicroBatch ? "optimizer"
                    : isBackward     ? "backward"
                                     : "forward";
        if (stage == plan::Stage::Evaluation)
          one.phase = "evaluation";
        one.group = plan::groupText(instruction.axes);
        one.ranks = payload.ranks;
        one.kind = plan::name(instruction.collective);
        one.dtype = plan::name(program.values[transfer.input].dtype);
        one.module = classOf(std::string(transfer.module));
        if (isBackward)
          one.module.pop_back();
        auto [reason, causes] =
            splitReason(std::string(transfer.reason), report.origins);
        one.reason = classOf(reason);
        one.causes = causesOf(plan, instruction.axes, causes);
        Key key{one.phase, one.group,  one.kind,
                one.dtype, one.module, one.reason};
        auto [it, isNew] = known.try_emplace(key, groups.size());
        if (isNew)
          groups.push_back(one);
        CollectiveGroup &group = groups[it->second];
        group.calls += runs;
        group.inputBytes += runs * payload.inputBytes;
        group.sentBytes += runs * payload.sentBytes;
      }
    }
  }
  return groups;
}

static StrategyReport reportOf(const RunConfig &run, const plan::Plan &plan,
                               ModuleOp module, int64_t stage) {
  StrategyReport report;
  report.configPath = run.configPath;
  report.mesh = plan.mesh;
  for (const auto &[name, size] : plan.mesh)
    report.ranks *= size;
  report.microBatches = run.numMicroBatches();
  report.microBatchSize = run.data.microBatchSize;
  report.globalBatchSize = run.data.globalBatchSize;
  report.sequenceLength = run.model.encoderSeqLength;
  report.maxSteps = run.trainer.maxSteps;
  report.origins = run.strategy.origins;
  report.memory = plan.memory;
  report.totalBytes = totalBytes(plan.memory);
  report.peak = peakOf(plan);
  report.live = groupLive(report.peak);
  report.step = groupCollectives(plan, plan::Stage::Step, report);
  report.evaluation = groupCollectives(plan, plan::Stage::Evaluation, report);
  report.stepTotals =
      plan::trafficOf(plan, plan::Stage::Step, report.microBatches);
  report.evaluationTotals =
      plan::trafficOf(plan, plan::Stage::Evaluation, report.microBatches);
  report.flops = countFlops(module, plan, stage, report.microBatches);
  report.stage = stage;
  report.channels = plan::channelTrafficOf(plan, plan::Stage::Step);
  return report;
}

/// "model.layers.0 to model.layers.3, model.layers.8 to ...".
static std::string layersOf(ModuleOp module, int64_t stage, int64_t stages) {
  auto chunks = module->getAttrOfType<ArrayAttr>(kChunksAttr);
  if (!chunks)
    return "";
  std::string text;
  StringRef first, last;
  int64_t open = -1;
  auto close = [&] {
    if (open < 0)
      return;
    text += (text.empty() ? "" : ", ") + first.str();
    if (last != first)
      text += " to " + last.rsplit('.').second.str();
    open = -1;
  };
  for (auto entry : chunks.getAsRange<DictionaryAttr>()) {
    int64_t chunk = entry.getAs<IntegerAttr>("chunk").getInt();
    if (chunk != open)
      close();
    if (chunk % stages != stage)
      continue;
    last = entry.getAs<StringAttr>("layer").getValue();
    if (open < 0)
      first = last;
    open = chunk;
  }
  close();
  return text;
}

static std::string scheduleText(const RunConfig &run) {
  schedule::PipelineProblem problem;
  problem.stages = run.strategy.pipelineModelParallelSize;
  problem.chunksPerStage = run.strategy.virtualPipelineModelParallelSize;
  problem.microBatches = run.numMicroBatches();
  return std::string(schedule::scheduleFor(problem)) + ", " +
         std::to_string(problem.stages) + " stages of " +
         std::to_string(problem.chunksPerStage) +
         (problem.chunksPerStage == 1 ? " chunk, " : " chunks, ") +
         std::to_string(problem.microBatches) +
         " micro-batches: " + schedule::closedFormBubble(problem) +
         " of the time is bubble if all chunks take the same";
}

StrategyReport nxdt::makeReport(const RunConfig &run,
                                const plan::PlanFamily &family,
                                ModuleOp module) {
  int64_t stages = family.stages.size();
  std::vector<StrategyReport> reports;
  std::vector<plan::FileMemory> files = plan::fileMemoriesOf(family);
  size_t largest = 0;
  double flops = 0;
  for (int64_t stage = 0; stage < stages; ++stage) {
    reports.push_back(
        reportOf(run, family.stages[stage], module, stages > 1 ? stage : -1));
    StrategyReport &report = reports.back();
    if (!files.empty())
      report.files = files[stage];
    if (stages > 1)
      report.layers = layersOf(module, stage, stages);
    flops += report.flops.step() * (double(report.ranks) / stages);
    if (report.totalBytes > reports[largest].totalBytes)
      largest = stage;
  }
  StrategyReport report = reports[largest];
  if (stages > 1) {
    report.stages = std::move(reports);
    report.schedule = scheduleText(run);
  }
  report.flopsOfAllRanks = flops;
  for (const plan::Buffer &buffer : plan::wholeOf(family).buffers) {
    if (buffer.role != plan::Role::Param)
      continue;
    int64_t elements = 1;
    for (int64_t dim : buffer.logicalShape)
      elements *= dim;
    report.parameters += elements;
  }
  return report;
}

void nxdt::addKeptMemory(StrategyReport &report, const plan::PlanFamily &kept) {
  report.keptMemory = kept.stages[std::max<int64_t>(report.stage, 0)].memory;
  for (StrategyReport &stage : report.stages)
    stage.keptMemory = kept.stages[stage.stage].memory;
}

void nxdt::addTimes(StrategyReport &report, const CostModel &model,
                    const std::string &cluster) {
  report.cluster = cluster;
  report.time = model.step(report.microBatches);
}
