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

#include <atomic>
#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace nxdt::runtime {

/// One run of a program by the ranks of a stage.
struct ProgramRun {
  int64_t stage = 0;
  size_t program = 0; ///< in the stage's plan
  int64_t microBatch = 0;
  auto operator<=>(const ProgramRun &) const = default;
};

/// Copies of the named values of all that ran since start(), of all ranks.
class Recording final : public PlanRanks::Observer {
public:
  /// Observes `ranks` from now on, which must outlive it. `keepsBuffers`: what
  /// rank 0's buffers held before and after each program, too.
  Recording(PlanRanks &ranks, bool keepsBuffers);

  /// Forgets everything, and records.
  void start();
  void stop() { isOn = false; }

  /// By micro-batch, and then as they began: none before what it depends on of
  /// the same micro-batch.
  std::vector<ProgramRun> runs() const;
  /// As they began alone.
  std::vector<ProgramRun> runsByTime() const;
  /// Undefined where the value was not seen. Of carries that another stage has
  /// sent, what arrived.
  at::Tensor value(int64_t rank, const ProgramRun &run, int32_t index) const;
  /// What a buffer of rank 0 held; undefined if there is none.
  at::Tensor bufferBefore(const ProgramRun &run, const std::string &name) const;
  at::Tensor bufferAfter(const ProgramRun &run, const std::string &name) const;

private:
  void begin(int64_t rank, size_t program, int64_t microBatch,
             const std::vector<at::Tensor> &now) override;
  void ran(int64_t rank, size_t index,
           const std::vector<at::Tensor> &now) override;
  void ended(int64_t rank) override;
  at::Tensor find(const std::map<ProgramRun, std::vector<at::Tensor>> &kept,
                  const ProgramRun &run, const std::string &name) const;
  void keepBuffers(std::map<ProgramRun, std::vector<at::Tensor>> &kept,
                   const ProgramRun &run);

  using Values = std::map<int32_t, at::Tensor>;
  /// Of a rank; only its thread writes here.
  struct OfRank {
    ProgramRun current;
    std::map<ProgramRun, Values> values;
    std::map<ProgramRun, int64_t> began; ///< when, in a count of all ranks
  };
  PlanRanks &ranks;
  bool keepsBuffers;
  bool isOn = false;
  std::atomic<int64_t> count = 0;
  std::vector<OfRank> ofRanks;
  std::map<ProgramRun, std::vector<at::Tensor>> before, after; ///< of rank 0
};

/// What two recordings have of values of the same names: which differ.
class ValueComparison {
public:
  ValueComparison(const PlanRanks &ranks, const Recording &parts,
                  const PlanRanks &whole, const Recording &wholeValues,
                  const Tolerance &allowed);

  /// In the order of runs(): what the first operation is whose result differs
  /// by more than is allowed, in words; nothing if there is none.
  std::optional<std::string> firstDifference();
  /// The same of a buffer that differs: what wrote it last.
  std::string writerOf(const std::string &buffer) const;

  /// Of firstDifference: values compared, and the largest difference.
  int64_t compared() const { return numCompared; }
  const Apart &largest() const { return largestApart; }
  const std::string &largestName() const { return largestAt; }

private:
  const plan::Plan &planOf(const ProgramRun &run) const;
  const plan::Program &programOf(const ProgramRun &run) const;
  at::Tensor wholeOf(const std::string &name, int64_t microBatch) const;
  std::optional<ProgramRun> wholeRun(const std::string &name,
                                     int64_t microBatch) const;
  at::Tensor partOf(const ProgramRun &run, int32_t index, int64_t rank) const;
  /// Where it differs, in words.
  std::optional<std::string> compare(const ProgramRun &run, int32_t index,
                                     const std::string &maker);
  std::optional<std::string> compareArrivals(const ProgramRun &run);
  std::string placeOf(const ProgramRun &run) const;
  std::string describe(const ProgramRun &run, size_t instruction) const;
  std::string sources(const ProgramRun &run, size_t instruction) const;

  const PlanRanks &ranks;
  const Recording &parts;
  const PlanRanks &whole;
  const Recording &wholeValues;
  Tolerance allowed;
  /// Of the whole plan: by program and name.
  std::vector<std::map<std::string, int32_t>> wholeIndex;
  int64_t numCompared = 0;
  Apart largestApart;
  std::string largestAt;
};

/// "3.1e-07"; "not finite" for infinity.
std::string shownApart(double relative);

} // namespace nxdt::runtime

#endif // NXDT_RUNTIME_SIMULATE_VALUES_H
