//===- ChromeTrace.cpp - timelines for Perfetto -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "nxdt/Plan/Communication.h"
#include "nxdt/Schedule/Picture.h"
#include "nxdt/Schedule/Trace.h"

#include <nlohmann/json.hpp>

#include <cmath>
#include <map>
#include <set>

namespace nxdt::schedule {
namespace {

using nlohmann::ordered_json;

/// Whole nanoseconds, so that equal schedules have equal bytes.
double microseconds(double time_s) { return std::round(time_s * 1e9) / 1e3; }

class Writer {
public:
  void addName(const char *kind, int64_t process, int64_t thread,
               const char *key, const ordered_json &value) {
    add({{"ph", "M"},
         {"name", kind},
         {"pid", process},
         {"tid", thread},
         {"args", {{key, value}}}});
  }

  void addSpan(int64_t process, int64_t thread, const TraceEvent &event) {
    ordered_json args = ordered_json::object();
    auto number = [&](const char *key, int64_t value) {
      if (value >= 0)
        args[key] = value;
    };
    number("micro_batch", event.microBatch);
    number("chunk", event.chunk);
    number("from", event.from);
    number("bytes", event.bytes);
    if (!event.module.empty())
      args["module"] = event.module;
    add({{"ph", "X"},
         {"cat", event.category},
         {"name", event.name},
         {"pid", process},
         {"tid", thread},
         {"ts", microseconds(event.begin_s)},
         {"dur", microseconds(event.end_s - event.begin_s)},
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

TraceEvent collectiveEvent(const plan::Plan &plan, const plan::Program &program,
                           const plan::Instruction &instruction) {
  TraceEvent event;
  event.thread = "collectives " + plan::groupText(instruction.axes);
  event.category = "collective";
  event.name = plan::name(instruction.collective);
  plan::Payload payload = plan::payloadOf(plan, program, instruction);
  if (payload.ranks > 1)
    event.bytes = payload.inputBytes;
  event.module = plan::transfersOf(instruction)[0].module;
  return event;
}

std::string chromeTrace(const std::vector<TraceProcess> &processes) {
  Writer writer;
  std::set<int64_t> stages;
  for (const TraceProcess &process : processes) {
    // Beside a prediction of the same rank, and after it.
    int64_t id = 2 * process.rank + (process.isMeasured ? 1 : 0);
    std::string name = "stage " + std::to_string(process.stage);
    if (!stages.insert(process.stage).second)
      name += ", rank " + std::to_string(process.rank);
    writer.addName("process_name", id, 0, "name", name);
    writer.addName("process_labels", id, 0, "labels",
                   process.isMeasured ? "measured" : "predicted");
    writer.addName("process_sort_index", id, 0, "sort_index", id);
    std::map<std::string, int64_t> threads;
    for (const TraceEvent &event : process.events)
      if (auto [it, isNew] = threads.try_emplace(event.thread, threads.size());
          isNew)
        writer.addName("thread_name", id, it->second, "name", event.thread);
    for (const TraceEvent &event : process.events)
      writer.addSpan(id, threads.at(event.thread), event);
  }
  return writer.finish();
}

std::vector<TraceProcess> traceOf(const PipelineSchedule &schedule,
                                  const Timing &timing) {
  std::vector<TraceProcess> processes(schedule.stages);
  for (int64_t stage = 0; stage < schedule.stages; ++stage) {
    processes[stage].stage = processes[stage].rank = stage;
    for (const RunTime &run : timing.runs[stage]) {
      const Action &action = schedule.actions[stage][run.action];
      TraceEvent event{std::string(kRunThread), "run",
                       action.name + " " + std::to_string(action.microBatch),
                       run.begin_s, run.end_s};
      event.microBatch = action.microBatch;
      if (std::optional<ProgramPass> pass = passOf(action.name))
        event.chunk = pass->chunk;
      processes[stage].events.push_back(event);
    }
  }
  for (const TransferTime &transfer : timing.transfers) {
    const Channel &channel = schedule.channels[transfer.channel];
    TraceEvent event{"receive " + channel.name, "transfer",
                     channel.name + " " + std::to_string(transfer.microBatch),
                     transfer.begin_s, transfer.end_s};
    event.microBatch = transfer.microBatch;
    event.from = channel.fromStage;
    processes[channel.toStage].events.push_back(event);
  }
  return processes;
}

} // namespace nxdt::schedule
