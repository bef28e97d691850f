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
    : executor(executor), rows(executor),
      microBatches(config.numMicroBatches()) {
  const TrainerConfig &trainer = config.trainer;
  bool isOff = trainer.limitValBatches == 0 && trainer.limitValFraction == 0.0;
  if (config.data.valDir.empty() || isOff)
    return;
  if (!executor.has("eval_step") || !executor.has("begin_eval") ||
      !executor.has("finish_eval"))
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

std::optional<double> Evaluation::run(int64_t batches,
                                      const std::function<bool()> &shouldStop) {
  const at::Tensor &inputIds = executor.buffer("input_ids");
  const at::Tensor &targets = executor.buffer("targets");
  int evalStep = executor.find("eval_step");
  executor.run("begin_eval");
  int64_t count = std::min(batches, numBatches) * microBatches;
  for (int64_t i = 0; i < count; ++i) {
    int64_t first = i * rows.ofAllRanks;
    // A micro-batch of filling alone adds nothing.
    if (first >= dataset->size())
      break;
    if (shouldStop())
      return std::nullopt;
    Batch batch = dataset->evalBatch(first + rows.first, rows.count);
    inputIds.copy_(batch.inputIds);
    targets.copy_(batch.targets);
    executor.run(evalStep);
  }
  executor.run("finish_eval");
  int64_t tokens = executor.buffer("val_token_count").item<int64_t>();
  if (tokens == 0)
    throw UserError(dataset->path() + ": the " +
                    std::to_string(std::min(batches, numBatches)) +
                    " global batches of the evaluation have no targets: all "
                    "labels are masked");
  return executor.buffer("val_loss").item<double>();
}

} // namespace nxdt::runtime
