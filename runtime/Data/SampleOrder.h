//===- SampleOrder.h - which samples a step takes ---------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_DATA_SAMPLEORDER_H
#define NXDT_RUNTIME_DATA_SAMPLEORDER_H

#include <cstdint>

namespace nxdt::runtime {

/// Step g (from 0) takes samples g*gbs .. (g+1)*gbs-1 in order, modulo
/// N - N % gbs. A global batch is therefore always one contiguous range.
class SampleOrder {
public:
  /// Throws std::invalid_argument unless 1 <= globalBatchSize <= numSamples
  /// (Dataset::checkGlobalBatch tells the user first).
  SampleOrder(int64_t numSamples, int64_t globalBatchSize);

  int64_t stepsPerEpoch() const { return usable / globalBatch; }
  /// Samples at the end of the set that are never taken.
  int64_t dropped() const { return total - usable; }
  /// First sample of step g's global batch.
  int64_t firstOfStep(int64_t step) const;
  /// First sample of a micro-batch; `samples`: its size, of all data-parallel
  /// ranks together.
  int64_t firstOfMicroBatch(int64_t step, int64_t microBatch,
                            int64_t samples) const;
  /// Completed passes over the data before step g.
  int64_t epochOfStep(int64_t step) const { return step / stepsPerEpoch(); }

private:
  int64_t total;
  int64_t globalBatch;
  int64_t usable;
};

/// Global batches of one evaluation over `numSamples`: all (the last one
/// filled up), or at most `limitBatches` if that is >= 0, or the part
/// `limitFraction` in (0, 1) of all, rounded down; a fraction that leaves
/// nothing is a UserError.
int64_t evalBatchCount(int64_t numSamples, int64_t globalBatchSize,
                       int64_t limitBatches, double limitFraction);

} // namespace nxdt::runtime

#endif // NXDT_RUNTIME_DATA_SAMPLEORDER_H
