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

/// Bytes that all ranks of a plan hold at once, activations included.
int64_t simulatedBytes(const plan::Plan &plan);

/// An executor for each rank of a plan's mesh, in lockstep: each function runs
/// all of them, each in a thread of its own, and returns when all are done.
/// UserError if one fails; nothing can be run afterwards.
class PlanRanks {
public:
  /// Called after each instruction of each rank, from the rank's thread.
  using Observer =
      std::function<void(int64_t rank, const plan::Program &program,
                         size_t index, const std::vector<at::Tensor> &values)>;

  explicit PlanRanks(PlanFolder folder);

  const plan::Plan &plan() const { return executors[0]->plan(); }
  const plan::Mesh &mesh() const { return executors[0]->mesh(); }
  const RunConfig &config() const { return folder.config; }
  int64_t size() const { return int64_t(executors.size()); }
  const Executor &rank(int64_t rank) const { return *executors[size_t(rank)]; }
  void observe(Observer given) { observer = std::move(given); }

  /// The weights that training would start from. Returns completed steps.
  int64_t load();
  void run(const std::string &program);
  /// Learning rate and number of the step after `step` completed ones.
  void setStep(int64_t step);
  /// Each rank's rows of the micro-batch that starts at sample `first`.
  void setInputs(const Dataset &data, int64_t first);
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
