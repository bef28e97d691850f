//===- Trainer.h - the training loop -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_TRAIN_TRAINER_H
#define NXDT_RUNTIME_TRAIN_TRAINER_H

#include "runtime/Train/PlanFolder.h"

#include <cstdio>

namespace nxdt::runtime {

/// Trains as the folder says, telling `out` how it goes. Returns the process'
/// exit code: 0, or 128 + n if signal n ended the run between two steps.
/// UserError for everything that the user can act on; what is on disk is then
/// whole: the checkpoints and the metrics of completed steps.
int train(PlanFolder folder, std::FILE *out);

} // namespace nxdt::runtime

#endif // NXDT_RUNTIME_TRAIN_TRAINER_H
