//===- Processes.h - runs this test binary as ranks -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_TEST_DISTRIBUTED_PROCESSES_H
#define NXDT_TEST_DISTRIBUTED_PROCESSES_H

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <sys/types.h>
#include <vector>

namespace nxdt::comm::test {

/// What a run looked like from outside.
struct RunResult {
  int exitCode = -1;        ///< of the launcher; 128 + signal; -1: ran too long
  std::string output;       ///< stdout and stderr together
  double seconds = 0;       ///< all of it
  double afterAction_s = 0; ///< from the action's end to the launcher's end
  int64_t leftOver = 0; ///< processes of this run still alive a second later
};

/// A run that goes on: `pids[r]` once rank r has printed "pid R P".
struct RunningRanks {
  pid_t launcher = -1;
  std::map<int64_t, pid_t> pids;
};

/// Starts the launcher of this binary with `program` (see RankPrograms.cpp) on
/// `ranks` ranks. When every rank has printed "ready", calls `action`. Ends
/// everything after `limit_s`.
RunResult runRanks(const std::string &program, int64_t ranks,
                   const std::map<std::string, std::string> &environment = {},
                   const std::function<void(RunningRanks &)> &action = {},
                   double limit_s = 60);

/// The same ranks without the launcher: N processes with torchrun's variables,
/// as another machine's launcher would start them. exitCodes[r] as above.
struct BareResult {
  std::vector<int> exitCodes;
  std::vector<std::string> outputs;
  /// From the action's end until the last rank other than `ignored` ended.
  double afterAction_s = 0;
};
BareResult runBare(const std::string &program, int64_t ranks,
                   const std::map<std::string, std::string> &environment,
                   const std::function<void(RunningRanks &)> &action,
                   int64_t ignored = -1, double limit_s = 60);

/// In the re-executed binary: runs what the environment says and returns its
/// exit code; -1 if this is the test itself.
int runAsChild(int argc, char **argv);

} // namespace nxdt::comm::test

#endif // NXDT_TEST_DISTRIBUTED_PROCESSES_H
