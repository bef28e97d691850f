//===- Trace.h - timelines of ranks in Chrome's trace format -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What nxdt-opt predicts and what nxdt-run measures have the same names, so
// that one lies under the other: docs/Pipeline.md.
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_SCHEDULE_TRACE_H
#define NXDT_SCHEDULE_TRACE_H

#include "nxdt/Plan/Plan.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace nxdt::schedule {

/// Something with a begin and an end. Categories: "run" (a program),
/// "collective", "wait" (for a collective or a message), "transfer" (between
/// stages).
struct TraceEvent {
  std::string thread; ///< "run", "collectives tp", "receive x.0"
  std::string category;
  std::string name;
  double begin_s = 0;
  double end_s = 0;
  // What is not known is left out.
  int64_t microBatch = -1;
  int64_t chunk = -1;
  int64_t from = -1;  ///< stage
  int64_t bytes = -1; ///< of a collective's arguments, or of a message
  std::string module = {};
};

/// What one rank does.
struct TraceProcess {
  int64_t stage = 0;
  int64_t rank = 0;
  bool isMeasured = false;
  std::vector<TraceEvent> events;
};

/// "run", the thread of programs and of waiting for others.
inline constexpr std::string_view kRunThread = "run";

/// Of an instruction that is a collective or starts one, without its times: on
/// its group's thread, named after its kind. bytes is -1 where nothing is sent
/// (all_slice, groups of one): there is no event then.
TraceEvent collectiveEvent(const plan::Plan &plan, const plan::Program &program,
                           const plan::Instruction &instruction);

/// For ui.perfetto.dev. A process is named after its stage; where several are
/// of one stage, those that are not its first after their rank too. Threads are
/// in the order of their first event. An event per line, times in microseconds.
std::string chromeTrace(const std::vector<TraceProcess> &processes);

} // namespace nxdt::schedule

#endif // NXDT_SCHEDULE_TRACE_H
