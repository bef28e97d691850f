//===- Evaluation.cpp - the validation loss -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "runtime/Train/Evaluation.h"
#include "nxdt/Support/UserError.h"
#include "runtime/Data/SampleOrder.h"

#include "ATen/core/Tensor.h"

#include <algorithm>

namespace nxdt::runtime {

Evaluation::Evaluation(const RunConfig &config, Executor &executor,
                       int64_t stepsPerEpoch)
    : executor(executor), rows(executor), inputs(executor),
      microBatches(config.numMicroBatches()) {
  const TrainerConfig &trainer = config.trainer;
  bool isOff = trainer.limitValBatches == 0 && trainer.limitValFraction == 0.0;
  if (config.data.valDir.empty() || isOff)
    return;
  bool hasStep = executor.has("eval_step") || executor.hasSchedule("eval_step");
  if (!hasStep || !executor.has("begin_eval") || !executor.has("finish_eval"))
    throw UserError("data.val_dir is given, but the plan has no eval_step; "
                    "trainer.limit_val_batches=0 switches evaluation off");
  dataset = Dataset::open(config.data.valDir, executor.plan().sequenceLength,
                          executor.plan().vocabSize, "data.val_dir");
  numBatches =
      evalBatchCount(dataset->size(), config.data.globalBatchSize,
                     trainer.limitValBatches, trainer.limitValFraction);
  interval = trainer.valCheckInterval;
  if (trainer.valCheckEpochFraction > 0.0)
    interval = std::max<int64_t>(
        1, int64_t(double(stepsPerEpoch) * trainer.valCheckEpochFraction));
  if (trainer.valCheckRestartsPerEpoch || trainer.valCheckEpochFraction > 0.0)
    period = stepsPerEpoch;
  if (interval > 0 && period > 0 && interval > period)
    throw UserError(
        "trainer.val_check_interval = " + std::to_string(interval) +
        " is more than the " + std::to_string(period) +
        " global batches of an epoch: take at most " + std::to_string(period) +
        ", or set trainer.check_val_every_n_epoch=null to count across epochs");
}

bool Evaluation::due(int64_t step) const {
  if (!enabled() || interval <= 0 || step <= 0)
    return false;
  int64_t count = period > 0 ? (step - 1) % period + 1 : step;
  return count % interval == 0;
}

void Evaluation::fill(int program, int64_t first) {
  inputs.fill(program, [&] {
    return dataset->evalBatch(first + rows.first, rows.count);
  });
}

bool Evaluation::runPrograms(int64_t batches,
                             const std::function<bool()> &shouldStop) {
  int evalStep = executor.find("eval_step");
  for (int64_t i = 0; i < batches * microBatches; ++i) {
    int64_t first = i * rows.ofAllRanks;
    // A micro-batch of filling alone adds nothing.
    if (first >= dataset->size())
      break;
    if (shouldStop())
      return false;
    fill(evalStep, first);
    executor.run(evalStep);
  }
  return true;
}

/// A schedule has all micro-batches of a global batch, filling or not.
bool Evaluation::runSchedules(int64_t batches,
                              const std::function<bool()> &shouldStop) {
  for (int64_t batch = 0; batch < batches; ++batch) {
    if (shouldStop())
      return false;
    executor.runSchedule("eval_step", [&](int program, int64_t microBatch) {
      fill(program, (batch * microBatches + microBatch) * rows.ofAllRanks);
    });
  }
  return true;
}

std::optional<double> Evaluation::run(int64_t batches,
                                      const std::function<bool()> &shouldStop) {
  executor.run("begin_eval");
  int64_t count = std::min(batches, numBatches);
  bool isWhole = executor.hasSchedule("eval_step")
                     ? runSchedules(count, shouldStop)
                     : runPrograms(count, shouldStop);
  if (!isWhole)
    return std::nullopt;
  executor.run("finish_eval");
  int64_t tokens = executor.buffer("val_token_count").item<int64_t>();
  if (tokens == 0)
    throw UserError(dataset->path() + ": the " + std::to_string(count) +
                    " global batches of the evaluation have no targets: all "
                    "labels are masked");
  return executor.buffer("val_loss").item<double>();
}

} // namespace nxdt::runtime
