//===- Reshard.h - a checkpoint for other ranks -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_CHECKPOINT_RESHARD_H
#define NXDT_RUNTIME_CHECKPOINT_RESHARD_H

#include "nxdt/Plan/Plan.h"
#include "runtime/Checkpoint/CheckpointReader.h"

#include <string>
#include <vector>

namespace nxdt::runtime {

/// UserError unless `reader` has exactly the parameters of `plan`, in their
/// shapes. Of a pipeline that is plan::wholeOf.
void requireWeightsOf(const CheckpointReader &reader, const plan::Plan &plan);

/// UserError unless `reader` has exactly the optimizer states of `plan`.
/// Masters may be missing or be too many: the weights are the same.
void requireOptimizerOf(const CheckpointReader &reader, const plan::Plan &plan);

/// The state that holds the fp32 weights of a parameter: "master", or "" (the
/// weights themselves) where there are no masters.
std::string weightState(const CheckpointReader &reader,
                        const std::string &param);

/// Writes <dir>/<tagName>.ckpt as the ranks of `family` would: the same weights
/// and optimizer state, cut anew. Weights become masters and the other way
/// round where the precision is another one. `configJson` replaces the stored
/// configuration if it is not empty. Returns the tag folder; UserError if the
/// two do not fit.
std::string reshard(CheckpointReader &reader, const plan::PlanFamily &family,
                    const std::string &dir, const std::string &tagName,
                    const std::string &configJson = "");

} // namespace nxdt::runtime

#endif // NXDT_RUNTIME_CHECKPOINT_RESHARD_H
