//===- ModuleState.h - parameters and buffers of a module -------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_CAPTURE_MODULESTATE_H
#define NXDT_CAPTURE_MODULESTATE_H

#include "InitTracker.h"
#include "Problems.h"
#include "Record.h"

#include <torch/nn/module.h>

namespace nxdt::capture {

/// Parameters and buffers with their tensors.
struct ModuleState {
  struct Param {
    CapturedParam captured;
    at::Tensor tensor;
  };
  struct Buffer {
    CapturedBuffer captured;
    at::Tensor tensor;
  };
  std::vector<Param> params;
  std::vector<Buffer> buffers;
};

/// Reads them off a constructed module, in the order of registration; tied
/// parameters become one. Reports what cannot be trained (frozen, integer, or
/// overlapping parameters).
ModuleState readState(const torch::nn::Module &module, Problems &problems);

/// Sets `init` of each parameter. Where it cannot be expressed and the
/// parameter is in `used`, that is reported.
void readInits(ModuleState &state, const InitTracker &inits,
               const std::vector<bool> &used, Problems &problems);

/// The part of the constructor that computes the buffers, renumbered; sets
/// their `initValue`. Reports buffers that depend on random numbers or were
/// never filled.
Record sliceForBuffers(ModuleState &state, const Record &record,
                       const Recorder &recorder, const InitTracker &inits,
                       Problems &problems);

} // namespace nxdt::capture

#endif // NXDT_CAPTURE_MODULESTATE_H
