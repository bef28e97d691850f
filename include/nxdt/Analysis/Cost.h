//===- Cost.h - the time of a step -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// docs/Cost.md has the formulas, where they come from, and what they leave out.
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_ANALYSIS_COST_H
#define NXDT_ANALYSIS_COST_H

#include "nxdt/Analysis/Cluster.h"
#include "nxdt/Plan/Plan.h"
#include "nxdt/Schedule/Timing.h"
#include "nxdt/Schedule/Trace.h"

#include "mlir/IR/BuiltinOps.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace nxdt {

/// One run of a program.
struct ProgramTime {
  double total_s = 0;
  double compute_s = 0; ///< operators
  double waited_s = 0;  ///< for collectives
  /// Collectives, and waits for them, from its begin.
  std::vector<schedule::TraceEvent> events;
};

/// What a rank of a stage does with the time of a step.
struct StageTime {
  double compute_s = 0;
  double collectives_s = 0; ///< waiting for them
  double idle_s = 0;        ///< waiting for other stages
};

struct StepTime {
  double step_s = 0;
  /// Of train_step: the idle part of the time of all stages, 0 .. 1.
  double bubble = 0;
  std::vector<StageTime> stages;
  /// (phase, seconds until all stages have ended it), in their order.
  std::vector<std::pair<std::string, double>> phases;
};

/// Times of the programs of `family`, whose ranks run on `cluster`; `module` is
/// what they were emitted from.
class CostModel {
public:
  /// UserError as ratesFor.
  CostModel(mlir::ModuleOp module, const plan::PlanFamily &family,
            Cluster cluster);
  /// Without a cluster: a second is the average forward pass of a chunk (or,
  /// without a pipeline, a train_step), by FLOPs; all else takes no time.
  CostModel(mlir::ModuleOp module, const plan::PlanFamily &family);

  const ProgramTime &program(int64_t stage, const std::string &name) const;
  /// The schedule with its messages' times.
  schedule::PipelineSchedule scheduleOf(llvm::StringRef name) const;
  /// `schedule` as this says it.
  schedule::Timing timing(const schedule::PipelineSchedule &schedule) const;

  /// An optimizer step. One process per stage in `trace`, its first rank.
  StepTime step(int64_t microBatches,
                std::vector<schedule::TraceProcess> *trace = nullptr) const;

private:
  void timePrograms(mlir::ModuleOp module);
  double messageTime_s(const schedule::Channel &channel) const;

  const plan::PlanFamily &family;
  Cluster cluster;
  DeviceRates rates;
  std::vector<std::map<std::string, ProgramTime>> programs; ///< by stage
};

/// A collective's seconds once all members are there.
double collectiveTime_s(const plan::Plan &plan, const plan::Program &program,
                        const plan::Instruction &instruction, int64_t rank,
                        const Cluster &cluster);

} // namespace nxdt

#endif // NXDT_ANALYSIS_COST_H
