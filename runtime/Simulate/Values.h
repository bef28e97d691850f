//===- Values.h - values inside of programs, compared -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_SIMULATE_VALUES_H
#define NXDT_RUNTIME_SIMULATE_VALUES_H

#include "runtime/Simulate/PlanRanks.h"
#include "runtime/Simulate/Tensors.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace nxdt::runtime {

/// Copies of the named values of one run of a program, of all ranks.
class Recording {
public:
  /// Observes `ranks` from now on, which must outlive it.
  explicit Recording(PlanRanks &ranks);

  /// Forgets everything, keeps what buffers hold now, and records.
  void start();
  void stop() { isOn = false; }

  /// Undefined where the value was not seen.
  at::Tensor value(int64_t rank, int32_t index) const;
  /// What a buffer of rank 0 held at start(); undefined if there is none.
  at::Tensor bufferBefore(const std::string &name) const;

private:
  PlanRanks &ranks;
  bool isOn = false;
  std::vector<std::map<int32_t, at::Tensor>> values; ///< by rank
  std::vector<at::Tensor> before;                    ///< buffers of rank 0
};

/// One program of two plans, run on the same data: which of its values differ.
class ProgramComparison {
public:
  ProgramComparison(const PlanRanks &ranks, const Recording &parts,
                    const PlanRanks &whole, const Recording &wholeValues,
                    const std::string &program, const Tolerance &allowed);

  /// In program order: what the first operation is whose result differs by more
  /// than is allowed, in words; nothing if there is none.
  std::optional<std::string> firstDifference();
  /// The same of a buffer that differs: what wrote it.
  std::string writerOf(const std::string &buffer) const;

  /// Of firstDifference: values compared, and the largest difference.
  int64_t compared() const { return numCompared; }
  const Apart &largest() const { return largestApart; }
  const std::string &largestName() const { return largestAt; }

private:
  at::Tensor wholeOf(const std::string &name) const;
  Apart compare(int32_t index, const at::Tensor &expected) const;
  std::string describe(size_t instruction) const;
  std::string sources(size_t instruction) const;

  const PlanRanks &ranks;
  const Recording &parts;
  const PlanRanks &whole;
  const Recording &wholeValues;
  const plan::Program &program;
  Tolerance allowed;
  /// Of the whole plan's program.
  std::map<std::string, int32_t> wholeIndex;
  int64_t numCompared = 0;
  Apart largestApart;
  std::string largestAt;
};

/// "3.1e-07"; "not finite" for infinity.
std::string shownApart(double relative);

} // namespace nxdt::runtime

#endif // NXDT_RUNTIME_SIMULATE_VALUES_H
