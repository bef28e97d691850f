//===- PlanRanks.h - all ranks of a plan in one process -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_SIMULATE_PLANRANKS_H
#define NXDT_RUNTIME_SIMULATE_PLANRANKS_H

#include "runtime/Comm/Loopback.h"
#include "runtime/Data/Dataset.h"
#include "runtime/Executor/Executor.h"
#include "runtime/Train/PlanFolder.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace nxdt::runtime {

/// Bytes that all ranks of all stages hold at once, activations included.
int64_t simulatedBytes(const plan::PlanFamily &family);

/// An executor for each rank of a plan's mesh, with the plan of its stage, in
/// lockstep: each function runs all of them, each in a thread of its own, and
/// returns when all are done. UserError if one fails; nothing can be run
/// afterwards.
class PlanRanks {
public:
  /// Called after each instruction of each rank, from the rank's thread.
  using Observer =
      std::function<void(int64_t rank, const plan::Program &program,
                         size_t index, const std::vector<at::Tensor> &values)>;

  explicit PlanRanks(PlanFolder folder);

  /// Of the first stage.
  const plan::Plan &plan() const { return executors[0]->plan(); }
  const plan::PlanFamily &family() const { return folder.family; }
  bool hasStages() const { return folder.family.stages.size() > 1; }
  int64_t stageOf(int64_t rank) const;
  const plan::Mesh &mesh() const { return executors[0]->mesh(); }
  const RunConfig &config() const { return folder.config; }
  int64_t size() const { return int64_t(executors.size()); }
  const Executor &rank(int64_t rank) const { return *executors[size_t(rank)]; }
  void observe(Observer given) { observer = std::move(given); }

  /// The weights that training would start from. Returns completed steps.
  int64_t load();
  /// The schedule of that name on stages that have one, else the program.
  void run(const std::string &program);
  /// Learning rate and number of the step after `step` completed ones.
  void setStep(int64_t step);
  /// First sample of a micro-batch.
  using FirstSample = std::function<int64_t(int64_t microBatch)>;
  /// train_step, or the schedule in its place, on micro-batches `begin` up to
  /// `end`, each rank on its rows. A schedule has all those of a step.
  void trainStep(const Dataset &data, const FirstSample &first, int64_t begin,
                 int64_t end);
  /// Samples of a micro-batch of all ranks.
  int64_t rowsOfAllRanks() const;
  /// val_loss of the first global batch, by rank; none without a validation
  /// set.
  std::optional<std::vector<double>> evaluate(int64_t stepsPerEpoch);

private:
  void onAll(const std::function<void(Executor &)> &work);
  int64_t load(Executor &executor) const;

  PlanFolder folder;
  std::unique_ptr<comm::LoopbackWorld> world;
  std::vector<std::unique_ptr<Executor>> executors;
  Observer observer;
};

} // namespace nxdt::runtime

#endif // NXDT_RUNTIME_SIMULATE_PLANRANKS_H
