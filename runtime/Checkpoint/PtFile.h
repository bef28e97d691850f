//===- PtFile.h - torch.save files of plain containers ----------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_CHECKPOINT_PTFILE_H
#define NXDT_RUNTIME_CHECKPOINT_PTFILE_H

#include "runtime/Checkpoint/HostTensor.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace nxdt::runtime {

struct PtValue;
using PtList = std::vector<PtValue>; ///< also what a tuple is read as
/// In the order of the file. Keys are strings or integers.
using PtDict = std::vector<std::pair<PtValue, PtValue>>;

/// None, bool, int, float, str, tensor, list, dict.
struct PtValue {
  std::variant<std::monostate, bool, int64_t, double, std::string, HostTensor,
               PtList, PtDict>
      value;

  PtValue() = default;
  PtValue(bool v) : value(v) {}
  PtValue(int v) : value(static_cast<int64_t>(v)) {}
  PtValue(int64_t v) : value(v) {}
  PtValue(double v) : value(v) {}
  PtValue(const char *v) : value(std::string(v)) {}
  PtValue(std::string v) : value(std::move(v)) {}
  PtValue(HostTensor v) : value(std::move(v)) {}
  PtValue(PtList v) : value(std::move(v)) {}
  PtValue(PtDict v) : value(std::move(v)) {}

  template <typename T> const T *get() const { return std::get_if<T>(&value); }
  /// The value of a string key; nullptr if this is no dict or has no such key.
  const PtValue *find(std::string_view key) const;
};

/// Writes what `torch.load(path, weights_only=True)` reads. The file is synced
/// to disk. Returns its size and CRC-32C. UserError if it cannot be written.
struct WrittenFile {
  int64_t sizeBytes = 0;
  uint32_t crc32c = 0;
};
WrittenFile writePt(const std::string &path, const PtValue &value);

/// Reads a file of torch.save (zip format). Runs no code: anything but plain
/// containers, numbers, strings and tensors is a UserError. Tensors are views
/// of the mapped file. `verifyRecords` checks the zip's own checksums.
PtValue readPt(const std::string &path, bool verifyRecords = true);

} // namespace nxdt::runtime

#endif // NXDT_RUNTIME_CHECKPOINT_PTFILE_H
