//===- MonitorCore.cpp - what hub and client of the monitor share -*- C++
//-*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "runtime/Comm/MonitorCore.h"

#include <cstdio>
#include <sstream>
#include <unistd.h>

namespace nxdt::comm {

std::string encodeStatus(const StatusSnapshot &s) {
  std::ostringstream out;
  out << static_cast<int>(s.phase) << ' ' << s.step << ' ' << s.progress << ' '
      << s.waiting << ' ' << s.stuck << ' ' << s.text;
  return out.str();
}

bool decodeStatus(const std::string &text, StatusSnapshot &s) {
  std::istringstream in(text);
  int phase = 0;
  if (!(in >> phase >> s.step >> s.progress >> s.waiting >> s.stuck) ||
      phase < 0 || phase > static_cast<int>(Phase::Finished))
    return false;
  s.phase = static_cast<Phase>(phase);
  in.get();
  std::getline(in, s.text, '\0');
  return true;
}

std::string MonitorBase::nameOf(int64_t rank, const std::string &host,
                                const std::string &pid) const {
  return "rank " + std::to_string(rank) + " (" + host +
         (pid.empty() ? "" : ", pid " + pid) + ")";
}

void MonitorBase::startThread() {
  thread = std::thread([this] { run(); });
}

void MonitorBase::stopThread() {
  stopping = true;
  if (thread.joinable())
    thread.join();
}

void MonitorBase::run() {
  Clock::time_point failedAt;
  bool sawFailure = false;
  while (!stopping) {
    try {
      round();
    } catch (const std::exception &e) {
      context->failure.fail("rank " + std::to_string(options.rank) +
                            ": the monitor failed: " + e.what());
    }
    if (!context->failure.failed())
      continue;
    if (!sawFailure) {
      sawFailure = true;
      failedAt = Clock::now();
    }
    if (flushed()) {
      std::lock_guard<std::mutex> lock(mutex);
      failureTold = true;
      changed.notify_all();
    }
    if (options.grace_s > 0 && secondsSince(failedAt) > options.grace_s)
      endAfterFailure();
  }
}

/// The program's thread is in a long computation, a system call or a destructor
/// that does not return.
void MonitorBase::endAfterFailure() {
  if (claimReport() && !isToldByPeer(context->failure.message())) {
    std::string text = "error: " + context->failure.message() + "\n";
    if (write(STDERR_FILENO, text.data(), text.size()) < 0)
      _exit(kPeerFailureExitCode);
  }
  _exit(kPeerFailureExitCode);
}

void MonitorBase::awaitArrival() {
  std::unique_lock<std::mutex> lock(mutex);
  while (!arrived && !context->failure.failed())
    changed.wait_for(lock, std::chrono::milliseconds(20));
  lock.unlock();
  context->failure.check();
}

std::string MonitorBase::address() const {
  std::lock_guard<std::mutex> lock(mutex);
  return ownAddress;
}

void MonitorBase::finish() {
  std::unique_lock<std::mutex> lock(mutex);
  wantsFinish = true;
  while (!allFinished && !context->failure.failed())
    changed.wait_for(lock, std::chrono::milliseconds(20));
  bool done = allFinished;
  lock.unlock();
  if (!done)
    context->failure.check();
}

void MonitorBase::flushFailure() {
  Clock::time_point begin = Clock::now();
  std::unique_lock<std::mutex> lock(mutex);
  while (!failureTold && secondsSince(begin) < 1.0)
    changed.wait_for(lock, std::chrono::milliseconds(20));
}

} // namespace nxdt::comm
