//===- TrainFiles.cpp - what a run starts from and what it leaves -*- C++
//-*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "nxdt/Support/UserError.h"
#include "runtime/Checkpoint/CheckpointReader.h"
#include "runtime/Checkpoint/Files.h"
#include "runtime/Checkpoint/HuggingFace.h"
#include "runtime/Checkpoint/RankParts.h"
#include "runtime/Memory/Memory.h"
#include "runtime/Train/TrainLoop.h"

#include <algorithm>

namespace nxdt::runtime {

/// Parts that are cut as the file's are read from there.
FileUse::Load Trainer::loadOf(const std::string &layout) const {
  return layout == state.layout() ? FileUse::Load::Mapped
                                  : FileUse::Load::Resharded;
}

void Trainer::restore(CheckpointReader &reader) {
  int64_t gbs = config.data.globalBatchSize;
  const CheckpointData &data = reader.head();
  const std::string &path = reader.path();
  if (data.consumedSamples != data.step * gbs)
    throw UserError(
        path + ": has consumed " + std::to_string(data.consumedSamples) +
        " samples in " + std::to_string(data.step) +
        " steps, which is not data.global_batch_size = " + std::to_string(gbs) +
        " each; continue with the same global batch size, or take "
        "its weights only (model.weight_init_only)");
  state.loadAll(reader);
  files.load = loadOf(data.layout);
  step = data.step;
  monitored = data.metrics;
  continues = true;
  progress.message("continues " + path + " at step " + std::to_string(step));
  if (!data.layout.empty() && data.layout != state.layout())
    progress.message("note: it was written by " + data.mesh +
                     " and is cut anew for " + meshText(executor.mesh()) +
                     ": it continues with equal values, but not bit for bit "
                     "as there");
}

bool Trainer::resume() {
  const ExpManagerConfig &manager = config.expManager;
  if (!manager.resumeIfExists)
    return false;
  // One rank looks, so that all take the same.
  std::string latest;
  if (ranks.isFirst())
    if (auto tag = findLatest(manager.checkpoint.dirpath))
      latest = tag->path;
  latest = ranks.broadcast(latest, "the checkpoint to continue");
  if (!latest.empty()) {
    CheckpointReader reader(latest);
    restore(reader);
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
    files.load = FileUse::Load::Mapped;
    progress.message("starts from the weights in " + path);
    return;
  }
  if (!isTagFolder(path))
    throw UserError("exp_manager.resume_from_checkpoint = " + path +
                    ": is neither a Hugging Face folder (config.json and "
                    "safetensors) nor a checkpoint (a folder <tag>.ckpt)");
  CheckpointReader reader(path);
  if (!config.model.weightInitOnly) {
    restore(reader);
    return;
  }
  state.loadWeights(reader);
  files.load = loadOf(reader.head().layout);
  progress.message("starts from the weights in " + path);
}

void Trainer::measureLoading() {
  c10::Device device = executor.device();
  int64_t base = currentBytes(device);
  resetPeak(device);
  loadWeights();
  files.loadBytes = peakBytes(device) - base;
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

/// Files are touched only when nothing can be wrong with the inputs any more;
/// by the first rank.
void Trainer::openOutputs() {
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
  if (!config.expManager.checkpoint.enabled)
    return;
  checkpoints.emplace(config.expManager.checkpoint, config.name, step,
                      ranks.size() > 1 ? &peers : nullptr);
  for (const std::string &tag : checkpoints->strangers())
    progress.message("warning: " + tag +
                     " is of a later step and of another run: left alone");
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

/// The copies that a save makes are measured apart from training's memory.
void Trainer::save(bool atEnd) {
  c10::Device device = executor.device();
  peakBeforeSaves = highestBytes();
  int64_t base = currentBytes(device);
  resetPeak(device);
  writeTags(atEnd);
  peakOfSaves = std::max(peakOfSaves, peakBytes(device));
  files.saveBytes = std::max(files.saveBytes, peakBytes(device) - base);
  resetPeak(device);
}

/// All ranks write, the first one decides what.
void Trainer::writeTags(bool atEnd) {
  Ranks::Scope saving = ranks.phase(comm::Phase::Saving);
  CheckpointData data = checkpointData();
  if (!ranks.isFirst()) {
    peers.serve(data);
    return;
  }
  int64_t epoch = order.epochOfStep(step);
  std::vector<std::string> tags = atEnd ? checkpoints->saveAtEnd(data, epoch)
                                        : checkpoints->save(data, epoch);
  peers.end();
  tellSaved(tags);
}

} // namespace nxdt::runtime
