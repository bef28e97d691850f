//===- Launcher.h - starts the ranks of this host -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_COMM_LAUNCHER_H
#define NXDT_RUNTIME_COMM_LAUNCHER_H

#include "runtime/Comm/Environment.h"

#include <cstdint>
#include <string>
#include <vector>

namespace nxdt::comm {

/// Descriptor of the bound socket that rank 0 serves the store on: no other
/// process can take the port in between.
constexpr const char *kMasterFdVariable = "NXDT_MASTER_FD";

struct LaunchOptions {
  int64_t ranks = 1;
  /// argv of each rank, [0] included; the program is this one
  /// (/proc/self/exe).
  std::vector<std::string> arguments;
  /// Set for all ranks on top of this process's environment.
  EnvironmentMap environment;
  /// After the first rank failed, the others have this long to end by
  /// themselves (they print what they know), then get SIGTERM, and after
  /// twice this long SIGKILL.
  double patience_s = 3.0;
};

/// Runs `ranks` local processes under torchrun's variables and returns the exit
/// code for this one: 0 if all ended with 0; 128 + n if they did so, or with
/// that, after SIGINT or SIGTERM; else that of the rank that failed
/// first (128 + signal if one ended it), after one line on stderr that names
/// the rank, the host, how it ended and what it last reported. Rank 0 has this
/// process's stdout and stderr; what the others write goes to stderr, each line
/// behind "[rank 3] ". OMP_NUM_THREADS, where it is not set, becomes cores /
/// ranks. SIGINT, SIGTERM and SIGHUP are handed to the ranks. Nothing is left
/// running, not even when this process is killed (its ranks then get SIGKILL
/// from the kernel). Call it from the main thread.
int launchRanks(const LaunchOptions &options);

/// Cores this process may run on.
int64_t availableCores();

} // namespace nxdt::comm

#endif // NXDT_RUNTIME_COMM_LAUNCHER_H
