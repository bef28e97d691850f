//===- MemoryPrediction.h - bytes a plan will take --------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_EMIT_MEMORYPREDICTION_H
#define NXDT_EMIT_MEMORYPREDICTION_H

#include "nxdt/Plan/Plan.h"

namespace nxdt {

/// Fills `plan.memory` from buffers and frees. Views share their base's
/// storage, as the registry's aliasing says; temporaries inside kernels are
/// not counted.
void predictMemory(plan::Plan &plan);

/// A temporary that lives at the peak.
struct LiveTensor {
  std::string module; ///< of the instruction that made it
  std::string op;
  plan::DType dtype = plan::DType::F32;
  std::vector<int64_t> shape; ///< of this rank
  int64_t bytes = 0;
};

/// Where a plan's temporaries need most.
struct Peak {
  std::string program; ///< empty if there are none at all
  /// The instruction after which they do.
  std::string module, op;
  int64_t bytes = 0;
  std::vector<LiveTensor> tensors; ///< largest first, all of them
};

/// The moment that `plan.memory.peakActivationBytes` counts; the tensors add up
/// to it.
Peak peakOf(const plan::Plan &plan);

} // namespace nxdt

#endif // NXDT_EMIT_MEMORYPREDICTION_H
