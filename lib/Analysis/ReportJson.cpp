//===- ReportJson.cpp - a strategy's costs for programs -------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "nxdt/Analysis/Report.h"

#include <nlohmann/json.hpp>

using namespace nxdt;
using Json = nlohmann::ordered_json;

static Json collectivesJson(const std::vector<CollectiveGroup> &groups,
                            const std::vector<plan::Traffic> &totals) {
  Json lines = Json::array();
  for (const CollectiveGroup &group : groups)
    lines.push_back({{"phase", group.phase},
                     {"group", group.group},
                     {"ranks", group.ranks},
                     {"kind", group.kind},
                     {"dtype", group.dtype},
                     {"module", group.module},
                     {"reason", group.reason},
                     {"causes", group.causes},
                     {"calls", group.calls},
                     {"input_bytes", group.inputBytes},
                     {"sent_bytes", group.sentBytes}});
  Json sums = Json::array();
  int64_t input = 0, sent = 0;
  for (const plan::Traffic &traffic : totals) {
    sums.push_back({{"group", traffic.group},
                    {"ranks", traffic.ranks},
                    {"kind", plan::name(traffic.kind)},
                    {"calls", traffic.calls},
                    {"input_bytes", traffic.inputBytes},
                    {"sent_bytes", traffic.sentBytes}});
    input += traffic.inputBytes;
    sent += traffic.sentBytes;
  }
  return {{"input_bytes", input},
          {"sent_bytes", sent},
          {"totals", sums},
          {"collectives", lines}};
}

static Json toJson(const StrategyReport &report) {
  Json mesh = Json::object();
  for (const auto &[name, size] : report.mesh)
    mesh[name] = size;
  Json origins = Json::object();
  for (const auto &[name, origin] : report.origins)
    origins[name] = origin;
  Json live = Json::array();
  for (const LiveGroup &group : report.live)
    live.push_back({{"module", group.one.module},
                    {"op", group.one.op},
                    {"dtype", plan::name(group.one.dtype)},
                    {"shape", group.one.shape},
                    {"count", group.count},
                    {"bytes", group.bytes}});
  const plan::MemoryReport &m = report.memory;
  const FlopCount &f = report.flops;
  Json root = {{"version", 1},
               {"config", report.configPath},
               {"mesh", mesh},
               {"ranks", report.ranks},
               {"origins", origins},
               {"parameters", report.parameters},
               {"micro_batches", report.microBatches},
               {"micro_batch_size", report.microBatchSize},
               {"global_batch_size", report.globalBatchSize},
               {"sequence_length", report.sequenceLength},
               {"max_steps", report.maxSteps},
               {"memory",
                {{"param_bytes", m.paramBytes},
                 {"master_bytes", m.masterBytes},
                 {"grad_bytes", m.gradBytes},
                 {"opt_state_bytes", m.optStateBytes},
                 {"other_bytes", m.otherBytes},
                 {"peak_activation_bytes", m.peakActivationBytes},
                 {"total_bytes", report.totalBytes},
                 {"peak",
                  {{"program", report.peak.program},
                   {"module", report.peak.module},
                   {"op", report.peak.op},
                   {"tensors", live}}}}},
               {"step", collectivesJson(report.step, report.stepTotals)},
               {"evaluation",
                collectivesJson(report.evaluation, report.evaluationTotals)},
               {"flops",
                {{"forward", f.forward},
                 {"backward", f.backward},
                 {"recomputed", f.recomputed},
                 {"optimizer", f.optimizer},
                 {"step", f.step()},
                 {"step_of_all_ranks", report.flopsOfAllRanks},
                 {"run", report.flopsOfAllRanks * report.maxSteps},
                 {"evaluation", f.evaluation}}}};
  if (report.files) {
    int64_t state = report.totalBytes - m.peakActivationBytes;
    root["memory"]["files"] = {
        {"draw_total_bytes", state + report.files->drawBytes},
        {"resume_total_bytes", state + report.files->resumeBytes},
        {"reshard_total_bytes", state + report.files->reshardBytes},
        {"save_total_bytes",
         state + report.files->saveBytes + report.files->tellBytes}};
  }
  if (report.keptMemory)
    root["memory"]["without_recomputation"] = {
        {"peak_activation_bytes", report.keptMemory->peakActivationBytes},
        {"total_bytes", totalBytes(*report.keptMemory)}};
  if (report.time) {
    Json phases = Json::object(), stages = Json::array();
    for (const auto &[phase, time_s] : report.time->phases)
      phases[phase] = time_s;
    for (const StageTime &stage : report.time->stages)
      stages.push_back({{"compute_s", stage.compute_s},
                        {"collectives_s", stage.collectives_s},
                        {"idle_s", stage.idle_s}});
    root["time"] = {{"cluster", report.cluster},
                    {"step_s", report.time->step_s},
                    {"bubble", report.time->bubble},
                    {"phases_s", phases},
                    {"stages", stages}};
  }
  if (report.stage >= 0) {
    Json channels = Json::array();
    for (const plan::ChannelTraffic &channel : report.channels)
      channels.push_back({{"name", channel.name},
                          {"peer", channel.peer},
                          {"sends", channel.isSend},
                          {"calls", channel.calls},
                          {"bytes", channel.bytes}});
    root["stage"] = report.stage;
    root["layers"] = report.layers;
    root["channels"] = channels;
  }
  if (!report.stages.empty()) {
    root["schedule"] = report.schedule;
    root["stages"] = Json::array();
    for (const StrategyReport &stage : report.stages) {
      Json part = toJson(stage);
      // What is said for all once.
      for (const char *key :
           {"version", "config", "mesh", "ranks", "origins", "parameters",
            "micro_batches", "micro_batch_size", "global_batch_size",
            "sequence_length", "max_steps"})
        part.erase(key);
      for (const char *key : {"step_of_all_ranks", "run"})
        part["flops"].erase(key);
      root["stages"].push_back(std::move(part));
    }
  }
  return root;
}

std::string nxdt::reportJson(const StrategyReport &report) {
  return toJson(report).dump(1) + "\n";
}
