//===- RunReport.h - what was predicted, what was measured -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_TRAIN_RUNREPORT_H
#define NXDT_RUNTIME_TRAIN_RUNREPORT_H

#include "nxdt/Config/RunConfig.h"
#include "nxdt/Plan/FileMemory.h"
#include "runtime/Executor/Executor.h"

#include <cstdint>
#include <optional>
#include <string>

namespace nxdt::runtime {

/// "device cpu, 2 threads; 1,234 parameters; 512 tokens per step (...)".
std::string startLine(const RunConfig &config, const Executor &executor,
                      int threads, int64_t numParameters);

/// What putting in weights and saving them took on this rank, in bytes beside
/// what lived before.
struct FileUse {
  enum class Load {
    Drawn,
    Mapped,    ///< from files of equal ranks, or Hugging Face's
    Resharded, ///< from a checkpoint of other ranks
  };
  Load load = Load::Drawn;
  int64_t loadBytes = 0;
  int64_t saveBytes = -1; ///< -1: nothing was saved
};

/// The table of bytes by category, predicted by the plan beside measured.
/// `activationBytes`: by how much the highest bytes of tensors during training
/// were above those that lived before the first step. `stage` names one of a
/// pipeline's; "" = there is none. Below, without `files` nothing: all that a
/// rank holds while it loads and saves.
std::string memoryTable(const Executor &executor, int64_t activationBytes,
                        const std::string &stage,
                        const std::optional<plan::FileMemory> &files,
                        const FileUse &use);

} // namespace nxdt::runtime

#endif // NXDT_RUNTIME_TRAIN_RUNREPORT_H
