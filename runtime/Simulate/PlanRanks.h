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
  /// What each rank runs, from the rank's thread. `program` is an index into
  /// the programs of the rank's plan.
  class Observer {
  public:
    virtual ~Observer() = default;
    /// Before the first instruction; the values of buffers and carries are
    /// there. Micro-batches as in trainStep, 0 for what runs once.
    virtual void begin(int64_t rank, size_t program, int64_t microBatch,
                       const std::vector<at::Tensor> &values) = 0;
    /// After each instruction.
    virtual void ran(int64_t rank, size_t index,
                     const std::vector<at::Tensor> &values) = 0;
    /// After the last one of what a call to `run` or one micro-batch of
    /// trainStep runs without a schedule.
    virtual void ended(int64_t rank) = 0;
  };

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
  /// Null for nobody; it must outlive what runs.
  void observe(Observer *given) { observer = given; }

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
  void runAlone(Executor &executor, const std::string &program);
  void onAll(const std::function<void(Executor &)> &work);
  int64_t load(Executor &executor) const;

  PlanFolder folder;
  std::unique_ptr<comm::LoopbackWorld> world;
  std::vector<std::unique_ptr<Executor>> executors;
  Observer *observer = nullptr;
  /// By rank: of a program without a schedule.
  std::vector<int64_t> microBatch;
};

} // namespace nxdt::runtime

#endif // NXDT_RUNTIME_SIMULATE_PLANRANKS_H
