//===- DataRows.h - which rows of a micro-batch a rank reads -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_TRAIN_DATAROWS_H
#define NXDT_RUNTIME_TRAIN_DATAROWS_H

#include "nxdt/Plan/Slice.h"
#include "runtime/Executor/Executor.h"

#include <cstdint>

namespace nxdt::runtime {

/// Samples of one micro-batch of all data-parallel ranks together, and the part
/// of this rank, as the plan's buffer input_ids says.
struct DataRows {
  int64_t ofAllRanks = 0;
  int64_t first = 0;
  int64_t count = 0;

  /// UserError if the plan has no input_ids.
  explicit DataRows(const Executor &executor) {
    executor.buffer("input_ids");
    for (const plan::Buffer &buffer : executor.plan().buffers) {
      if (buffer.name != "input_ids")
        continue;
      plan::DimSlice rows =
          plan::sliceOf(buffer, executor.mesh(), executor.rank())[0];
      ofAllRanks = buffer.logicalShape.empty() ? buffer.shape[0]
                                               : buffer.logicalShape[0];
      first = rows.start;
      count = rows.size;
    }
  }
};

} // namespace nxdt::runtime

#endif // NXDT_RUNTIME_TRAIN_DATAROWS_H
