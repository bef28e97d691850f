//===- TrainLoop.h - the state of a run -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Inside of Trainer.h: the loop is in Trainer.cpp, what a run starts from and
// what it leaves on disk in TrainFiles.cpp.
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_TRAIN_TRAINLOOP_H
#define NXDT_RUNTIME_TRAIN_TRAINLOOP_H

#include "nxdt/Plan/Family.h"
#include "runtime/Checkpoint/CheckpointManager.h"
#include "runtime/Data/Dataset.h"
#include "runtime/Data/SampleOrder.h"
#include "runtime/Executor/Executor.h"
#include "runtime/Log/Progress.h"
#include "runtime/Log/TensorBoardWriter.h"
#include "runtime/Train/DataRows.h"
#include "runtime/Train/Evaluation.h"
#include "runtime/Train/Inputs.h"
#include "runtime/Train/ModelState.h"
#include "runtime/Train/PlanFolder.h"
#include "runtime/Train/Ranks.h"
#include "runtime/Train/RunReport.h"
#include "runtime/Train/StepTrace.h"
#include "runtime/Train/StepTraffic.h"
#include "runtime/Train/StopSignal.h"

#include <chrono>
#include <cstdio>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace nxdt::runtime {

class Trainer {
public:
  Trainer(PlanFolder &folder, std::FILE *out, comm::RankView *world,
          TraceRequest request = {})
      : config(folder.config), out(out), ranks(world), peers(ranks),
        loading(std::in_place, world, comm::Phase::Loading),
        family(plan::buffersOf(folder.family)),
        trace(std::move(request), ranks),
        executor(std::move(stageOf(folder, world)),
                 {.what = folder.planPath,
                  .world = world,
                  .recorder = &trace.recorder}),
        traffic(executor.plan(), config.numMicroBatches(), world),
        rows(executor), inputs(executor), state(executor, family),
        dataset(Dataset::open(trainDir(), executor.plan().sequenceLength,
                              executor.plan().vocabSize, "data.train_dir")),
        order(makeOrder()),
        evaluation(config, executor, ranks, order.stepsPerEpoch()),
        progress(out, config.trainer.maxSteps,
                 config.trainer.enableProgressBar) {}

  int run(int threads);

private:
  static plan::Plan &stageOf(PlanFolder &folder, comm::RankView *world);
  void checkPrograms() const;
  const std::string &trainDir() const;
  SampleOrder makeOrder() const;

  void loadWeights();
  bool resume();
  void startFrom(const std::string &path);
  void restore(CheckpointReader &reader);
  FileUse::Load loadOf(const std::string &layout) const;
  void tellData();

  void openOutputs();
  void loop();
  void agree();
  bool shouldStop();
  void save(bool atEnd);
  void writeTags(bool atEnd);
  void trainStep();
  void setInputs(int program, int64_t microBatch);
  void tellUse(int64_t baseBytes);
  int64_t highestBytes() const;
  void measureLoading();
  void checkStep(double loss, double gradNorm);
  bool isLast() const;
  void log(const StepMetrics &metrics);
  void evaluate();
  void sanityCheck();
  CheckpointData checkpointData();
  void tellSaved(const std::vector<std::string> &tags);

  const RunConfig &config;
  std::FILE *out;
  Ranks ranks;
  RankPeers peers;
  std::optional<Ranks::Scope> loading; ///< until the first step
  plan::PlanFamily family;             ///< the buffers of all stages
  StepTrace trace;
  Executor executor;
  StepTraffic traffic;
  DataRows rows;
  Inputs inputs;
  ModelState state;
  Dataset dataset;
  SampleOrder order;
  Evaluation evaluation;
  Progress progress;
  StopSignal stop;
  std::optional<MetricsWriter> metricsFile;
  std::optional<TensorBoardWriter> tensorBoard;
  std::optional<CheckpointManager> checkpoints;

  int64_t step = 0;           ///< completed optimizer steps
  int64_t lastEvaluated = -1; ///< step of the newest val_loss
  bool continues = false;     ///< goes on from a checkpoint
  // Of all ranks together, see agree().
  int stopSignal = 0;
  bool timeIsUp = false;
  bool saveIsDue = false;
  int64_t peak = 0; ///< bytes
  /// Of this rank alone, what loading and saving took beside what lived before.
  FileUse files;
  // Of this rank, in bytes; see save().
  int64_t peakBeforeSaves = 0;
  int64_t peakOfSaves = 0;
  std::chrono::steady_clock::time_point start =
      std::chrono::steady_clock::now();
  /// Last values of what a checkpoint can be ranked by.
  std::map<std::string, double> monitored;
};

} // namespace nxdt::runtime

#endif // NXDT_RUNTIME_TRAIN_TRAINLOOP_H
