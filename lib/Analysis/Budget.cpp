//===- Budget.cpp - is there memory for it? -------------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "ReportFormat.h"

#include "nxdt/Support/Format.h"

#include <algorithm>

using namespace nxdt;

std::string nxdt::budgetProblem(const RunConfig &run,
                                const StrategyReport &report) {
  int64_t budget = run.strategy.budgetBytes;
  if (budget == 0 || report.totalBytes <= budget)
    return "";
  std::vector<std::pair<std::string, int64_t>> categories =
      memoryCategories(report.memory);
  std::string text = run.strategy.budgetAt + ": a rank needs ";
  for (size_t i = 0; i < categories.size(); ++i)
    text += (i ? " + " : "") + withCommas(categories[i].second);
  text += " = " + withCommas(report.totalBytes) + " bytes (" +
          humanBytes(report.totalBytes) + "), " +
          humanBytes(report.totalBytes - budget) + " more than " +
          withCommas(budget) + " (" + humanBytes(budget) + ")";
  std::stable_sort(
      categories.begin(), categories.end(),
      [](const auto &a, const auto &b) { return a.second > b.second; });
  text += "\n  largest categories:";
  for (size_t i = 0; i < 3; ++i)
    text += std::string(i ? ", " : " ") + categories[i].first + " " +
            humanBytes(categories[i].second);
  if (!report.peak.tensors.empty())
    text += "\n  largest tensors at the peak, in " + report.peak.program +
            " at " + report.peak.op + " of " + report.peak.module + ":";
  for (size_t i = 0; i < report.peak.tensors.size() && i < 5; ++i) {
    const LiveTensor &tensor = report.peak.tensors[i];
    text += "\n    " + humanBytes(tensor.bytes) + " " + tensorText(tensor) +
            " " + tensor.op + " of " + tensor.module;
  }
  return text;
}
