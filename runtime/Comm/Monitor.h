//===- Monitor.h - heartbeats: who died, stopped or hangs -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_COMM_MONITOR_H
#define NXDT_RUNTIME_COMM_MONITOR_H

#include "runtime/Comm/HostGroup.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace nxdt::comm {

struct MonitorOptions {
  int64_t rank = 0;
  int64_t worldSize = 1;
  std::string host; ///< this one, for messages
  /// A rank waits this long for a collective while nobody compiles, loads or
  /// saves: an error.
  double progressTimeout_s = 600;
  /// While somebody does that, all may wait: but without any progress of a rank
  /// that compiles, loads or saves only this long.
  double exemptTimeout_s = 1800;
  /// All ranks have to arrive within this time.
  double arrivalTimeout_s = 600;
  /// Without a beat for this long a rank counts as stopped.
  double silence_s = 6.0;
  /// All ranks stuck for this long: none can go on.
  double stuck_s = 5.0;
  /// After a failure the program has this long to end; then the process is
  /// ended from the monitor's thread. <= 0: never.
  double grace_s = 2.5;
};

/// A star around rank 0: every rank sends a beat with its status some twenty
/// times a second, rank 0 judges and tells all. Runs in a thread of its own, so
/// that it speaks while the program computes; SIGSTOP stops it too, which is
/// how a stopped rank is noticed.
class Monitor {
public:
  /// Rank 0: opens a port; the others connect to `address` at that `port`.
  static std::unique_ptr<Monitor> hub(const MonitorOptions &options,
                                      std::shared_ptr<RankContext> context);
  static std::unique_ptr<Monitor> client(const MonitorOptions &options,
                                         std::shared_ptr<RankContext> context,
                                         const std::string &address,
                                         int64_t port);
  virtual ~Monitor() = default;

  virtual int64_t port() const = 0;
  /// Blocks until all ranks are there, fills RankContext::hosts. Throws
  /// CommError that names the missing ones.
  virtual void awaitArrival() = 0;
  /// Address under which other hosts reach this one (after awaitArrival).
  virtual std::string address() const = 0;
  /// Says that this rank is done; returns when all are. Throws CommError.
  virtual void finish() = 0;
  /// Waits until a failure of this rank has been told to the others, at most a
  /// second.
  virtual void flushFailure() = 0;
  /// The first caller reports the failure to the user.
  virtual bool claimReport() = 0;
};

} // namespace nxdt::comm

#endif // NXDT_RUNTIME_COMM_MONITOR_H
