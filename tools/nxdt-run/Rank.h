//===- Rank.h - one process of a run -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_TOOLS_NXDT_RUN_RANK_H
#define NXDT_TOOLS_NXDT_RUN_RANK_H

#include "Options.h"

#include "runtime/Comm/Environment.h"

#include <string>
#include <vector>

namespace nxdt::run {

/// Ranks that this process must start by itself: trainer.devices of the
/// configuration, or of the plan's. UserError if they are on several nodes
/// (only a launcher reaches those).
int64_t localRanks(const Options &options);

/// Starts them with the same arguments and returns the exit code. Call it from
/// the main thread, before any other thread.
int launch(int64_t ranks, const std::vector<std::string> &arguments);

/// Trains as the process that `process` says. Returns the exit code; of several
/// ranks, an error of this one or of another ends the process here.
int trainRank(const Options &options, const comm::ProcessEnvironment &process);

/// One of the processes of --calibrate; rank 0 writes the file.
int calibrateRank(const Options &options,
                  const comm::ProcessEnvironment &process);

} // namespace nxdt::run

#endif // NXDT_TOOLS_NXDT_RUN_RANK_H
