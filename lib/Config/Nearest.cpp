//===- Nearest.cpp - what the user may have meant -------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Nearest.h"

#include <algorithm>

namespace nxdt::config {

size_t editDistance(const std::string &a, const std::string &b) {
  std::vector<size_t> before(b.size() + 1), last(b.size() + 1),
      row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j)
    last[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t change = last[j - 1] + (a[i - 1] != b[j - 1]);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, change});
      bool swapped =
          i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped)
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before.swap(last);
    last.swap(row);
  }
  return last[b.size()];
}

static std::string lastComponent(const std::string &key) {
  return key.substr(key.rfind('.') + 1);
}

static std::string parentOf(const std::string &key) {
  size_t dot = key.rfind('.');
  return dot == std::string::npos ? "" : key.substr(0, dot);
}

std::string nearestKey(const std::string &key,
                       const std::vector<std::string> &known) {
  constexpr size_t kMaxKey = 200;
  if (key.empty() || key.size() > kMaxKey)
    return {};
  std::string leaf = lastComponent(key);
  std::string parent = parentOf(key);
  // A third of the letters may differ, at least one.
  size_t allowed = std::max<size_t>(1, leaf.size() / 3);
  std::string best;
  size_t bestCost = ~size_t{0};
  for (const std::string &candidate : known) {
    if (candidate.size() > kMaxKey)
      continue;
    size_t cost = editDistance(leaf, lastComponent(candidate));
    if (cost > allowed)
      continue;
    // Staying in the section breaks ties between equal names.
    bool moved = parentOf(candidate) != parent;
    size_t total = 4 * cost + (moved ? 2 + (cost > 0) : 0);
    if (moved && editDistance(parent, parentOf(candidate)) <= 2)
      total -= 1;
    if (total < bestCost) {
      bestCost = total;
      best = candidate;
    }
  }
  if (!best.empty())
    return best;
  allowed = key.size() / 4;
  for (const std::string &candidate : known) {
    size_t cost = editDistance(key, candidate);
    if (cost <= allowed && cost < bestCost) {
      bestCost = cost;
      best = candidate;
    }
  }
  return best;
}

} // namespace nxdt::config
