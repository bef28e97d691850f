//===- RunReport.h - what was predicted, what was measured -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_TRAIN_RUNREPORT_H
#define NXDT_RUNTIME_TRAIN_RUNREPORT_H

#include "nxdt/Config/RunConfig.h"
#include "runtime/Executor/Executor.h"

#include <cstdint>
#include <string>

namespace nxdt::runtime {

/// "device cpu, 2 threads; 1,234 parameters; 512 tokens per step (...)".
std::string startLine(const RunConfig &config, const Executor &executor,
                      int threads, int64_t numParameters);

/// The table of bytes by category, predicted by the plan beside measured.
/// `activationBytes`: by how much the highest bytes of tensors during training
/// were above those that lived before the first step. `stage` names one of a
/// pipeline's; "" = there is none.
std::string memoryTable(const Executor &executor, int64_t activationBytes,
                        const std::string &stage);

} // namespace nxdt::runtime

#endif // NXDT_RUNTIME_TRAIN_RUNREPORT_H
