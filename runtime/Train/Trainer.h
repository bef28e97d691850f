//===- Trainer.h - the training loop -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_TRAIN_TRAINER_H
#define NXDT_RUNTIME_TRAIN_TRAINER_H

#include "runtime/Comm/RankView.h"
#include "runtime/Train/PlanFolder.h"
#include "runtime/Train/StepTrace.h"

#include <cstdint>
#include <cstdio>

namespace nxdt::runtime {

/// The other ranks of the run.
struct TrainWorld {
  /// With the groups and channels that groupSpecs and channelSpecs
  /// (Collectives.h) name; null = one rank.
  comm::RankView *view = nullptr;
  /// Processes that share this host's cores, this one included.
  int64_t localRanks = 1;
};

/// Trains as the folder says, telling `out` how it goes; of several ranks the
/// first one tells, logs and names the checkpoints, and all call this. Returns
/// the process' exit code: 0, or 128 + n if signal n ended the run between two
/// steps. UserError for everything that the user can act on, CommError if
/// another rank failed; what is on disk is then whole: the checkpoints and the
/// metrics of completed steps.
int train(PlanFolder folder, std::FILE *out, TrainWorld world = {},
          TraceRequest trace = {});

} // namespace nxdt::runtime

#endif // NXDT_RUNTIME_TRAIN_TRAINER_H
