//===- ChromeTrace.cpp - the predicted timeline for Perfetto --------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "nxdt/Schedule/Picture.h"

#include <nlohmann/json.hpp>

#include <cmath>

namespace nxdt::schedule {
namespace {

using nlohmann::ordered_json;

/// Whole nanoseconds, so that equal schedules have equal bytes.
double microseconds(double time_s) { return std::round(time_s * 1e9) / 1e3; }

class Trace {
public:
  void addName(const char *kind, int64_t process, int64_t thread,
               const std::string &name) {
    add({{"ph", "M"},
         {"name", kind},
         {"pid", process},
         {"tid", thread},
         {"args", {{"name", name}}}});
  }

  void addSpan(int64_t process, int64_t thread, const std::string &category,
               const std::string &name, double begin_s, double end_s,
               const ordered_json &args) {
    add({{"ph", "X"},
         {"cat", category},
         {"name", name},
         {"pid", process},
         {"tid", thread},
         {"ts", microseconds(begin_s)},
         {"dur", microseconds(end_s - begin_s)},
         {"args", args}});
  }

  std::string finish() const {
    return "{\"displayTimeUnit\":\"ms\",\n\"traceEvents\":[\n" + events +
           "\n]}\n";
  }

private:
  void add(const ordered_json &event) {
    events += (events.empty() ? "" : ",\n") + event.dump();
  }

  std::string events;
};

} // namespace

std::string chromeTrace(const PipelineSchedule &schedule,
                        const Timing &timing) {
  Trace trace;
  for (int64_t stage = 0; stage < schedule.stages; ++stage) {
    trace.addName("process_name", stage, 0, "stage " + std::to_string(stage));
    trace.addName("thread_name", stage, 0, "run");
  }
  for (size_t c = 0; c < schedule.channels.size(); ++c)
    trace.addName("thread_name", schedule.channels[c].toStage,
                  static_cast<int64_t>(c) + 1,
                  "receive " + schedule.channels[c].name);
  for (int64_t stage = 0; stage < schedule.stages; ++stage)
    for (const RunTime &run : timing.runs[stage]) {
      const Action &action = schedule.actions[stage][run.action];
      ordered_json args = {{"micro_batch", action.microBatch}};
      if (std::optional<ProgramPass> pass = passOf(action.name))
        args["chunk"] = pass->chunk;
      trace.addSpan(stage, 0, "run",
                    action.name + " " + std::to_string(action.microBatch),
                    run.begin_s, run.end_s, args);
    }
  for (const TransferTime &transfer : timing.transfers) {
    const Channel &channel = schedule.channels[transfer.channel];
    trace.addSpan(
        channel.toStage, transfer.channel + 1, "transfer",
        channel.name + " " + std::to_string(transfer.microBatch),
        transfer.begin_s, transfer.end_s,
        {{"micro_batch", transfer.microBatch}, {"from", channel.fromStage}});
  }
  return trace.finish();
}

} // namespace nxdt::schedule
