//===- Problems.cpp - what keeps a module from being captured -------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Problems.h"

#include <algorithm>

using namespace nxdt::capture;

void Problems::add(std::string message, std::string path, int32_t opIndex,
                   bool isWarning) {
  auto [it, isNew] = entryOf.try_emplace(message, entries.size());
  if (isNew)
    entries.push_back({std::move(message), isWarning, {}});
  entries[it->second].places.emplace_back(std::move(path), opIndex);
}

bool Problems::hasErrors() const {
  return std::any_of(entries.begin(), entries.end(),
                     [](const Entry &entry) { return !entry.isWarning; });
}

void Problems::resolvePaths(const Record &forward) {
  if (forward.ops.empty())
    return;
  auto last = static_cast<int32_t>(forward.ops.size()) - 1;
  for (Entry &entry : entries)
    for (auto &[path, opIndex] : entry.places)
      if (path.empty() && opIndex >= 0)
        path = forward.ops[std::min(opIndex, last)].path;
}

std::vector<Problem> Problems::finish() const {
  std::vector<Problem> problems;
  for (const Entry &entry : entries) {
    // Several times in one module is once.
    std::vector<std::string> paths;
    for (const auto &[path, opIndex] : entry.places)
      if (std::find(paths.begin(), paths.end(), path) == paths.end())
        paths.push_back(path);
    std::string message = entry.message;
    if (paths.size() > 1)
      message += " (and the same in " + std::to_string(paths.size() - 1) +
                 " more places, the next is " + paths[1] + ")";
    problems.push_back({std::move(message), paths[0], entry.isWarning});
  }
  return problems;
}
