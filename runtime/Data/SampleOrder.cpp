//===- SampleOrder.cpp - which samples a step takes -----------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Data/SampleOrder.h"

#include "nxdt/Support/UserError.h"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace nxdt::runtime {

SampleOrder::SampleOrder(int64_t numSamples, int64_t globalBatchSize)
    : total(numSamples), globalBatch(globalBatchSize) {
  if (globalBatchSize < 1 || numSamples < globalBatchSize)
    throw std::invalid_argument("SampleOrder: " + std::to_string(numSamples) +
                                " samples, global batch " +
                                std::to_string(globalBatchSize));
  usable = numSamples - numSamples % globalBatchSize;
}

int64_t SampleOrder::firstOfStep(int64_t step) const {
  return step % stepsPerEpoch() * globalBatch;
}

int64_t SampleOrder::firstOfMicroBatch(int64_t step, int64_t microBatch,
                                       int64_t samples) const {
  return firstOfStep(step) + microBatch * samples;
}

int64_t evalBatchCount(int64_t numSamples, int64_t globalBatchSize,
                       int64_t limitBatches, double limitFraction) {
  int64_t all = (numSamples + globalBatchSize - 1) / globalBatchSize;
  if (limitFraction > 0.0) {
    auto part = static_cast<int64_t>(static_cast<double>(all) * limitFraction);
    if (part == 0)
      throw UserError(
          "trainer.limit_val_batches: " + std::to_string(limitFraction) +
          " of " + std::to_string(all) + " batches leaves none; at least " +
          std::to_string(1.0 / static_cast<double>(all)) +
          " is needed, or 0 for no evaluation");
    return part;
  }
  return limitBatches < 0 ? all : std::min(all, limitBatches);
}

} // namespace nxdt::runtime
