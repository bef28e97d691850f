//===- StopSignal.h - SIGINT and SIGTERM between two steps -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_TRAIN_STOPSIGNAL_H
#define NXDT_RUNTIME_TRAIN_STOPSIGNAL_H

#include <signal.h>
#include <string>

namespace nxdt::runtime {

/// While it lives, the first SIGINT or SIGTERM is only noted, so that the step
/// can be finished; the second one ends the process as it always does. One at a
/// time.
class StopSignal {
public:
  StopSignal();
  ~StopSignal();
  StopSignal(const StopSignal &) = delete;
  StopSignal &operator=(const StopSignal &) = delete;

  /// The signal that came, or 0.
  int pending() const;
  static std::string nameOf(int signal);

private:
  struct sigaction oldInterrupt;
  struct sigaction oldTerminate;
};

} // namespace nxdt::runtime

#endif // NXDT_RUNTIME_TRAIN_STOPSIGNAL_H
