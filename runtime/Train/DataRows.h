//===- DataRows.h - which rows of a micro-batch a rank reads -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_TRAIN_DATAROWS_H
#define NXDT_RUNTIME_TRAIN_DATAROWS_H

#include "runtime/Executor/Executor.h"

#include <cstdint>

namespace nxdt::runtime {

/// Samples of one micro-batch of all data-parallel ranks together, and the part
/// of this rank. Of a pipeline all stages see the same, also those that read
/// no samples.
struct DataRows {
  int64_t ofAllRanks = 0;
  int64_t first = 0;
  int64_t count = 0;

  explicit DataRows(const Executor &executor)
      : ofAllRanks(executor.plan().microBatchSize),
        count(executor.plan().microBatchSize) {
    const plan::Mesh &mesh = executor.mesh();
    std::vector<int64_t> at = mesh.coordinates(executor.rank());
    for (size_t i = 0; i < mesh.axes.size(); ++i)
      if (mesh.axes[i].name == "dp") {
        first = at[i] * count;
        ofAllRanks = mesh.axes[i].size * count;
      }
  }
};

} // namespace nxdt::runtime

#endif // NXDT_RUNTIME_TRAIN_DATAROWS_H
