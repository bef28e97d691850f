//===- StuckDetector.h - all ranks wait for each other -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_COMM_STUCKDETECTOR_H
#define NXDT_RUNTIME_COMM_STUCKDETECTOR_H

#include "runtime/Comm/Status.h"

#include <chrono>
#include <string>
#include <vector>

namespace nxdt::comm {

/// Finds that every rank that has not finished is stuck, with nothing changing
/// for `seconds`: ranks that call collectives of different groups, or a rank
/// that ended too early. Such a wait has no end, so nobody needs to sit out the
/// timeout.
class StuckDetector {
public:
  explicit StuckDetector(double seconds) : limit(seconds) {}

  using Clock = std::chrono::steady_clock;

  /// One snapshot per rank, in order, and when the oldest of those of
  /// unfinished ranks was taken: a rank that has fallen silent is not known to
  /// be stuck, however long it was when last heard. Empty, or the message that
  /// lists what each rank waits for. `hosts` may be empty.
  std::string observe(const std::vector<StatusSnapshot> &ranks,
                      Clock::time_point oldest,
                      const std::vector<std::string> &hosts);

private:
  std::chrono::duration<double> limit;
  std::vector<uint64_t> lastProgress;
  Clock::time_point since = Clock::now();
};

/// "rank 3 (host): <text>; rank 4 ...", the first eight.
std::string listRanks(const std::vector<int64_t> &which,
                      const std::vector<StatusSnapshot> &ranks,
                      const std::vector<std::string> &hosts);

} // namespace nxdt::comm

#endif // NXDT_RUNTIME_COMM_STUCKDETECTOR_H
