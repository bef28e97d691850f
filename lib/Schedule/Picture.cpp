//===- Picture.cpp - schedules for people ---------------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "nxdt/Schedule/Picture.h"

#include "nxdt/Support/Format.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace nxdt::schedule {
namespace {

std::string labelOf(const PipelineSchedule &schedule, const Action &action) {
  std::optional<ProgramPass> pass = passOf(action.name);
  if (!pass)
    return action.name;
  std::string label =
      schedule.chunksPerStage > 1 ? std::to_string(pass->chunk) : std::string();
  return label + (pass->pass == Pass::Forward ? "F" : "B") +
         std::to_string(action.microBatch);
}

/// "1F3-- ": `width` columns, the last one empty. Where that is too narrow,
/// "F3", and where that is, "F".
std::string cell(std::string label, int64_t width) {
  size_t columns = static_cast<size_t>(width);
  size_t letter = label.find_first_of("FB");
  if (label.size() >= columns && letter != std::string::npos)
    label.erase(0, letter);
  if (label.size() > columns)
    label.resize(1);
  bool hasSpace = label.size() < columns;
  label.resize(columns - hasSpace, '-');
  return hasSpace ? label + " " : label;
}

std::string percent(double part) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.1f%%", 100 * part);
  return text;
}

/// Columns, all but the first flush right.
std::string aligned(const std::vector<std::vector<std::string>> &rows) {
  std::vector<size_t> widths(rows[0].size());
  for (const std::vector<std::string> &row : rows)
    for (size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], row[i].size());
  std::string text;
  for (const std::vector<std::string> &row : rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      std::string space(widths[i] - row[i].size(), ' ');
      text += i == 0 ? row[i] + space : "  " + space + row[i];
    }
    text += "\n";
  }
  return text;
}

} // namespace

std::string timeline(const PipelineSchedule &schedule, const Timing &timing,
                     int64_t maxColumns) {
  double shortest_s = 0;
  size_t longest = 0;
  for (int64_t stage = 0; stage < schedule.stages; ++stage)
    for (const RunTime &run : timing.runs[stage]) {
      double time_s = run.end_s - run.begin_s;
      if (time_s <= 0)
        continue;
      shortest_s = shortest_s > 0 ? std::min(shortest_s, time_s) : time_s;
      longest = std::max(
          longest,
          labelOf(schedule, schedule.actions[stage][run.action]).size());
    }
  if (shortest_s == 0)
    shortest_s = std::max(timing.makespan_s, 1.0);
  // A column more than the label, so that neighbours stay apart; a whole number
  // of columns while there is one, so that equal passes look equal.
  double columnsPer_s = static_cast<double>(longest + 1) / shortest_s;
  double most = static_cast<double>(maxColumns);
  if (columnsPer_s * timing.makespan_s > most) {
    double whole = std::floor(most / timing.makespan_s * shortest_s);
    columnsPer_s = whole >= 1 ? whole / shortest_s : most / timing.makespan_s;
  }
  auto columnOf = [&](double time_s) {
    return static_cast<int64_t>(std::llround(time_s * columnsPer_s));
  };
  int64_t columns = columnOf(timing.makespan_s);
  size_t digits = std::to_string(schedule.stages - 1).size();
  std::string text;
  for (int64_t stage = 0; stage < schedule.stages; ++stage) {
    std::string number = std::to_string(stage);
    std::string line(static_cast<size_t>(columns), '.');
    for (const RunTime &run : timing.runs[stage]) {
      int64_t begin = columnOf(run.begin_s), end = columnOf(run.end_s);
      if (end <= begin)
        continue;
      std::string label =
          labelOf(schedule, schedule.actions[stage][run.action]);
      line.replace(begin, end - begin, cell(label, end - begin));
    }
    while (!line.empty() && line.back() == ' ')
      line.pop_back();
    text += "stage " + number + std::string(digits - number.size(), ' ') +
            "  " + line + "\n";
  }
  return text;
}

std::string closedFormBubble(const PipelineProblem &problem) {
  int64_t idle = idlePasses(problem);
  return std::to_string(idle) + "/" +
         std::to_string(problem.microBatches * problem.chunksPerStage + idle);
}

std::string table(const PipelineSchedule &schedule,
                  const PipelineProblem &problem, const Timing &timing) {
  std::vector<std::vector<std::string>> rows = {
      {"stage", "chunks", "warm-up", "in flight", "busy", "idle"}};
  std::vector<int64_t> peaks = inFlightPeaks(schedule);
  for (int64_t stage = 0; stage < schedule.stages; ++stage) {
    std::string chunks;
    for (int64_t c = stage; c < schedule.stages * schedule.chunksPerStage;
         c += schedule.stages)
      chunks += (chunks.empty() ? "" : ",") + std::to_string(c);
    int64_t forwards = 0, warmUp = 0;
    for (const Action &action : schedule.actions[stage]) {
      std::optional<ProgramPass> pass = action.kind == plan::ActionKind::Run
                                            ? passOf(action.name)
                                            : std::nullopt;
      if (!pass)
        continue;
      if (pass->pass == Pass::Backward)
        break;
      warmUp = forwards++;
    }
    bool isEvaluation = problem.forwardOnly;
    rows.push_back({std::to_string(stage), chunks,
                    isEvaluation ? "-" : std::to_string(warmUp),
                    isEvaluation ? "-" : std::to_string(peaks[stage]),
                    humanDuration(timing.busy_s[stage]),
                    percent(timing.makespan_s > 0
                                ? 1 - timing.busy_s[stage] / timing.makespan_s
                                : 0)});
  }
  return aligned(rows) + "makespan " + humanDuration(timing.makespan_s) +
         ", critical path " + humanDuration(criticalPath_s(problem)) +
         ", bubble " + percent(timing.bubble) +
         " (equal passes and free messages: " + closedFormBubble(problem) +
         ")\n";
}

} // namespace nxdt::schedule
