//===- StuckDetector.cpp - all ranks wait for each other -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "runtime/Comm/StuckDetector.h"

namespace nxdt::comm {

std::string listRanks(const std::vector<int64_t> &which,
                      const std::vector<StatusSnapshot> &ranks,
                      const std::vector<std::string> &hosts) {
  std::string text;
  size_t told = 0;
  for (int64_t rank : which) {
    if (++told > 8)
      break;
    size_t r = static_cast<size_t>(rank);
    text += (told > 1 ? "; rank " : "rank ") + std::to_string(rank);
    if (r < hosts.size() && !hosts[r].empty())
      text += " (" + hosts[r] + ")";
    text += ": " + ranks[r].text;
  }
  if (which.size() > 8)
    text += "; and " + std::to_string(which.size() - 8) + " more";
  return text;
}

std::string StuckDetector::observe(const std::vector<StatusSnapshot> &ranks,
                                   Clock::time_point oldest,
                                   const std::vector<std::string> &hosts) {
  std::vector<uint64_t> progress;
  bool allStuck = true, anyStuck = false;
  for (const StatusSnapshot &s : ranks) {
    progress.push_back(s.progress);
    if (s.phase == Phase::Finished)
      continue;
    anyStuck = anyStuck || s.stuck;
    allStuck = allStuck && s.stuck;
  }
  if (!allStuck || !anyStuck || progress != lastProgress) {
    lastProgress = std::move(progress);
    since = Clock::now();
    return "";
  }
  if (oldest - since < limit)
    return "";
  std::vector<int64_t> all;
  for (size_t r = 0; r < ranks.size(); ++r)
    all.push_back(static_cast<int64_t>(r));
  return "the ranks wait for each other and none can go on: " +
         listRanks(all, ranks, hosts);
}

} // namespace nxdt::comm
