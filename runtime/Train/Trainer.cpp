//===- Trainer.cpp - the training loop -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "runtime/Train/Trainer.h"
#include "nxdt/Support/Format.h"
#include "nxdt/Support/UserError.h"
#include "runtime/Checkpoint/CheckpointManager.h"
#include "runtime/Checkpoint/Files.h"
#include "runtime/Checkpoint/HuggingFace.h"
#include "runtime/Data/Dataset.h"
#include "runtime/Data/SampleOrder.h"
#include "runtime/Executor/Device.h"
#include "runtime/Executor/Executor.h"
#include "runtime/Executor/Philox.h"
#include "runtime/Log/Progress.h"
#include "runtime/Log/TensorBoardWriter.h"
#include "runtime/Memory/Memory.h"
#include "runtime/Optim/LearningRate.h"
#include "runtime/Train/Evaluation.h"
#include "runtime/Train/ModelState.h"
#include "runtime/Train/RunReport.h"
#include "runtime/Train/StopSignal.h"
#include "runtime/Train/Threads.h"

#include "ATen/Context.h"
#include "ATen/core/Tensor.h"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace nxdt::runtime {
namespace {

using Clock = std::chrono::steady_clock;

/// "nan" and "inf" whatever the sign bit of a NaN is.
std::string shown(double value) {
  return std::isnan(value) ? "nan" : std::to_string(value);
}

double secondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

class Trainer {
public:
  Trainer(PlanFolder &folder, std::FILE *out)
      : config(folder.config), out(out),
        executor(std::move(folder.plan), {folder.planPath}), state(executor),
        dataset(Dataset::open(trainDir(), executor.plan().sequenceLength,
                              executor.plan().vocabSize, "data.train_dir")),
        order(makeOrder()), evaluation(config, executor, order.stepsPerEpoch()),
        progress(out, config.trainer.maxSteps,
                 config.trainer.enableProgressBar) {}

  int run(int threads);

private:
  void checkPrograms() const;
  const std::string &trainDir() const;
  SampleOrder makeOrder() const;

  void loadWeights();
  bool resume();
  void startFrom(const std::string &path);
  void restore(const CheckpointData &data, const std::string &path);
  void tellData();

  void loop();
  void trainStep();
  void setInputs(int64_t microBatch);
  void checkStep(double loss, double gradNorm, int64_t tokens) const;
  bool isLast() const;
  void log(const StepMetrics &metrics);
  void evaluate();
  void sanityCheck();
  CheckpointData checkpointData();
  void tellSaved(const std::vector<std::string> &tags);

  const RunConfig &config;
  std::FILE *out;
  Executor executor;
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
  Clock::time_point start = Clock::now();
  /// Last values of what a checkpoint can be ranked by.
  std::map<std::string, double> monitored;
};

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

void Trainer::checkPrograms() const {
  static constexpr const char *known[] = {
      "init",       "begin_step", "train_step",  "finish_step", "update_step",
      "begin_eval", "eval_step",  "finish_eval", "norm_params"};
  for (const plan::Program &program : executor.plan().programs)
    if (std::find(std::begin(known), std::end(known), program.name) ==
        std::end(known))
      throw UserError("the plan has a program '" + program.name +
                      "' that this nxdt-run does not know");
  for (const char *name :
       {"begin_step", "train_step", "finish_step", "update_step"})
    if (!executor.has(name))
      throw UserError("the plan has no program '" + std::string(name) +
                      "': it cannot train");
  for (const char *name : {"input_ids", "targets", "lr", "step", "loss",
                           "token_count", "grad_norm"})
    executor.buffer(name);
  if (config.expManager.logParameterNorm && !executor.has("norm_params"))
    throw UserError("exp_manager.log_parameter_norm is set, but the plan has "
                    "no program 'norm_params'");
}

void Trainer::restore(const CheckpointData &data, const std::string &path) {
  int64_t gbs = config.data.globalBatchSize;
  if (data.consumedSamples != data.step * gbs)
    throw UserError(
        path + ": has consumed " + std::to_string(data.consumedSamples) +
        " samples in " + std::to_string(data.step) +
        " steps, which is not data.global_batch_size = " + std::to_string(gbs) +
        " each; continue with the same global batch size, or take "
        "its weights only (model.weight_init_only)");
  state.loadAll(data, path);
  step = data.step;
  monitored = data.metrics;
  continues = true;
  progress.message("continues " + path + " at step " + std::to_string(step));
}

bool Trainer::resume() {
  const ExpManagerConfig &manager = config.expManager;
  if (!manager.resumeIfExists)
    return false;
  if (auto latest = findLatest(manager.checkpoint.dirpath)) {
    restore(loadCheckpoint(latest->path), latest->path);
    return true;
  }
  if (!manager.resumeIgnoreNoCheckpoint && manager.resumeFromCheckpoint.empty())
    throw UserError(
        "exp_manager.resume_if_exists is set, but " +
        manager.checkpoint.dirpath +
        " has no complete checkpoint; exp_manager.resume_ignore_no_checkpoint="
        "True starts from scratch then");
  return false;
}

void Trainer::startFrom(const std::string &path) {
  if (isHuggingFaceFolder(path)) {
    state.loadHuggingFace(path);
    progress.message("starts from the weights in " + path);
    return;
  }
  if (!isTagFolder(path))
    throw UserError("exp_manager.resume_from_checkpoint = " + path +
                    ": is neither a Hugging Face folder (config.json and "
                    "safetensors) nor a checkpoint (a folder <tag>.ckpt)");
  CheckpointData data = loadCheckpoint(path);
  if (!config.model.weightInitOnly) {
    restore(data, path);
    return;
  }
  state.loadWeights(data, path);
  progress.message("starts from the weights in " + path);
}

void Trainer::loadWeights() {
  if (executor.has("init"))
    executor.run("init");
  if (resume())
    return;
  if (!config.expManager.resumeFromCheckpoint.empty()) {
    startFrom(config.expManager.resumeFromCheckpoint);
  } else {
    state.initialize(config.seed);
    progress.message("starts from weights drawn with seed = " +
                     std::to_string(config.seed));
  }
}

void Trainer::tellData() {
  auto tell = [&](const Dataset &set) {
    if (set.unusedColumns().empty())
      return;
    std::string columns;
    for (const std::string &column : set.unusedColumns())
      columns += (columns.empty() ? "" : ", ") + column;
    progress.message("note: " + set.path() + ": columns not used: " + columns);
  };
  tell(dataset);
  if (evaluation.data())
    tell(*evaluation.data());
}

bool Trainer::isLast() const {
  const TrainerConfig &trainer = config.trainer;
  return (trainer.maxSteps >= 0 && step >= trainer.maxSteps) ||
         stop.pending() ||
         (trainer.maxTimeS > 0 && secondsSince(start) >= trainer.maxTimeS);
}

void Trainer::setInputs(int64_t microBatch) {
  int64_t first =
      order.firstOfMicroBatch(step, microBatch, config.data.microBatchSize);
  Batch batch = dataset.batch(first, config.data.microBatchSize);
  executor.buffer("input_ids").copy_(batch.inputIds);
  executor.buffer("targets").copy_(batch.targets);
  // What draws random numbers (a module's dropout) draws by step and
  // micro-batch, so that a resumed run draws the same.
  at::manual_seed(streamOf(uint64_t(config.seed),
                           "step " + std::to_string(step) + " micro-batch " +
                               std::to_string(microBatch)));
}

void Trainer::checkStep(double loss, double gradNorm, int64_t tokens) const {
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
  metrics.lr =
      learningRate(config.model.optim.lr, config.model.optim.sched, step);
  executor.buffer("lr").fill_(metrics.lr);
  executor.buffer("step").fill_(double(step + 1));
  executor.run("begin_step");
  int trainStep = executor.find("train_step");
  for (int64_t i = 0; i < config.numMicroBatches(); ++i) {
    setInputs(i);
    executor.run(trainStep);
  }
  executor.run("finish_step");
  metrics.loss = executor.buffer("loss").item<double>();
  metrics.gradNorm = executor.buffer("grad_norm").item<double>();
  checkStep(metrics.loss, metrics.gradNorm,
            executor.buffer("token_count").item<int64_t>());
  executor.run("update_step");
  synchronize(executor.device());
  ++step;

  metrics.step = step;
  metrics.consumedSamples = step * config.data.globalBatchSize;
  metrics.stepTimeS = secondsSince(begin);
  metrics.tokensPerS =
      double(config.data.globalBatchSize * executor.plan().sequenceLength) /
      metrics.stepTimeS;
  metrics.peakMemoryBytes = peakBytes(executor.device());
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
    metricsFile->logStep(metrics);
    if (tensorBoard)
      tensorBoard->logStep(metrics, config.data.globalBatchSize,
                           config.expManager.logGradientNorm);
  }
  progress.step(metrics);
}

void Trainer::evaluate() {
  std::optional<double> loss = evaluation.run(evaluation.batches(), stop);
  if (!loss)
    return;
  lastEvaluated = step;
  monitored["val_loss"] = *loss;
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
  if (auto loss = evaluation.run(count, stop))
    progress.message("validation before the first step: loss " +
                     std::to_string(*loss) + " over " + std::to_string(count) +
                     (count == 1 ? " global batch" : " global batches"));
}

CheckpointData Trainer::checkpointData() {
  CheckpointData data;
  data.step = step;
  data.consumedSamples = step * config.data.globalBatchSize;
  data.seed = config.seed;
  data.configJson = config.resolvedJson;
  data.hfConfigJson = config.model.hfConfigJson;
  data.metrics = monitored;
  state.store(data);
  return data;
}

void Trainer::tellSaved(const std::vector<std::string> &tags) {
  for (const std::string &warning : checkpoints->takeWarnings())
    progress.message("warning: " + warning);
  for (const std::string &tag : tags)
    progress.message("saved " + tag);
}

void Trainer::loop() {
  while (!isLast()) {
    trainStep();
    if (evaluation.due(step) && !stop.pending())
      evaluate();
    if (checkpoints && checkpoints->due(step))
      tellSaved(checkpoints->save(checkpointData(), order.epochOfStep(step)));
  }
}

int Trainer::run(int threads) {
  checkPrograms();
  checkSchedule(config.model.optim.lr, config.model.optim.sched);
  progress.message(startLine(config, executor, threads, state.numParameters()));
  tellData();
  loadWeights();
  // Files are touched only now that nothing can be wrong with the inputs.
  makeFolders(config.expManager.logDir);
  metricsFile.emplace(config.expManager.logDir,
                      config.expManager.resumeIfExists
                          ? std::optional<int64_t>(step)
                          : std::nullopt);
  if (!metricsFile->movedTo().empty())
    progress.message("note: the metrics of an earlier run are now in " +
                     metricsFile->movedTo());
  if (config.expManager.createTensorboardLogger)
    tensorBoard.emplace(config.expManager.logDir, step);
  if (config.expManager.checkpoint.enabled) {
    checkpoints.emplace(config.expManager.checkpoint, config.name, step);
    for (const std::string &tag : checkpoints->strangers())
      progress.message("warning: " + tag +
                       " is of a later step and of another run: left alone");
  }
  if (config.trainer.maxSteps >= 0 && step >= config.trainer.maxSteps)
    progress.message("nothing to do: " + std::to_string(step) +
                     " steps are done, trainer.max_steps is " +
                     std::to_string(config.trainer.maxSteps));
  else
    sanityCheck();

  int64_t baseBytes = currentBytes(executor.device());
  resetPeak(executor.device());
  int64_t firstStep = step;
  loop();
  if (evaluation.enabled() && lastEvaluated != step && !stop.pending() &&
      step > firstStep)
    evaluate();
  if (checkpoints && step > firstStep)
    tellSaved(
        checkpoints->saveAtEnd(checkpointData(), order.epochOfStep(step)));
  progress.finish();
  if (step > firstStep)
    std::fputs(
        memoryTable(executor, peakBytes(executor.device()), baseBytes).c_str(),
        out);
  std::fflush(out);
  if (!stop.pending())
    return 0;
  std::fprintf(stderr, "stopped by %s after step %lld\n",
               StopSignal::nameOf(stop.pending()).c_str(),
               static_cast<long long>(step));
  return 128 + stop.pending();
}

} // namespace

int train(PlanFolder folder, std::FILE *out) {
  installCountingAllocator();
  int threads = setThreads();
  // Fixed orders of summation where libtorch has a choice.
  at::globalContext().setDeterministicAlgorithms(true, /*warn_only=*/true);
  at::globalContext().setDeterministicFillUninitializedMemory(false);
  return Trainer(folder, out).run(threads);
}

} // namespace nxdt::runtime
