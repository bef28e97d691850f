//===- TensorParts.h - a whole made of parts ---------------------*- C++
//-*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_CHECKPOINT_TENSORPARTS_H
#define NXDT_RUNTIME_CHECKPOINT_TENSORPARTS_H

#include "runtime/Checkpoint/HostTensor.h"
#include "runtime/Checkpoint/Manifest.h"

#include <cstdint>
#include <string>
#include <vector>

namespace nxdt::runtime {

/// A region of a tensor, in logical indices.
struct Region {
  std::vector<int64_t> start;
  std::vector<int64_t> shape;
  bool operator==(const Region &) const = default;

  int64_t numel() const;
};

/// What is in both; its numel is 0 if nothing is.
Region intersect(const Region &a, const Region &b);

/// The parts of a tensor without those that others repeat exactly. UserError
/// "<what>: ..." unless they have one type and one whole, lie in it, do not
/// overlap and leave nothing out; the message names the file.
std::vector<ManifestTensor> checkParts(const std::vector<ManifestTensor> &parts,
                                       const std::string &what);

/// Copies what `from`, which lies at `fromRegion`, has of `toRegion` into `to`.
/// Both are row-major, elements of `elementBytes`.
void copyRegion(const std::byte *from, const Region &fromRegion, std::byte *to,
                const Region &toRegion, int64_t elementBytes);

} // namespace nxdt::runtime

#endif // NXDT_RUNTIME_CHECKPOINT_TENSORPARTS_H
