//===- Recorder.h - when a rank did what -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_EXECUTOR_RECORDER_H
#define NXDT_RUNTIME_EXECUTOR_RECORDER_H

#include "nxdt/Schedule/Trace.h"
#include "runtime/Comm/Group.h"

#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace nxdt::runtime {

/// Writes down events of one rank, in seconds of its steady clock. What may be
/// recorded asks isOn() first: off, it costs a comparison.
class Recorder {
public:
  using Clock = std::chrono::steady_clock;

  bool isOn() const { return on; }
  void begin() {
    events.clear();
    on = true;
  }
  std::vector<schedule::TraceEvent> end() {
    on = false;
    return std::move(events);
  }

  static double seconds(Clock::time_point time) {
    return std::chrono::duration<double>(time.time_since_epoch()).count();
  }

  /// On the thread of runs, from `begin` until now.
  void add(const char *category, std::string name, int64_t microBatch,
           Clock::time_point begin) {
    schedule::TraceEvent event{std::string(schedule::kRunThread), category,
                               std::move(name), seconds(begin),
                               seconds(Clock::now())};
    event.microBatch = microBatch;
    events.push_back(std::move(event));
  }
  /// `event` without its times, and the wait for it since `begin`.
  void addMoved(schedule::TraceEvent event, const comm::Work::Span &moved,
                Clock::time_point begin) {
    add("wait", "wait " + event.name, event.microBatch, begin);
    if (moved.end == Clock::time_point())
      return;
    event.begin_s = seconds(moved.begin);
    event.end_s = seconds(moved.end);
    events.push_back(std::move(event));
  }

private:
  bool on = false;
  std::vector<schedule::TraceEvent> events;
};

} // namespace nxdt::runtime

#endif // NXDT_RUNTIME_EXECUTOR_RECORDER_H
