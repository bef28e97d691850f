//===- FileMemory.h - bytes that loading and saving take --------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_PLAN_FILEMEMORY_H
#define NXDT_PLAN_FILEMEMORY_H

#include "nxdt/Plan/Plan.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace nxdt::plan {

/// What a rank needs beside its buffers before the first step and while it
/// saves, in bytes: the largest of a stage's ranks. Mapped files are not
/// counted.
struct FileMemory {
  /// Weights drawn from a seed: those that are not fp32 are drawn in pieces.
  int64_t drawBytes = 0;
  /// A checkpoint of the same ranks, or Hugging Face's files: they are mapped,
  /// and each tensor is copied from there.
  int64_t resumeBytes = 0;
  /// At most, a checkpoint of other ranks: a part is put together, one at a
  /// time. What was cut alike is copied from the mapped file.
  int64_t reshardBytes = 0;
  /// Copies of parts that do not lie in one piece without their padding; a save
  /// holds all at once.
  int64_t saveBytes = 0;
  /// What the ranks tell each other of the files that they have written: all of
  /// it, on each. The length of the text is an estimate to a few percent.
  int64_t tellBytes = 0;

  bool operator==(const FileMemory &) const = default;
};

/// Of the ranks of `stage`. None for devices other than the CPU: what copies
/// to and from a device take is not known here.
std::optional<FileMemory> fileMemoryOf(const PlanFamily &family, int64_t stage);
/// Of each stage; empty where fileMemoryOf has none.
std::vector<FileMemory> fileMemoriesOf(const PlanFamily &family);

/// Rows of `size` elements that are drawn at once where a tensor of `rows` of
/// them is not filled in place.
int64_t rowsDrawnAtOnce(int64_t rows, int64_t size);

} // namespace nxdt::plan

#endif // NXDT_PLAN_FILEMEMORY_H
