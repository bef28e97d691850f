//===- PlanRanks.cpp - all ranks of a plan in one process -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "runtime/Simulate/PlanRanks.h"
#include "nxdt/Plan/PlanVerify.h"
#include "nxdt/Support/UserError.h"
#include "runtime/Checkpoint/HuggingFace.h"
#include "runtime/Comm/Failure.h"
#include "runtime/Executor/Collectives.h"
#include "runtime/Optim/LearningRate.h"
#include "runtime/Train/DataRows.h"
#include "runtime/Train/Evaluation.h"
#include "runtime/Train/ModelState.h"

#include "ATen/Parallel.h"

namespace nxdt::runtime {

int64_t simulatedBytes(const plan::Plan &plan) {
  plan::MemoryReport bytes = plan::bufferBytes(plan);
  int64_t ofOne = bytes.paramBytes + bytes.masterBytes + bytes.gradBytes +
                  bytes.optStateBytes + bytes.otherBytes +
                  plan.memory.peakActivationBytes;
  return plan::meshOf(plan).size() * ofOne;
}

PlanRanks::PlanRanks(PlanFolder given) : folder(std::move(given)) {
  world = std::make_unique<comm::LoopbackWorld>(plan::meshOf(folder.plan()),
                                                groupSpecs(folder.plan()));
  for (int64_t r = 0; r < world->size(); ++r) {
    ExecutorOptions options;
    options.what = folder.planPath;
    options.world = &world->rank(r);
    options.observer = [this, r](const plan::Program &program, size_t index,
                                 const std::vector<at::Tensor> &values) {
      if (observer)
        observer(r, program, index, values);
    };
    executors.push_back(std::make_unique<Executor>(folder.plan(), options));
  }
}

void PlanRanks::onAll(const std::function<void(Executor &)> &work) {
  try {
    world->run([&](comm::RankView &view) {
      // A new thread has OpenMP's default. Ranks share the cores, and replicas
      // must split their sums alike.
      at::set_num_threads(1);
      work(*executors[size_t(view.rank())]);
    });
  } catch (const comm::CommError &e) {
    throw UserError(folder.planPath + ": " + e.what());
  }
}

void PlanRanks::run(const std::string &program) {
  onAll([&](Executor &executor) { executor.run(program); });
}

int64_t PlanRanks::load(Executor &executor) const {
  if (executor.has("init"))
    executor.run("init");
  ModelState state(executor);
  const std::string &from = config().expManager.resumeFromCheckpoint;
  if (from.empty()) {
    state.initialize(config().seed);
    return 0;
  }
  if (isHuggingFaceFolder(from)) {
    state.initialize(config().seed); // optimizer state
    state.loadHuggingFace(from);
    return 0;
  }
  CheckpointReader reader(from);
  if (config().model.weightInitOnly) {
    state.initialize(config().seed);
    state.loadWeights(reader);
    return 0;
  }
  state.loadAll(reader);
  return reader.head().step;
}

int64_t PlanRanks::load() {
  std::vector<int64_t> steps(executors.size());
  onAll([&](Executor &executor) {
    steps[size_t(executor.rank())] = load(executor);
  });
  return steps[0];
}

void PlanRanks::setStep(int64_t step) {
  double lr =
      learningRate(config().model.optim.lr, config().model.optim.sched, step);
  for (auto &executor : executors) {
    executor->buffer("lr").fill_(lr);
    executor->buffer("step").fill_(double(step + 1));
  }
}

void PlanRanks::setInputs(const Dataset &data, int64_t first) {
  for (auto &executor : executors) {
    DataRows rows(*executor);
    Batch batch = data.batch(first + rows.first, rows.count);
    executor->buffer("input_ids").copy_(batch.inputIds);
    executor->buffer("targets").copy_(batch.targets);
  }
}

int64_t PlanRanks::rowsOfAllRanks() const {
  return DataRows(*executors[0]).ofAllRanks;
}

std::optional<std::vector<double>> PlanRanks::evaluate(int64_t stepsPerEpoch) {
  std::vector<std::optional<double>> losses(executors.size());
  onAll([&](Executor &executor) {
    Evaluation evaluation(config(), executor, stepsPerEpoch);
    if (evaluation.enabled())
      losses[size_t(executor.rank())] = evaluation.run(1, [] { return false; });
  });
  if (!losses[0])
    return std::nullopt;
  std::vector<double> out;
  for (const std::optional<double> &loss : losses)
    out.push_back(*loss);
  return out;
}

} // namespace nxdt::runtime
