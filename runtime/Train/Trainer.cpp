//===- Trainer.cpp - the training loop -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "runtime/Train/Trainer.h"
#include "nxdt/Plan/Communication.h"
#include "nxdt/Plan/Family.h"
#include "nxdt/Plan/FileMemory.h"
#include "nxdt/Support/UserError.h"
#include "runtime/Executor/Device.h"
#include "runtime/Executor/Philox.h"
#include "runtime/Memory/Memory.h"
#include "runtime/Optim/LearningRate.h"
#include "runtime/Train/RunReport.h"
#include "runtime/Train/Threads.h"
#include "runtime/Train/TrainLoop.h"

#include "ATen/Context.h"
#include "ATen/core/Tensor.h"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace nxdt::runtime {
namespace {

/// "nan" and "inf" whatever the sign bit of a NaN is.
std::string shown(double value) {
  return std::isnan(value) ? "nan" : std::to_string(value);
}

using Clock = std::chrono::steady_clock;

double secondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

} // namespace

const std::string &Trainer::trainDir() const {
  if (config.data.trainDir.empty())
    throw UserError("data.train_dir is missing: a folder written by Hugging "
                    "Face datasets' save_to_disk");
  return config.data.trainDir;
}

SampleOrder Trainer::makeOrder() const {
  int64_t gbs = config.data.globalBatchSize;
  int64_t part = config.data.microBatchSize * config.strategy.dataParallelSize;
  if (gbs < 1 || gbs % part != 0)
    throw UserError("data.global_batch_size = " + std::to_string(gbs) +
                    " is not a multiple of micro_batch_size * dp = " +
                    std::to_string(part));
  dataset.checkGlobalBatch(gbs);
  return SampleOrder(dataset.size(), gbs);
}

/// Programs of a pipeline may have any name, if a schedule runs them.
static bool isScheduled(const plan::Plan &plan, const plan::Program &program) {
  return plan::runsOf(plan, program, plan::Stage::Step, 0) > 0 ||
         plan::runsOf(plan, program, plan::Stage::Evaluation, 0) > 0;
}

plan::Plan &Trainer::stageOf(PlanFolder &folder, comm::RankView *world) {
  int64_t stage = world ? plan::stageOf(world->mesh(), world->rank()) : 0;
  return folder.family.stages.at(size_t(stage));
}

void Trainer::checkPrograms() const {
  static constexpr const char *known[] = {
      "init",       "begin_step", "train_step",  "finish_step", "update_step",
      "begin_eval", "eval_step",  "finish_eval", "norm_params"};
  const plan::Plan &plan = executor.plan();
  for (const plan::Program &program : plan.programs)
    if (std::find(std::begin(known), std::end(known), program.name) ==
            std::end(known) &&
        !isScheduled(plan, program))
      throw UserError("the plan has a program '" + program.name +
                      "' that this nxdt-run does not know");
  auto require = [&](const char *name, bool isThere) {
    if (!isThere)
      throw UserError("the plan has no program '" + std::string(name) +
                      "': it cannot train");
  };
  for (const char *name : {"begin_step", "finish_step"})
    require(name, executor.has(name));
  for (const char *name : {"train_step", "update_step"})
    require(name, executor.has(name) || executor.hasSchedule(name));
  // Of a pipeline each stage has the inputs that it reads.
  if (!executor.hasSchedule("train_step"))
    for (const char *name : {"input_ids", "targets", "lr", "step"})
      executor.buffer(name);
  for (const char *name : {"loss", "token_count", "grad_norm"})
    executor.buffer(name);
  if (config.expManager.logParameterNorm && !executor.has("norm_params"))
    throw UserError("exp_manager.log_parameter_norm is set, but the plan has "
                    "no program 'norm_params'");
  if (config.expManager.checkpoint.enabled)
    state.requireStorable();
}

bool Trainer::isLast() const {
  const TrainerConfig &trainer = config.trainer;
  return (trainer.maxSteps >= 0 && step >= trainer.maxSteps) || stopSignal ||
         timeIsUp;
}

/// Signals and clocks differ from rank to rank: once a step all take the
/// largest of what they see, so that all do the same.
void Trainer::agree() {
  const TrainerConfig &trainer = config.trainer;
  bool isLate = trainer.maxTimeS > 0 && secondsSince(start) >= trainer.maxTimeS;
  bool isDue = checkpoints && checkpoints->due(step);
  std::vector<int64_t> all = ranks.max(
      {stop.pending(), isLate, isDue, std::max(highestBytes(), peakOfSaves)},
      "the end of a step");
  stopSignal = int(all[0]);
  timeIsUp = all[1];
  saveIsDue = all[2];
  peak = all[3];
}

/// In the middle of an evaluation.
bool Trainer::shouldStop() {
  stopSignal = int(ranks.max({stop.pending()}, "an evaluation")[0]);
  return stopSignal;
}

void Trainer::setInputs(int program, int64_t microBatch) {
  Clock::time_point begin = Clock::now();
  int64_t first = order.firstOfMicroBatch(step, microBatch, rows.ofAllRanks);
  inputs.fill(program,
              [&] { return dataset.batch(first + rows.first, rows.count); });
  // What draws random numbers (a module's dropout) draws by step, micro-batch
  // and rows, so that a resumed run draws the same, ranks with the same rows
  // draw the same, and those with others draw others; in a pipeline by program
  // too.
  std::string stream = "step " + std::to_string(step) + " micro-batch " +
                       std::to_string(microBatch);
  if (rows.first > 0)
    stream += " row " + std::to_string(rows.first);
  if (executor.hasSchedule("train_step"))
    stream += " " + executor.plan().programs[size_t(program)].name;
  at::manual_seed(streamOf(uint64_t(config.seed), stream));
  if (trace.recorder.isOn())
    trace.recorder.add("input", "input " + std::to_string(microBatch),
                       microBatch, begin);
}

/// Loss and norm are the same on all ranks.
void Trainer::checkStep(double loss, double gradNorm) {
  if (std::isfinite(loss) && std::isfinite(gradNorm))
    return;
  // A rank counts the targets that it has seen: none at all is 0 / 0.
  int64_t tokens = ranks.max({executor.buffer("token_count").item<int64_t>()},
                             "the number of targets")[0];
  std::string where = "step " + std::to_string(step + 1) + ": ";
  std::string kept = "; the weights were not updated, the last completed step "
                     "is " +
                     std::to_string(step);
  int64_t first = order.firstOfStep(step);
  std::string samples =
      "samples " + std::to_string(first) + " to " +
      std::to_string(first + config.data.globalBatchSize - 1) + " of " +
      dataset.path();
  if (tokens == 0)
    throw UserError(where + "the global batch (" + samples +
                    ") has no targets: all labels are masked" + kept);
  if (!std::isfinite(loss))
    throw UserError(where + "the loss is " + shown(loss) + " (" + samples +
                    ")" + kept);
  if (!std::isfinite(gradNorm))
    throw UserError(where + "the gradient norm is " + shown(gradNorm) +
                    " (loss " + shown(loss) + ", " + samples + ")" + kept);
}

void Trainer::trainStep() {
  Clock::time_point begin = Clock::now();
  StepMetrics metrics;
  ranks.setStep(step + 1);
  metrics.lr =
      learningRate(config.model.optim.lr, config.model.optim.sched, step);
  if (const at::Tensor *lr = executor.findBuffer("lr"))
    lr->fill_(metrics.lr);
  if (const at::Tensor *number = executor.findBuffer("step"))
    number->fill_(double(step + 1));
  traffic.begin();
  trace.begin(step + 1);
  executor.run("begin_step");
  if (executor.hasSchedule("train_step")) {
    executor.runSchedule("train_step", [this](int program, int64_t microBatch) {
      setInputs(program, microBatch);
    });
  } else {
    int trainStep = executor.find("train_step");
    for (int64_t i = 0; i < config.numMicroBatches(); ++i) {
      setInputs(trainStep, i);
      executor.run(trainStep, i);
    }
  }
  executor.run("finish_step");
  metrics.loss = executor.buffer("loss").item<double>();
  metrics.gradNorm = executor.buffer("grad_norm").item<double>();
  checkStep(metrics.loss, metrics.gradNorm);
  if (executor.hasSchedule("update_step"))
    executor.runSchedule("update_step");
  else
    executor.run("update_step");
  synchronize(executor.device());
  traffic.end();
  ++step;
  double stepTimeS = secondsSince(begin);
  trace.end(step, ranks.size() > 1
                      ? plan::stageOf(executor.mesh(), executor.rank())
                      : 0);

  metrics.step = step;
  metrics.consumedSamples = step * config.data.globalBatchSize;
  metrics.stepTimeS = stepTimeS;
  metrics.tokensPerS =
      double(config.data.globalBatchSize * executor.plan().sequenceLength) /
      metrics.stepTimeS;
  agree();
  metrics.peakMemoryBytes = peak;
  log(metrics);
}

void Trainer::log(const StepMetrics &given) {
  StepMetrics metrics = given;
  monitored["loss"] = monitored["reduced_train_loss"] = metrics.loss;
  monitored["grad_norm"] = monitored["gradient_norm"] = metrics.gradNorm;
  monitored["lr"] = metrics.lr;
  if (step % config.trainer.logEveryNSteps == 0 || isLast()) {
    if (config.expManager.logParameterNorm) {
      executor.run("norm_params");
      metrics.parameterNorm = executor.buffer("param_norm").item<double>();
    }
    if (metricsFile)
      metricsFile->logStep(metrics);
    if (tensorBoard)
      tensorBoard->logStep(metrics, config.data.globalBatchSize,
                           config.expManager.logGradientNorm);
  }
  progress.step(metrics);
}

void Trainer::evaluate() {
  std::optional<double> loss =
      evaluation.run(evaluation.batches(), [this] { return shouldStop(); });
  if (!loss)
    return;
  lastEvaluated = step;
  monitored["val_loss"] = *loss;
  if (metricsFile)
    metricsFile->logEval(step, *loss);
  if (tensorBoard)
    tensorBoard->logEval(step, *loss);
  progress.eval(step, *loss);
}

void Trainer::sanityCheck() {
  int64_t count =
      std::min(config.trainer.numSanityValSteps, evaluation.batches());
  if (config.trainer.numSanityValSteps < 0)
    count = evaluation.batches();
  bool isSkipped = continues && config.expManager.disableValidationOnResume;
  if (!evaluation.enabled() || count == 0 || isSkipped)
    return;
  if (auto loss = evaluation.run(count, [this] { return shouldStop(); }))
    progress.message("validation before the first step: loss " +
                     std::to_string(*loss) + " over " + std::to_string(count) +
                     (count == 1 ? " global batch" : " global batches"));
}

void Trainer::loop() {
  while (!isLast()) {
    trainStep();
    if (evaluation.due(step) && !stopSignal)
      evaluate();
    if (saveIsDue)
      save(/*atEnd=*/false);
  }
}

/// Since the first step, without saves.
int64_t Trainer::highestBytes() const {
  return std::max(peakBeforeSaves, peakBytes(executor.device()));
}

/// Of each stage its first rank's tables, with the highest peaks of its ranks.
void Trainer::tellUse(int64_t baseBytes) {
  size_t stages = family.stages.size();
  size_t stage = size_t(plan::stageOf(executor.mesh(), executor.rank()));
  const int64_t mine[] = {highestBytes() - baseBytes, files.loadBytes,
                          files.saveBytes};
  std::vector<int64_t> peaks(3 * stages, 0);
  std::copy(std::begin(mine), std::end(mine), peaks.begin() + 3 * stage);
  peaks = ranks.max(peaks, "the ranks' memory");
  const int64_t *highest = &peaks[3 * stage];
  FileUse use{files.load, highest[1], highest[2]};
  std::optional<plan::FileMemory> predicted =
      plan::fileMemoryOf(family, int64_t(stage));
  std::string name = stages > 1 ? "stage " + std::to_string(stage) : "";
  std::string table =
      memoryTable(executor, highest[0], name, predicted, use) + traffic.table();
  if (stages == 1) {
    std::fputs(table.c_str(), out);
    return;
  }
  std::vector<std::string> tables = ranks.gather(table, "the stages' tables");
  std::vector<bool> told(stages, false);
  for (size_t rank = 0; rank < tables.size(); ++rank) {
    size_t of = size_t(plan::stageOf(executor.mesh(), int64_t(rank)));
    if (!told[of])
      std::fputs(tables[rank].c_str(), out);
    told[of] = true;
  }
}

int Trainer::run(int threads) {
  checkPrograms();
  checkSchedule(config.model.optim.lr, config.model.optim.sched);
  progress.message(startLine(config, executor, threads, state.numParameters()));
  tellData();
  measureLoading();
  if (ranks.isFirst())
    openOutputs();
  loading.reset();
  agree();
  if (config.trainer.maxSteps >= 0 && step >= config.trainer.maxSteps)
    progress.message("nothing to do: " + std::to_string(step) +
                     " steps are done, trainer.max_steps is " +
                     std::to_string(config.trainer.maxSteps));
  else
    sanityCheck();

  int64_t baseBytes = currentBytes(executor.device());
  resetPeak(executor.device());
  int64_t firstStep = step;
  trace.plan(firstStep + 1, config.trainer.maxSteps);
  loop();
  if (trace.isMissing())
    progress.message("no trace in " + trace.asked().path +
                     ": the run has ended before its step " +
                     std::to_string(trace.asked().step));
  if (evaluation.enabled() && lastEvaluated != step && !stopSignal &&
      step > firstStep)
    evaluate();
  if (config.expManager.checkpoint.enabled && step > firstStep)
    save(/*atEnd=*/true);
  progress.finish();
  if (step > firstStep)
    tellUse(baseBytes);
  std::fflush(out);
  if (!stopSignal)
    return 0;
  if (ranks.isFirst())
    std::fprintf(stderr, "stopped by %s after step %lld\n",
                 StopSignal::nameOf(stopSignal).c_str(),
                 static_cast<long long>(step));
  return 128 + stopSignal;
}

namespace {

/// Where ranks other than the first tell how it goes.
struct Nowhere {
  std::FILE *file = std::fopen("/dev/null", "w");
  ~Nowhere() {
    if (file)
      std::fclose(file);
  }
};

} // namespace

int train(PlanFolder folder, std::FILE *out, TrainWorld world,
          TraceRequest trace) {
  installCountingAllocator();
  int threads = setThreads(world.localRanks);
  // Fixed orders of summation where libtorch has a choice.
  at::globalContext().setDeterministicAlgorithms(true, /*warn_only=*/true);
  at::globalContext().setDeterministicFillUninitializedMemory(false);
  Nowhere nowhere;
  bool isFirst = !world.view || world.view->rank() == 0;
  if (!isFirst && nowhere.file)
    out = nowhere.file;
  Trainer trainer(folder, out, world.view, std::move(trace));
  // Of a pipeline, the plans of all other stages.
  folder.family = {};
  folder.planText.clear();
  return trainer.run(threads);
}

} // namespace nxdt::runtime
