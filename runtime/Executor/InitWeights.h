//===- InitWeights.h - initial weights by global index -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_EXECUTOR_INITWEIGHTS_H
#define NXDT_RUNTIME_EXECUTOR_INITWEIGHTS_H

#include "nxdt/Plan/Plan.h"
#include "nxdt/Plan/Slice.h"

#include "ATen/core/Tensor.h"

#include <cstdint>

namespace nxdt::runtime {

/// Fills `tensor` (the part `place` of the parameter that `buffer` belongs to,
/// in any floating type, on any device) with draws from `init`. The element at
/// a logical global index depends on (seed, buffer.param, that index) only: not
/// on the slice, its shape, padding or the number of threads. Padding is zero.
/// Init::None gives zeros.
void initWeights(const at::Tensor &tensor, const plan::Buffer &buffer,
                 const std::vector<plan::DimSlice> &place,
                 const plan::Init &init, int64_t seed);

} // namespace nxdt::runtime

#endif // NXDT_RUNTIME_EXECUTOR_INITWEIGHTS_H
