//===- CheckpointManager.cpp - which checkpoints are kept -----------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Checkpoint/CheckpointManager.h"

#include "runtime/Checkpoint/TagFiles.h"

#include <algorithm>
#include <cmath>

namespace nxdt::runtime {

CheckpointManager::CheckpointManager(const CheckpointConfig &checkpointConfig,
                                     const std::string &runName,
                                     int64_t startStep, SavePeers *peers)
    : config(checkpointConfig), peers(peers), lastSavedStep(startStep),
      lastSaveTime(std::chrono::steady_clock::now()) {
  if (config.filename.empty())
    config.filename =
        runName + "--{" + config.monitor + ":.4f}-{epoch}"; // NeMo's default
  if (!config.enabled)
    return;
  for (const TagInfo &tag : listTags(config.dirpath)) {
    if (tag.step > startStep)
      laterTags.push_back(tag.path);
    else if (tag.last)
      lastTags.push_back(tag.path);
    else
      ranked.push_back({tag.path, tag.step,
                        monitored(tag.step, tag.consumedSamples, tag.metrics)});
  }
  std::stable_sort(
      ranked.begin(), ranked.end(),
      [this](const auto &a, const auto &b) { return better(a, b); });
}

std::optional<double> CheckpointManager::monitored(
    int64_t step, int64_t consumedSamples,
    const std::map<std::string, double> &metrics) const {
  if (config.monitor == "step" || config.monitor == "global_step")
    return static_cast<double>(step);
  if (config.monitor == "consumed_samples")
    return static_cast<double>(consumedSamples);
  auto it = metrics.find(config.monitor);
  if (it == metrics.end() || std::isnan(it->second))
    return std::nullopt;
  return it->second;
}

bool CheckpointManager::better(const Ranked &a, const Ranked &b) const {
  if (a.value && b.value && *a.value != *b.value)
    return config.modeMax ? *a.value > *b.value : *a.value < *b.value;
  if (a.value.has_value() != b.value.has_value())
    return a.value.has_value();
  // Of equals, the newer one stays when one must go.
  return a.step > b.step;
}

bool CheckpointManager::ranksAmongBest(const Ranked &candidate) const {
  if (config.saveTopK < 0)
    return true;
  auto k = static_cast<size_t>(config.saveTopK);
  if (k == 0 || ranked.size() < k)
    return k > 0;
  const Ranked &worst = ranked[k - 1];
  // Strictly better, as Lightning wants it: an equal value changes nothing.
  if (candidate.value && worst.value && *candidate.value == *worst.value)
    return false;
  return better(candidate, worst);
}

bool CheckpointManager::due(int64_t step) const {
  if (!config.enabled || step == lastSavedStep)
    return false;
  if (config.everyNTrainSteps > 0 && step % config.everyNTrainSteps == 0)
    return true;
  std::chrono::duration<double> elapsed =
      std::chrono::steady_clock::now() - lastSaveTime;
  return config.trainTimeIntervalS > 0 &&
         elapsed.count() >= config.trainTimeIntervalS;
}

std::string CheckpointManager::tagName(const CheckpointData &data,
                                       int64_t epoch) const {
  std::map<std::string, double> metrics = data.metrics;
  metrics["consumed_samples"] = static_cast<double>(data.consumedSamples);
  return formatTagName(config.filename, data.step, epoch, metrics,
                       config.autoInsertMetricName);
}

std::vector<std::string> CheckpointManager::save(const CheckpointData &data,
                                                 int64_t epoch) {
  std::vector<std::string> written;
  if (!config.enabled || data.step == lastSavedStep)
    return written;
  std::string name = tagName(data, epoch);
  Ranked candidate{"", data.step,
                   monitored(data.step, data.consumedSamples, data.metrics)};
  if (!candidate.value && config.saveTopK != 0 && !warnedMonitor) {
    warnedMonitor = true;
    warnings.push_back("exp_manager.checkpoint_callback_params.monitor: there "
                       "is no value of '" +
                       config.monitor + "' at step " +
                       std::to_string(data.step) +
                       " yet; such checkpoints rank below all others");
  }

  removeLeftovers(config.dirpath);
  if (ranksAmongBest(candidate)) {
    candidate.path =
        saveCheckpoint(config.dirpath, name, data, /*last=*/false, peers);
    written.push_back(candidate.path);
  }
  if (config.saveLast)
    written.push_back(saveLast(data, name, candidate.path));
  // Only now, with the new ones complete, may old ones go.
  if (!candidate.path.empty())
    keep(std::move(candidate));
  lastSavedStep = data.step;
  lastSaveTime = std::chrono::steady_clock::now();
  return written;
}

std::vector<std::string>
CheckpointManager::saveAtEnd(const CheckpointData &data, int64_t epoch) {
  if (!config.enabled || !config.saveLast || data.step == lastSavedStep)
    return {};
  removeLeftovers(config.dirpath);
  lastSavedStep = data.step;
  return {saveLast(data, tagName(data, epoch), "")};
}

void CheckpointManager::keep(Ranked candidate) {
  // A pattern without {step} replaces its own tag.
  std::erase_if(ranked, [&](const Ranked &other) {
    return other.path == candidate.path;
  });
  ranked.push_back(std::move(candidate));
  std::stable_sort(
      ranked.begin(), ranked.end(),
      [this](const auto &a, const auto &b) { return better(a, b); });
  if (config.saveTopK < 0)
    return;
  while (ranked.size() > static_cast<size_t>(config.saveTopK)) {
    removeTag(ranked.back().path);
    ranked.pop_back();
  }
}

std::string CheckpointManager::saveLast(const CheckpointData &data,
                                        const std::string &name,
                                        const std::string &sameAs) {
  std::string lastName = name + "-last";
  std::optional<std::string> path;
  if (!sameAs.empty())
    path = linkTag(sameAs, config.dirpath, lastName);
  if (!path)
    path = saveCheckpoint(config.dirpath, lastName, data, /*last=*/true, peers);
  for (const std::string &old : lastTags)
    if (old != *path)
      removeTag(old);
  lastTags = {*path};
  return *path;
}

std::vector<std::string> CheckpointManager::takeWarnings() {
  return std::exchange(warnings, {});
}

} // namespace nxdt::runtime
