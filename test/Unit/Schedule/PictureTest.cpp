//===- PictureTest.cpp - schedules for people -----------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "nxdt/Schedule/Picture.h"

#include <nlohmann/json.hpp>

#include <gtest/gtest.h>

using namespace nxdt::schedule;

namespace {

struct Drawn {
  PipelineProblem problem;
  PipelineSchedule schedule;
  Timing timing;
};

Drawn draw(PipelineProblem problem) {
  PipelineSchedule schedule =
      expand(problem, generate(problem), edgeChannels(problem, {"x"}, {"dx"}));
  Timing timing = simulate(schedule, problem);
  return {problem, schedule, timing};
}

PipelineProblem problemOf(int64_t stages, int64_t chunks, int64_t microBatches,
                          double backward_s) {
  PipelineProblem problem;
  problem.stages = stages;
  problem.chunksPerStage = chunks;
  problem.microBatches = microBatches;
  problem.backward_s.assign(problem.chunks(), backward_s);
  return problem;
}

TEST(Picture, Timeline) {
  Drawn drawn = draw(problemOf(2, 1, 3, 2));
  EXPECT_EQ(timeline(drawn.schedule, drawn.timing),
            "stage 0  F0 F1 ......B0--- F2 B1--- ...B2---\n"
            "stage 1  ...F0 B0--- F1 B1--- F2 B2--- ......\n");
}

TEST(Picture, TimelineOfChunks) {
  Drawn drawn = draw(problemOf(2, 2, 2, 1));
  EXPECT_EQ(timeline(drawn.schedule, drawn.timing),
            "stage 0  0F0 0F1 2F0 2F1 ....2B0 ....2B1 0B0 0B1\n"
            "stage 1  ....1F0 1F1 3F0 3B0 3F1 3B1 1B0 1B1 ....\n");
}

TEST(Picture, NarrowTimelinesKeepTheLetters) {
  Drawn drawn = draw(problemOf(2, 1, 3, 2));
  EXPECT_EQ(timeline(drawn.schedule, drawn.timing, 24),
            "stage 0  F0F1....B0- F2B1- ..B2-\n"
            "stage 1  ..F0B0- F1B1- F2B2- ....\n");
  EXPECT_EQ(timeline(drawn.schedule, drawn.timing, 12),
            "stage 0  FF..B0FB1.B2\n"
            "stage 1  .FB0FB1FB2..\n");
}

TEST(Picture, Table) {
  Drawn drawn = draw(problemOf(2, 2, 4, 2));
  EXPECT_EQ(table(drawn.schedule, drawn.problem, drawn.timing),
            "stage  chunks  warm-up  in flight     busy   idle\n"
            "0         0,2        4          5  24.00 s  11.1%\n"
            "1         1,3        2          3  24.00 s  11.1%\n"
            "makespan 27.00 s, critical path 27.00 s, bubble 11.1% (equal "
            "passes and free messages: 1/9)\n");
}

TEST(Picture, TableOfEvaluation) {
  PipelineProblem problem = problemOf(2, 2, 3, 2);
  problem.forwardOnly = true;
  Drawn drawn = draw(problem);
  EXPECT_EQ(table(drawn.schedule, drawn.problem, drawn.timing),
            "stage  chunks  warm-up  in flight    busy   idle\n"
            "0         0,2        -          -  6.00 s  25.0%\n"
            "1         1,3        -          -  6.00 s  25.0%\n"
            "makespan 8.00 s, critical path 7.00 s, bubble 25.0% (equal passes "
            "and free messages: 2/8)\n");
}

TEST(Picture, TraceHoldsEveryRunAndTransfer) {
  PipelineProblem problem = problemOf(2, 1, 2, 2);
  problem.transfer_s = {0.25};
  Drawn drawn = draw(problem);
  nlohmann::json trace =
      nlohmann::json::parse(chromeTrace(traceOf(drawn.schedule, drawn.timing)));
  int64_t runs = 0, transfers = 0;
  std::vector<std::string> names;
  for (const nlohmann::json &event : trace["traceEvents"]) {
    if (event["ph"] == "M") {
      if (event["args"].contains("name"))
        names.push_back(event["args"]["name"]);
      continue;
    }
    EXPECT_EQ(event["ph"], "X");
    runs += event["cat"] == "run";
    transfers += event["cat"] == "transfer";
    if (event["name"] == "backward.1 1") {
      EXPECT_EQ(event["pid"], 2);
      EXPECT_EQ(event["tid"], 0);
      EXPECT_EQ(event["ts"], 5.25e6);
      EXPECT_EQ(event["dur"], 2e6);
      EXPECT_EQ(event["args"]["chunk"], 1);
      EXPECT_EQ(event["args"]["micro_batch"], 1);
    }
  }
  EXPECT_EQ(runs, 8);
  EXPECT_EQ(transfers, 4);
  EXPECT_EQ(names, (std::vector<std::string>{"stage 0", "run", "receive dx.1",
                                             "stage 1", "run", "receive x.0"}));
}

TEST(Picture, TraceTellsRanksAndWhatIsMeasuredApart) {
  TraceEvent event{"collectives tp", "collective", "all_reduce", 1, 1.5};
  event.bytes = 64;
  event.module = "model";
  nlohmann::json trace = nlohmann::json::parse(
      chromeTrace({{0, 0, true, {event}}, {0, 1, true, {}}}));
  std::vector<std::string> told;
  for (const nlohmann::json &line : trace["traceEvents"])
    told.push_back(line["name"].get<std::string>() + " " + line["pid"].dump() +
                   " " + line["args"].dump());
  EXPECT_EQ(told, (std::vector<std::string>{
                      R"(process_name 1 {"name":"stage 0"})",
                      R"(process_labels 1 {"labels":"measured"})",
                      R"(process_sort_index 1 {"sort_index":1})",
                      R"(thread_name 1 {"name":"collectives tp"})",
                      R"(all_reduce 1 {"bytes":64,"module":"model"})",
                      R"(process_name 3 {"name":"stage 0, rank 1"})",
                      R"(process_labels 3 {"labels":"measured"})",
                      R"(process_sort_index 3 {"sort_index":3})"}));
}

} // namespace
