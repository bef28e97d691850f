//===- CheckpointManager.h - which checkpoints are kept ---------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_CHECKPOINT_CHECKPOINTMANAGER_H
#define NXDT_RUNTIME_CHECKPOINT_CHECKPOINTMANAGER_H

#include "nxdt/Config/RunConfig.h"
#include "runtime/Checkpoint/Checkpoint.h"

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace nxdt::runtime {

/// A tag's name from NeMo's pattern, as Lightning formats it: `{key}` becomes
/// `key=value` (or `value` without autoInsertMetricName), `{key:.4f}` takes a
/// format, an unknown key is 0. "step" and "epoch" are integers, everything in
/// `metrics` ("consumed_samples" too) a float. UserError names what cannot be
/// formatted.
std::string formatTagName(const std::string &pattern, int64_t step,
                          int64_t epoch,
                          const std::map<std::string, double> &metrics,
                          bool autoInsertMetricName);

/// The rules of `exp_manager.checkpoint_callback_params`. The monitored value
/// is looked up in CheckpointData::metrics; "step" and "consumed_samples" are
/// always known.
class CheckpointManager {
public:
  /// `startStep`: completed steps at the start of this run (0, or those of the
  /// checkpoint it continues). Tags of earlier steps found in dirpath take part
  /// in save_top_k; later ones belong to another run and are left alone
  /// (`strangers`). Nothing is written or removed before the first save.
  /// `peers`: the other ranks, if this is the first of several.
  CheckpointManager(const CheckpointConfig &config, const std::string &runName,
                    int64_t startStep, SavePeers *peers = nullptr);

  /// True if a checkpoint is due after `step` completed steps
  /// (every_n_train_steps, train_time_interval).
  bool due(int64_t step) const;

  /// Saves what the rules want for this step: the tag if it is among the best
  /// save_top_k, and the `-last` tag. Then prunes. At most one save a step.
  /// Returns the tag folders written. `epoch` is for the name only.
  std::vector<std::string> save(const CheckpointData &data, int64_t epoch = 0);

  /// At the end of a run: writes `-last` if save_last and this step was not
  /// saved yet.
  std::vector<std::string> saveAtEnd(const CheckpointData &data,
                                     int64_t epoch = 0);

  const std::string &dirpath() const { return config.dirpath; }
  /// Tags from later steps that were in dirpath at the start.
  const std::vector<std::string> &strangers() const { return laterTags; }
  /// What the user should be told once (a monitor that nobody computes);
  /// emptied by the call.
  std::vector<std::string> takeWarnings();

private:
  struct Ranked {
    std::string path;
    int64_t step = 0;
    std::optional<double> value; ///< of the monitor
  };
  std::optional<double>
  monitored(int64_t step, int64_t consumedSamples,
            const std::map<std::string, double> &metrics) const;
  bool better(const Ranked &a, const Ranked &b) const;
  bool ranksAmongBest(const Ranked &candidate) const;
  std::string tagName(const CheckpointData &data, int64_t epoch) const;
  void keep(Ranked candidate);
  std::string saveLast(const CheckpointData &data, const std::string &name,
                       const std::string &sameAs);

  CheckpointConfig config;
  SavePeers *peers;
  std::vector<Ranked> ranked; ///< top-k tags on disk, best first
  std::vector<std::string> lastTags;
  std::vector<std::string> laterTags;
  std::vector<std::string> warnings;
  bool warnedMonitor = false;
  int64_t lastSavedStep;
  std::chrono::steady_clock::time_point lastSaveTime;
};

} // namespace nxdt::runtime

#endif // NXDT_RUNTIME_CHECKPOINT_CHECKPOINTMANAGER_H
