//===- Status.h - what a rank is doing, for those who miss it -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_COMM_STATUS_H
#define NXDT_RUNTIME_COMM_STATUS_H

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace nxdt::comm {

/// The timeout does not count while any rank is in one of Compiling, Loading
/// and Saving.
enum class Phase : uint8_t {
  Starting,
  Compiling,
  Loading,
  Running,
  Saving,
  Finished
};
std::string_view name(Phase phase);
bool isExempt(Phase phase);

/// Where a launcher reads a rank's last words: kStatusBytes bytes for each
/// local rank in a file whose descriptor the ranks inherit, NUL-terminated
/// text.
constexpr int64_t kStatusBytes = 512;
constexpr const char *kStatusFdVariable = "NXDT_STATUS_FD";

struct StatusSnapshot {
  Phase phase = Phase::Starting;
  int64_t step = 0;
  /// Grows with everything that counts as progress.
  uint64_t progress = 0;
  /// The program waits for a collective or for another rank's bytes.
  bool waiting = false;
  /// It waits, and no data of any of its collectives is under way: nothing
  /// will happen here before another rank arrives.
  bool stuck = false;
  /// "step 3, waiting for all_reduce #17 of tp {0,1} (layers.0.mlp)".
  std::string text = "nothing yet";
};

/// Written by the program and the groups' threads, read by the monitor. A call
/// costs well under a microsecond.
class RankStatus {
public:
  RankStatus() = default;
  ~RankStatus();
  RankStatus(const RankStatus &) = delete;
  RankStatus &operator=(const RankStatus &) = delete;

  void setStep(int64_t step);
  void setPhase(Phase phase);
  /// A collective was started; `what` names it ("all_reduce #17 of tp {0,1}
  /// (layers.0.mlp)").
  void started(const std::string &what);
  void waitBegins(const std::string &what);
  void waitEnds();
  void dataBegins();
  void dataEnds();

  int64_t step() const;
  StatusSnapshot snapshot() const;

  /// Mirrors the text into the launcher's file from now on.
  /// Does nothing where no launcher gave one.
  void mirrorTo(int fd, int64_t localRank);

private:
  std::string textLocked() const;
  void changedLocked();

  mutable std::mutex mutex;
  Phase phase = Phase::Starting;
  int64_t currentStep = 0;
  uint64_t progress = 0;
  int waiters = 0;
  int transfers = 0;
  std::string last;    ///< last collective started
  std::string awaited; ///< collective waited for
  char *page = nullptr;
  void *mapping = nullptr;
  size_t mappingBytes = 0;
};

/// Sets a phase and returns to the one before at its end.
class PhaseScope {
public:
  PhaseScope(RankStatus &status, Phase phase)
      : status(status), before(status.snapshot().phase) {
    status.setPhase(phase);
  }
  ~PhaseScope() { status.setPhase(before); }
  PhaseScope(const PhaseScope &) = delete;
  PhaseScope &operator=(const PhaseScope &) = delete;

private:
  RankStatus &status;
  Phase before;
};

} // namespace nxdt::comm

#endif // NXDT_RUNTIME_COMM_STATUS_H
