//===- Report.h - what a strategy costs -------------------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Everything is of one rank and one optimizer step unless it says otherwise:
// all ranks run the same programs. docs/Reports.md says what exactly counts.
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_ANALYSIS_REPORT_H
#define NXDT_ANALYSIS_REPORT_H

#include "nxdt/Analysis/Cost.h"
#include "nxdt/Analysis/Flops.h"
#include "nxdt/Config/RunConfig.h"
#include "nxdt/Emit/MemoryPrediction.h"
#include "nxdt/Plan/Communication.h"
#include "nxdt/Plan/FileMemory.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace nxdt {

/// Temporaries of the peak that differ in the number of their layer only.
struct LiveGroup {
  LiveTensor one; ///< its module with layer numbers replaced by `*`
  int64_t count = 0;
  int64_t bytes = 0; ///< of all
};

/// Collectives that differ in the number of their layer only.
struct CollectiveGroup {
  std::string phase; ///< forward, backward, optimizer; of an evaluation too
  std::string group; ///< "tp", "dp,tp"
  int64_t ranks = 1;
  std::string kind;                ///< "all_reduce", ...
  std::string dtype;               ///< of the payload
  std::string module;              ///< layer numbers replaced by `*`
  std::string reason;              ///< without the YAML
  std::vector<std::string> causes; ///< names in RunConfig's strategy.origins
  int64_t calls = 0;
  int64_t inputBytes = 0;
  int64_t sentBytes = 0;
};

struct StrategyReport {
  std::string configPath;
  std::vector<std::pair<std::string, int64_t>> mesh;
  int64_t ranks = 1;
  int64_t parameters = 0; ///< elements of the whole model
  int64_t microBatches = 0;
  int64_t microBatchSize = 0;
  int64_t globalBatchSize = 0;
  int64_t sequenceLength = 0;
  int64_t maxSteps = 0; ///< of the whole run
  /// strategy.origins: (name, "key = value (file:line:col)").
  std::vector<std::pair<std::string, std::string>> origins;

  plan::MemoryReport memory;
  int64_t totalBytes = 0; ///< state and peak
  /// What loading and saving take beside the state; only on the CPU.
  std::optional<plan::FileMemory> files;
  /// The same if nothing were computed again; only where something is.
  std::optional<plan::MemoryReport> keptMemory;
  Peak peak;
  std::vector<LiveGroup> live; ///< most bytes first

  std::vector<CollectiveGroup> step;
  std::vector<CollectiveGroup> evaluation; ///< of one global batch
  std::vector<plan::Traffic> stepTotals;
  std::vector<plan::Traffic> evaluationTotals;

  FlopCount flops;
  double flopsOfAllRanks = 0; ///< in an optimizer step

  /// Only with --cluster.
  std::optional<StepTime> time;
  std::string cluster; ///< its file

  // With a pipeline: all above but mesh, ranks, parameters, batches and time
  // are of
  // one stage's ranks, in the whole report those of the stage that needs most
  // memory.
  int64_t stage = -1;
  std::string layers; ///< "model.layers.0 to model.layers.3"
  std::vector<plan::ChannelTraffic> channels; ///< of a step
  std::vector<StrategyReport> stages;         ///< of all stages
  std::string schedule; ///< "interleaved, 2 x 2 chunks, ..., bubble 1/9"
};

/// `module`: after `lower-to-aten`, what `family` was emitted from.
StrategyReport makeReport(const RunConfig &run, const plan::PlanFamily &family,
                          mlir::ModuleOp module);

/// Sets keptMemory, of all stages too, from the plans of the same configuration
/// without recomputation.
void addKeptMemory(StrategyReport &report, const plan::PlanFamily &kept);

/// Sets time and cluster.
void addTimes(StrategyReport &report, const CostModel &model,
              const std::string &cluster);

/// One to two screens.
std::string reportText(const StrategyReport &report);
/// Keys are stable: docs/Reports.md.
std::string reportJson(const StrategyReport &report);

/// Two strategies side by side: what they differ in, memory by category, bytes
/// and calls by group and kind, FLOPs.
std::string diffText(const RunConfig &runA, const StrategyReport &a,
                     const RunConfig &runB, const StrategyReport &b);

/// Empty, or what exceeds `distributed_strategy.budget_bytes`: where that
/// stands, the arithmetic, the largest tensors and categories.
std::string budgetProblem(const RunConfig &run, const StrategyReport &report);

/// (name, bytes) of all categories in a fixed order, the peak last.
std::vector<std::pair<std::string, int64_t>>
memoryCategories(const plan::MemoryReport &memory);

/// (name, bytes) of all that a rank holds while it loads and saves; empty where
/// that is not known.
std::vector<std::pair<std::string, int64_t>>
filePeaks(const StrategyReport &report);

/// The sum of all categories.
int64_t totalBytes(const plan::MemoryReport &memory);

/// Parts of a dotted path that are numbers become `*`.
std::string classOf(const std::string &path);

/// "reason" and the names of the origins that its brackets at the end give.
std::pair<std::string, std::vector<std::string>>
splitReason(const std::string &reason,
            const std::vector<std::pair<std::string, std::string>> &origins);

/// Those of a reshard's causes that a collective over `group` comes from: one
/// reshard may become several collectives over different axes.
std::vector<std::string> causesOf(const plan::Plan &plan,
                                  const plan::Axes &group,
                                  std::vector<std::string> causes);

} // namespace nxdt

#endif // NXDT_ANALYSIS_REPORT_H
