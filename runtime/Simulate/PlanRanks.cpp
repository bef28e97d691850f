//===- PlanRanks.cpp - all ranks of a plan in one process -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "runtime/Simulate/PlanRanks.h"
#include "nxdt/Plan/Family.h"
#include "nxdt/Plan/PlanVerify.h"
#include "nxdt/Support/UserError.h"
#include "runtime/Checkpoint/HuggingFace.h"
#include "runtime/Comm/Failure.h"
#include "runtime/Executor/Collectives.h"
#include "runtime/Optim/LearningRate.h"
#include "runtime/Train/DataRows.h"
#include "runtime/Train/Evaluation.h"
#include "runtime/Train/Inputs.h"
#include "runtime/Train/ModelState.h"

#include "ATen/Parallel.h"

namespace nxdt::runtime {

int64_t simulatedBytes(const plan::PlanFamily &family) {
  int64_t ofOnePerStage = 0;
  for (const plan::Plan &plan : family.stages) {
    plan::MemoryReport bytes = plan::bufferBytes(plan);
    ofOnePerStage += bytes.paramBytes + bytes.masterBytes + bytes.gradBytes +
                     bytes.optStateBytes + bytes.otherBytes +
                     plan.memory.peakActivationBytes;
  }
  int64_t ranks = plan::meshOf(family.stages.at(0)).size();
  return ranks / int64_t(family.stages.size()) * ofOnePerStage;
}

PlanRanks::PlanRanks(PlanFolder given) : folder(std::move(given)) {
  plan::Mesh mesh = plan::meshOf(folder.plan());
  world = std::make_unique<comm::LoopbackWorld>(mesh, groupSpecs(folder.family),
                                                comm::CommOptions(),
                                                channelSpecs(folder.family));
  microBatch.resize(size_t(world->size()), 0);
  for (int64_t r = 0; r < world->size(); ++r) {
    ExecutorOptions options;
    options.what = folder.planPath;
    options.world = &world->rank(r);
    options.beginObserver = [this, r](const plan::Program &program,
                                      int64_t ofSchedule,
                                      const std::vector<at::Tensor> &values) {
      if (observer)
        observer->begin(r, size_t(&program - rank(r).plan().programs.data()),
                        ofSchedule + microBatch[size_t(r)], values);
    };
    options.observer = [this, r](const plan::Program &, size_t index,
                                 const std::vector<at::Tensor> &values) {
      if (observer)
        observer->ran(r, index, values);
    };
    executors.push_back(std::make_unique<Executor>(
        folder.family.stages.at(size_t(plan::stageOf(mesh, r))), options));
  }
}

int64_t PlanRanks::stageOf(int64_t rank) const {
  return plan::stageOf(mesh(), rank);
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

void PlanRanks::runAlone(Executor &executor, const std::string &program) {
  executor.run(program);
  if (observer)
    observer->ended(executor.rank());
}

void PlanRanks::run(const std::string &program) {
  onAll([&](Executor &executor) {
    if (executor.hasSchedule(program))
      executor.runSchedule(program);
    else
      runAlone(executor, program);
  });
}

int64_t PlanRanks::load(Executor &executor) const {
  if (executor.has("init"))
    executor.run("init");
  ModelState state(executor, folder.family);
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
    // Of a pipeline each stage has the inputs that it reads.
    if (const at::Tensor *rate = executor->findBuffer("lr"))
      rate->fill_(lr);
    if (const at::Tensor *number = executor->findBuffer("step"))
      number->fill_(double(step + 1));
  }
}

void PlanRanks::trainStep(const Dataset &data, const FirstSample &first,
                          int64_t begin, int64_t end) {
  onAll([&](Executor &executor) {
    DataRows rows(executor);
    Inputs inputs(executor);
    auto fill = [&](int program, int64_t microBatch) {
      inputs.fill(program, [&] {
        return data.batch(first(microBatch) + rows.first, rows.count);
      });
    };
    if (executor.hasSchedule("train_step")) {
      executor.runSchedule("train_step", fill);
      return;
    }
    int program = executor.find("train_step");
    int64_t &current = microBatch[size_t(executor.rank())];
    for (int64_t i = begin; i < end; ++i) {
      fill(program, i);
      current = i;
      runAlone(executor, "train_step");
    }
    current = 0;
  });
}

int64_t PlanRanks::rowsOfAllRanks() const {
  return DataRows(*executors[0]).ofAllRanks;
}

std::optional<std::vector<double>> PlanRanks::evaluate(int64_t stepsPerEpoch) {
  std::vector<std::optional<double>> losses(executors.size());
  onAll([&](Executor &executor) {
    Ranks ranks(&world->rank(executor.rank()));
    Evaluation evaluation(config(), executor, ranks, stepsPerEpoch);
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
