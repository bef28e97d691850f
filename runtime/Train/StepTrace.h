//===- StepTrace.h - the measured timeline of a step -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_TRAIN_STEPTRACE_H
#define NXDT_RUNTIME_TRAIN_STEPTRACE_H

#include "nxdt/Schedule/Trace.h"
#include "runtime/Executor/Recorder.h"
#include "runtime/Train/Ranks.h"

#include <cstdint>
#include <string>
#include <vector>

namespace nxdt::runtime {

struct TraceRequest {
  std::string path; ///< empty: no trace
  /// Step of this run, from 1; the last one if the run is known to have fewer.
  int64_t step = 3;
};

/// Records one optimizer step of all ranks and has rank 0 write them to one
/// file. Ranks on one host share its clock. Those of other hosts are taken to
/// leave a barrier at the same time, of several the one in the middle: as good
/// as the difference of two messages' latencies.
class StepTrace {
public:
  /// UserError on rank 0 if the file cannot be written.
  StepTrace(TraceRequest request, Ranks &ranks);

  /// `step`: the first and last of this run; last < 0: not known.
  void plan(int64_t first, int64_t last);
  /// Around each step; all ranks call them.
  void begin(int64_t step);
  void end(int64_t step, int64_t stage);
  /// Whether a step is still to be recorded: the run has ended too soon.
  bool isMissing() const { return target > 0 && !isWritten; }
  const TraceRequest &asked() const { return request; }

  Recorder recorder;

private:
  std::string told(std::vector<schedule::TraceEvent> events, int64_t stage);
  void write(const std::vector<std::string> &texts) const;

  TraceRequest request;
  Ranks &ranks;
  int64_t target = 0; ///< completed steps after it, 0: none
  bool isWritten = false;
};

} // namespace nxdt::runtime

#endif // NXDT_RUNTIME_TRAIN_STEPTRACE_H
