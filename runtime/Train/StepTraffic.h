//===- StepTraffic.h - what optimizer steps move between ranks -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_TRAIN_STEPTRAFFIC_H
#define NXDT_RUNTIME_TRAIN_STEPTRAFFIC_H

#include "nxdt/Plan/Communication.h"
#include "runtime/Comm/RankView.h"

#include <cstdint>
#include <string>
#include <vector>

namespace nxdt::runtime {

/// Counts what this rank's groups move while a step's programs run, beside what
/// the plan says.
class StepTraffic {
public:
  /// `world`: null = one rank, nothing to count.
  StepTraffic(const plan::Plan &plan, int64_t microBatches,
              comm::RankView *world);

  /// Around the programs of one optimizer step.
  void begin();
  void end();

  /// A row per group and kind, and for what goes to each other stage, predicted
  /// beside measured, of one step; empty
  /// if there were no steps, or nothing is predicted.
  std::string table() const;

private:
  struct Counts {
    int64_t calls = 0;
    int64_t inputBytes = 0;
    int64_t sentBytes = 0;
  };
  /// A kind of collective of a group, or what goes to another stage.
  struct Row {
    std::string name;
    std::vector<comm::Group *> groups;
    comm::CollectiveOp op;
    Counts predicted;
    Counts measured; ///< of all steps so far
  };
  /// Adds `sign` times what the groups have counted since they were made.
  void count(int64_t sign);

  std::vector<Row> rows;
  int64_t steps = 0;
};

} // namespace nxdt::runtime

#endif // NXDT_RUNTIME_TRAIN_STEPTRAFFIC_H
