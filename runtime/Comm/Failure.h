//===- Failure.h - what ends a distributed run -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_COMM_FAILURE_H
#define NXDT_RUNTIME_COMM_FAILURE_H

#include "runtime/Comm/ExitCodes.h"

#include <atomic>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

namespace nxdt::comm {

/// A rank died, stopped, disagreed or ran into the timeout. `what()` is the
/// whole message and the same on every rank that throws it.
class CommError : public std::runtime_error {
public:
  explicit CommError(const std::string &message)
      : std::runtime_error(message) {}
};

/// In the message of a rank that has met an error of its own, between its host
/// and the error.
constexpr const char *kFailedBySelf = ") failed: ";
/// Whether the user reads of this failure without this rank: the one that it is
/// about shares nxdt-run's terminal and tells its error itself (the launcher
/// adds where). Under other launchers it may be on another screen.
bool isToldByPeer(const std::string &message);

/// The first failure of a run, seen by every thread of this rank. Once set it
/// stays. Every wait of this library also waits for it.
class FailureState {
public:
  /// Only the first message counts; later ones are dropped.
  void fail(const std::string &message);
  bool failed() const { return isFailed.load(std::memory_order_acquire); }
  /// Empty while nothing has failed.
  std::string message() const;
  /// Throws CommError if something failed.
  void check() const;
  /// Called once, in the thread that fails (or at once, if that was before).
  void onFailure(std::function<void()> callback);

private:
  std::atomic<bool> isFailed{false};
  mutable std::mutex mutex;
  std::string text;
  std::vector<std::function<void()>> callbacks;
};

} // namespace nxdt::comm

#endif // NXDT_RUNTIME_COMM_FAILURE_H
