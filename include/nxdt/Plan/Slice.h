//===- Slice.h - which part of a tensor a rank holds ------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The meaning of Buffer::split, in one place: the initial weights, the files of
// a checkpoint and the checks of a plan all read it from here.
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_PLAN_SLICE_H
#define NXDT_PLAN_SLICE_H

#include "nxdt/Plan/Mesh.h"
#include "nxdt/Plan/Plan.h"

#include <cstdint>
#include <vector>

namespace nxdt::plan {

/// One dimension of a rank's part, in elements.
struct DimSlice {
  int64_t start = 0; ///< logical index of its first element
  int64_t size = 0;  ///< local, with padding: the same on all ranks
  int64_t valid = 0; ///< how many of them are not padding, from the first
  bool operator==(const DimSlice &) const = default;
};

/// A dimension of `logical` elements split by `axes`, major to minor, each time
/// into parts of ceil(size / axis size): the part of `rank`. Where nothing is
/// valid, `start` is `logical`. UserError if the axes are not of the mesh.
DimSlice sliceDim(int64_t logical, const Axes &axes, const Mesh &mesh,
                  int64_t rank);

/// One entry per dimension of the buffer, whole dimensions where it says
/// nothing of a split.
std::vector<DimSlice> sliceOf(const Buffer &buffer, const Mesh &mesh,
                              int64_t rank);

/// How a value lies, as a buffer that lies so: for the functions above.
Buffer asBuffer(const Origin &origin);

/// The local shape that `split` gives `logicalShape`: what Buffer::shape must
/// be.
std::vector<int64_t> localShape(const Buffer &buffer, const Mesh &mesh);

/// Whether `rank` writes its part of `buffer` to files: among the data-parallel
/// ranks that hold the same the first one does. (Each tensor-parallel rank
/// writes its own file whole, as NxD Training does: what they hold alike is in
/// all.) False where the part is padding only.
bool writesPart(const Buffer &buffer, const Mesh &mesh, int64_t rank);

} // namespace nxdt::plan

#endif // NXDT_PLAN_SLICE_H
