//===- StopSignal.cpp - SIGINT and SIGTERM between two steps -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "runtime/Train/StopSignal.h"

namespace nxdt::runtime {
namespace {

volatile sig_atomic_t received = 0;

void note(int signal) { received = signal; }

} // namespace

StopSignal::StopSignal() {
  received = 0;
  struct sigaction action = {};
  action.sa_handler = note;
  // Back to the default after the first: a second one must always work.
  action.sa_flags = SA_RESETHAND | SA_RESTART;
  sigaction(SIGINT, &action, &oldInterrupt);
  sigaction(SIGTERM, &action, &oldTerminate);
}

StopSignal::~StopSignal() {
  sigaction(SIGINT, &oldInterrupt, nullptr);
  sigaction(SIGTERM, &oldTerminate, nullptr);
}

int StopSignal::pending() const { return received; }

std::string StopSignal::nameOf(int signal) {
  return signal == SIGINT    ? "SIGINT"
         : signal == SIGTERM ? "SIGTERM"
                             : "signal " + std::to_string(signal);
}

} // namespace nxdt::runtime
