//===- ReportText.cpp - a strategy's costs on one screen ------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "ReportFormat.h"

#include "nxdt/Support/Format.h"

#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>

using namespace nxdt;
using llvm::formatv;

std::string nxdt::meshText(const StrategyReport &report) {
  std::string text;
  for (const auto &[name, size] : report.mesh)
    text += (text.empty() ? "" : " x ") + name + " " + std::to_string(size);
  return text + " = " + withCommas(report.ranks) +
         (report.ranks == 1 ? " rank" : " ranks");
}

std::string nxdt::tensorText(const LiveTensor &tensor) {
  std::string text = std::string(plan::name(tensor.dtype)) + " [";
  for (size_t i = 0; i < tensor.shape.size(); ++i)
    text += (i ? "," : "") + std::to_string(tensor.shape[i]);
  return text + "]";
}

std::string nxdt::flopsText(double flops) {
  static constexpr const char *kUnits[] = {" FLOP",  " kFLOP", " MFLOP",
                                           " GFLOP", " TFLOP", " PFLOP",
                                           " EFLOP", " ZFLOP", " YFLOP"};
  size_t unit = 0;
  while (flops >= 999.5 && unit + 1 < std::size(kUnits)) {
    flops /= 1000;
    ++unit;
  }
  return formatv("{0:f2}{1}", flops, kUnits[unit]).str();
}

/// On a screen all parameters of the optimizer's phase share their lines.
static std::vector<CollectiveGroup>
mergeParameters(const std::vector<CollectiveGroup> &groups) {
  std::vector<CollectiveGroup> merged;
  for (CollectiveGroup group : groups) {
    for (const char *start : {"gradient of ", "new value of "})
      if (group.reason.starts_with(start + group.module)) {
        group.reason.replace(std::string(start).size(), group.module.size(),
                             "each parameter");
        group.module = "each parameter";
        break;
      }
    auto same = std::find_if(
        merged.begin(), merged.end(), [&](const CollectiveGroup &other) {
          return other.phase == group.phase && other.group == group.group &&
                 other.kind == group.kind && other.reason == group.reason &&
                 other.module == group.module;
        });
    if (same == merged.end()) {
      merged.push_back(group);
      continue;
    }
    same->calls += group.calls;
    same->inputBytes += group.inputBytes;
    same->sentBytes += group.sentBytes;
  }
  return merged;
}

static void writeMemory(llvm::raw_ostream &os, const StrategyReport &report) {
  os << "memory of a rank\n";
  auto row = [&](llvm::StringRef name, int64_t bytes) {
    os << formatv("  {0,-24}{1,12}{2,22}\n", name, humanBytes(bytes),
                  withCommas(bytes));
  };
  for (const auto &[name, bytes] : memoryCategories(report.memory))
    if (bytes || name != "fp32 masters")
      row(name, bytes);
  row("total", report.totalBytes);
  for (const auto &[name, bytes] : filePeaks(report))
    row(name, bytes);
  if (report.keptMemory) {
    row("activations, all kept", report.keptMemory->peakActivationBytes);
    row("total, all kept", totalBytes(*report.keptMemory));
  }
  if (report.live.empty())
    return;
  os << "  at the peak, in " << report.peak.program << " at " << report.peak.op
     << " of " << report.peak.module << ":\n";
  for (size_t i = 0; i < report.live.size() && i < 6; ++i) {
    const LiveGroup &group = report.live[i];
    os << formatv("  {0,12} {1,4} x {2} {3} of {4}\n", humanBytes(group.bytes),
                  group.count, tensorText(group.one), group.one.op,
                  group.one.module);
  }
}

static void writeTotals(llvm::raw_ostream &os,
                        const std::vector<plan::Traffic> &totals) {
  os << formatv("  {0,-18}{1,-16}{2,8}{3,14}{4,14}\n", "group", "kind", "calls",
                "input", "sent");
  int64_t calls = 0, input = 0, sent = 0;
  auto row = [&](const std::string &group, const std::string &kind,
                 int64_t calls, int64_t input, int64_t sent) {
    os << formatv("  {0,-18}{1,-16}{2,8}{3,14}{4,14}\n", group, kind,
                  withCommas(calls), humanBytes(input), humanBytes(sent));
  };
  for (const plan::Traffic &traffic : totals) {
    row(traffic.group + " (" + std::to_string(traffic.ranks) + ")",
        std::string(plan::name(traffic.kind)), traffic.calls,
        traffic.inputBytes, traffic.sentBytes);
    calls += traffic.calls;
    input += traffic.inputBytes;
    sent += traffic.sentBytes;
  }
  row("total", "", calls, input, sent);
}

static void writeReasons(llvm::raw_ostream &os,
                         const std::vector<CollectiveGroup> &groups) {
  std::string phase;
  for (const CollectiveGroup &group : mergeParameters(groups)) {
    if (group.phase != phase) {
      phase = group.phase;
      os << "  " << phase << '\n';
    }
    std::string text = group.reason;
    if (text.find(group.module) == std::string::npos)
      text = group.module + ": " + text;
    for (size_t i = 0; i < group.causes.size(); ++i)
      text += (i ? ", " : " [") + group.causes[i];
    if (!group.causes.empty())
      text += "]";
    os << formatv("  {0,6} {1,-5} {2,-14} {3,10}  {4}\n",
                  withCommas(group.calls), group.group, group.kind,
                  humanBytes(group.sentBytes), text);
  }
}

static int64_t sentBytes(const StrategyReport &report) {
  int64_t bytes = 0;
  for (const plan::ChannelTraffic &channel : report.channels)
    if (channel.isSend)
      bytes += channel.bytes;
  return bytes;
}

/// What lies where; the stage that the rest is about.
static void writeStages(llvm::raw_ostream &os, const StrategyReport &report) {
  os << "schedule        " << report.schedule << "\n\n";
  os << formatv("  {0,5}{1,12}{2,12}{3,12}{4,12}{5,12}{6,12}  {7}\n", "stage",
                "parameters", "optimizer", "activations", "total", "to stages",
                "FLOPs", "layers");
  for (const StrategyReport &stage : report.stages) {
    const plan::MemoryReport &m = stage.memory;
    os << formatv("  {0,5}{1,12}{2,12}{3,12}{4,12}{5,12}{6,12}  {7}\n",
                  stage.stage, humanBytes(m.paramBytes),
                  humanBytes(m.masterBytes + m.gradBytes + m.optStateBytes),
                  humanBytes(m.peakActivationBytes),
                  humanBytes(stage.totalBytes), humanBytes(sentBytes(stage)),
                  flopsText(stage.flops.step()), stage.layers);
  }
  os << "\nstage " << report.stage << ", which needs most:\n";
}

static void writeChannels(llvm::raw_ostream &os, const StrategyReport &report) {
  for (const plan::ChannelTraffic &channel : report.channels)
    os << formatv("  {0,-34}{1,8}{2,28}\n",
                  (channel.isSend ? "to stage " : "from stage ") +
                      std::to_string(channel.peer) + ", " + channel.name,
                  withCommas(channel.calls), humanBytes(channel.bytes));
}

std::string nxdt::secondsText(double time_s) {
  if (time_s >= 1)
    return formatv("{0:f2} s", time_s).str();
  return time_s >= 1e-3 ? formatv("{0:f2} ms", time_s * 1e3).str()
                        : formatv("{0:f2} us", time_s * 1e6).str();
}

static void writeTimes(llvm::raw_ostream &os, const StrategyReport &report) {
  os << "\ntime of an optimizer step\n";
  if (!report.time) {
    os << "  not given without --cluster FILE\n";
    return;
  }
  const StepTime &time = *report.time;
  auto row = [&](llvm::StringRef name, const std::string &value) {
    os << formatv("  {0,-24}{1,16}\n", name, value);
  };
  for (const auto &[phase, time_s] : time.phases)
    row(phase, secondsText(time_s));
  row("total", secondsText(time.step_s));
  row("tokens per second", withCommas(int64_t(double(report.globalBatchSize *
                                                     report.sequenceLength) /
                                              time.step_s)));
  if (time.stages.size() > 1)
    row("bubble of train_step", formatv("{0:f1}%", 100 * time.bubble).str());
  for (size_t stage = 0; stage < time.stages.size(); ++stage) {
    const StageTime &one = time.stages[stage];
    os << "  ";
    if (time.stages.size() > 1)
      os << "stage " << stage << ": ";
    os << "computes " << secondsText(one.compute_s)
       << ", waits for collectives " << secondsText(one.collectives_s);
    if (time.stages.size() > 1)
      os << ", is idle " << secondsText(one.idle_s);
    os << '\n';
  }
  os << "  predicted for " << report.cluster << '\n';
}

std::string nxdt::reportText(const StrategyReport &report) {
  std::string text;
  llvm::raw_string_ostream os(text);
  auto head = [&](llvm::StringRef name, const std::string &value) {
    os << formatv("{0,-16}", name) << value << '\n';
  };
  head("configuration", report.configPath);
  head("mesh", meshText(report));
  head("parameters", withCommas(report.parameters));
  head("step",
       formatv("{0} sequences of {1} tokens, {2} micro-batch{3} of {4} "
               "on each of {5} data-parallel ranks",
               report.globalBatchSize, report.sequenceLength,
               report.microBatches, report.microBatches == 1 ? "" : "es",
               report.microBatchSize,
               report.globalBatchSize /
                   (report.microBatches * report.microBatchSize))
           .str());
  os << '\n';
  if (!report.stages.empty())
    writeStages(os, report);
  writeMemory(os, report);

  os << "\ncommunication of a rank in an optimizer step\n";
  if (report.step.empty()) {
    os << "  none\n";
  } else {
    writeTotals(os, report.stepTotals);
    writeChannels(os, report);
    os << " calls, group, kind, bytes sent, why\n";
    writeReasons(os, report.step);
  }

  const FlopCount &flops = report.flops;
  os << "\nFLOPs of a rank in an optimizer step\n";
  auto row = [&](llvm::StringRef name, double count) {
    os << formatv("  {0,-24}{1,16}\n", name, flopsText(count));
  };
  row("forward", flops.forward);
  row("backward", flops.backward);
  if (flops.recomputed > 0)
    row("forward once more", flops.recomputed);
  row("optimizer", flops.optimizer);
  row("total", flops.step());
  double all = report.flopsOfAllRanks;
  row("of all ranks", all);
  row(formatv("of the run, {0} steps", withCommas(report.maxSteps)).str(),
      all * report.maxSteps);

  writeTimes(os, report);

  os << "\nevaluation of one global batch\n";
  row("FLOPs of a rank", flops.evaluation);
  if (!report.evaluationTotals.empty())
    writeTotals(os, report.evaluationTotals);

  os << "\nset by\n";
  for (const auto &[name, origin] : report.origins)
    os << formatv("  {0,-18}{1}\n", name, origin);
  return text;
}
