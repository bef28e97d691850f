//===- MonitorCore.h - what hub and client of the monitor share -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_COMM_MONITORCORE_H
#define NXDT_RUNTIME_COMM_MONITORCORE_H

#include "runtime/Comm/Connection.h"
#include "runtime/Comm/Monitor.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace nxdt::comm {

using Clock = std::chrono::steady_clock;

inline double secondsSince(Clock::time_point then) {
  return std::chrono::duration<double>(Clock::now() - then).count();
}

constexpr int kPollMs = 20;

/// Message types.
constexpr char kHello = 'H';   ///< rank, pid, host
constexpr char kArrived = 'A'; ///< all are there: address of rank 0, hosts
constexpr char kBeat = 'B';    ///< a status
constexpr char kFailed = 'F';  ///< a message; ends the run
constexpr char kDone = 'G';    ///< this rank (to the hub), all (to a client)

/// Seconds between beats: what the others know of a dead rank is at most this
/// old, and rank 0 handles them for all ranks.
inline double beatSeconds(int64_t worldSize) {
  return 0.05 + 0.0005 * static_cast<double>(worldSize);
}

std::string encodeStatus(const StatusSnapshot &status);
/// False for text that is no status.
bool decodeStatus(const std::string &text, StatusSnapshot &status);

/// The thread, the end after a failure, and the flags that the program's thread
/// waits for.
class MonitorBase : public Monitor {
public:
  void finish() override;
  void flushFailure() override;
  bool claimReport() override { return !reported.exchange(true); }
  void awaitArrival() override;
  std::string address() const override;

protected:
  MonitorBase(const MonitorOptions &options,
              std::shared_ptr<RankContext> context)
      : options(options), context(std::move(context)) {}
  ~MonitorBase() override = default;

  /// One round: sends, receives, judges; may block for ~100 ms.
  virtual void round() = 0;
  /// Whether everything queued has left.
  virtual bool flushed() = 0;

  void startThread();
  /// To be called first by the destructors of subclasses.
  void stopThread();
  /// "rank 3 (host, pid 17)".
  std::string nameOf(int64_t rank, const std::string &host,
                     const std::string &pid) const;

  MonitorOptions options;
  std::shared_ptr<RankContext> context;

  mutable std::mutex mutex;
  std::condition_variable changed;
  bool arrived = false;     ///< guarded by mutex
  bool wantsFinish = false; ///< guarded by mutex
  bool allFinished = false; ///< guarded by mutex
  bool failureTold = false; ///< guarded by mutex
  std::string ownAddress;   ///< guarded by mutex

private:
  void run();
  void endAfterFailure();

  std::atomic<bool> stopping{false};
  std::atomic<bool> reported{false};
  std::thread thread;
};

} // namespace nxdt::comm

#endif // NXDT_RUNTIME_COMM_MONITORCORE_H
