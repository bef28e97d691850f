//===- InitWeights.h - initial weights by global index -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_EXECUTOR_INITWEIGHTS_H
#define NXDT_RUNTIME_EXECUTOR_INITWEIGHTS_H

#include "nxdt/Plan/Plan.h"

#include "ATen/core/Tensor.h"

#include <cstdint>

namespace nxdt::runtime {

/// Fills `tensor` (the local part of a parameter as `buffer` describes it, in
/// any floating type, on any device) with draws from `buffer.init`. The element
/// at a logical global index depends on (seed, buffer.param, that index) only:
/// not on the slice, its shape, padding or the number of threads. Elements
/// beyond the logical shape are zero. Init::None gives zeros.
void initWeights(const at::Tensor &tensor, const plan::Buffer &buffer,
                 const plan::Init &init, int64_t seed);

} // namespace nxdt::runtime

#endif // NXDT_RUNTIME_EXECUTOR_INITWEIGHTS_H
