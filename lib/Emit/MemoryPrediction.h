//===- MemoryPrediction.h - bytes a plan will take --------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_LIB_EMIT_MEMORYPREDICTION_H
#define NXDT_LIB_EMIT_MEMORYPREDICTION_H

#include "nxdt/Plan/Plan.h"

namespace nxdt {

/// Fills `plan.memory` from buffers and frees. Views share their base's
/// storage, as the registry's aliasing says; temporaries inside kernels are
/// not counted.
void predictMemory(plan::Plan &plan);

} // namespace nxdt

#endif // NXDT_LIB_EMIT_MEMORYPREDICTION_H
