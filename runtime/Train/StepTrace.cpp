//===- StepTrace.cpp - the measured timeline of a step -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "runtime/Train/StepTrace.h"
#include "nxdt/Support/UserError.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <limits>

namespace nxdt::runtime {

using nlohmann::json;

namespace {

constexpr int kBarriers = 9;

/// The same for processes whose steady clocks are the same.
std::string clockOf() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  std::getline(file, id);
  return id;
}

json toJson(const schedule::TraceEvent &event) {
  return {event.thread, event.category,   event.name,  event.begin_s,
          event.end_s,  event.microBatch, event.chunk, event.from,
          event.bytes,  event.module};
}

schedule::TraceEvent toEvent(const json &list) {
  return {list[0], list[1], list[2], list[3], list[4],
          list[5], list[6], list[7], list[8], list[9]};
}

/// What to take from times of `rank` to have those of rank 0.
double offset_s(const json &rank, const json &first) {
  if (rank["clock"] == first["clock"] && rank["clock"] != "")
    return 0;
  std::vector<double> differences_s;
  for (size_t i = 0; i < rank["barriers"].size(); ++i)
    differences_s.push_back(rank["barriers"][i].get<double>() -
                            first["barriers"][i].get<double>());
  std::sort(differences_s.begin(), differences_s.end());
  return differences_s[differences_s.size() / 2];
}

} // namespace

StepTrace::StepTrace(TraceRequest given, Ranks &ranks)
    : request(std::move(given)), ranks(ranks) {
  if (request.path.empty() || !ranks.isFirst())
    return;
  std::ofstream file(request.path);
  if (!file)
    throw UserError("--trace: cannot write " + request.path + ": " +
                    std::strerror(errno));
}

void StepTrace::plan(int64_t first, int64_t last) {
  if (request.path.empty())
    return;
  target = first + request.step - 1;
  if (last >= first)
    target = std::min(target, last);
}

void StepTrace::begin(int64_t step) {
  if (step == target && !request.path.empty())
    recorder.begin();
}

std::string StepTrace::told(std::vector<schedule::TraceEvent> events,
                            int64_t stage) {
  json out = {{"stage", stage}, {"clock", clockOf()}};
  for (int i = 0; i < kBarriers; ++i) {
    ranks.max({0}, "the clocks of a trace");
    out["barriers"].push_back(Recorder::seconds(Recorder::Clock::now()));
  }
  out["events"] = json::array();
  for (const schedule::TraceEvent &event : events)
    out["events"].push_back(toJson(event));
  return out.dump();
}

void StepTrace::write(const std::vector<std::string> &texts) const {
  std::vector<schedule::TraceProcess> processes;
  json first = json::parse(texts[0]);
  double begin_s = std::numeric_limits<double>::infinity();
  for (size_t rank = 0; rank < texts.size(); ++rank) {
    json told = json::parse(texts[rank]);
    double late_s = offset_s(told, first);
    schedule::TraceProcess &process = processes.emplace_back();
    process.stage = told["stage"];
    process.rank = int64_t(rank);
    process.isMeasured = true;
    for (const json &list : told["events"]) {
      schedule::TraceEvent event = toEvent(list);
      event.begin_s -= late_s;
      event.end_s -= late_s;
      begin_s = std::min(begin_s, event.begin_s);
      process.events.push_back(std::move(event));
    }
    // As the prediction's: runs first, an event before those inside of it.
    std::stable_sort(process.events.begin(), process.events.end(),
                     [](const auto &a, const auto &b) {
                       bool aRuns = a.thread == schedule::kRunThread;
                       bool bRuns = b.thread == schedule::kRunThread;
                       if (aRuns != bRuns)
                         return aRuns;
                       return a.begin_s < b.begin_s;
                     });
  }
  for (schedule::TraceProcess &process : processes)
    for (schedule::TraceEvent &event : process.events) {
      event.begin_s -= begin_s;
      event.end_s -= begin_s;
    }
  std::ofstream file(request.path);
  file << schedule::chromeTrace(processes);
  file.close();
  if (!file)
    throw UserError("--trace: cannot write " + request.path);
}

void StepTrace::end(int64_t step, int64_t stage) {
  if (step != target || !recorder.isOn())
    return;
  std::vector<std::string> texts =
      ranks.gather(told(recorder.end(), stage), "the trace of a step");
  if (ranks.isFirst())
    write(texts);
  isWritten = true;
}

} // namespace nxdt::runtime
