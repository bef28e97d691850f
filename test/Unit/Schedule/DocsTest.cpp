//===- DocsTest.cpp - docs/Pipeline.md shows what is drawn ----------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A picture in the document follows a comment that says of what:
//
//   <!-- picture: schedule 1f1b stages 4 chunks 1 micro-batches 8 -->
//
// With NXDT_UPDATE_DOCS=1 the test writes them anew.
//
//===----------------------------------------------------------------------===//
#include "nxdt/Schedule/Picture.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

using namespace nxdt::schedule;

namespace {

std::string pictureOf(const std::smatch &words) {
  PipelineProblem problem;
  problem.forwardOnly = words[1] == "forward-only";
  problem.stages = std::stoll(words[2]);
  problem.chunksPerStage = std::stoll(words[3]);
  problem.microBatches = std::stoll(words[4]);
  // A backward pass does about twice the work of a forward pass.
  problem.backward_s.assign(problem.chunks(), 2);
  EXPECT_EQ(check(problem, words[1].str()), std::nullopt);
  PipelineSchedule schedule = expand(problem, generate(problem, words[1].str()),
                                     edgeChannels(problem, {"x"}, {"dx"}));
  Timing timing = simulate(schedule, problem);
  return timeline(schedule, timing, 200) + "\n" +
         table(schedule, problem, timing);
}

TEST(Docs, PicturesAreUpToDate) {
  std::string path = NXDT_PIPELINE_DOC;
  std::ifstream file(path);
  ASSERT_TRUE(file) << path;
  std::stringstream content;
  content << file.rdbuf();
  std::string text = content.str(), updated;
  std::regex marker("<!-- picture: schedule (\\S+) stages (\\d+) chunks (\\d+) "
                    "micro-batches (\\d+) -->\n```text\n");
  std::smatch words;
  std::set<std::string> shown;
  auto begin = text.cbegin();
  while (std::regex_search(begin, text.cend(), words, marker)) {
    updated += std::string(begin, words[0].second) + pictureOf(words);
    shown.insert(words[1]);
    size_t end = text.find("```\n", words[0].second - text.cbegin());
    ASSERT_NE(end, std::string::npos) << words[0];
    begin = text.cbegin() + static_cast<int64_t>(end);
  }
  updated += std::string(begin, text.cend());
  for (std::string_view schedule : scheduleNames())
    EXPECT_TRUE(shown.count(std::string(schedule))) << schedule;
  if (std::getenv("NXDT_UPDATE_DOCS"))
    std::ofstream(path) << updated;
  else
    EXPECT_TRUE(text == updated)
        << path << " is not up to date: NXDT_UPDATE_DOCS=1 schedule-test "
        << "--gtest_filter=Docs.* writes the pictures anew";
}

} // namespace
