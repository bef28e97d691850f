//===- Slice.cpp - which part of a tensor a rank holds ----------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "nxdt/Plan/Slice.h"

#include <algorithm>

namespace nxdt::plan {

DimSlice sliceDim(int64_t logical, const Axes &axes, const Mesh &mesh,
                  int64_t rank) {
  DimSlice out = {0, logical, logical};
  for (const std::string &axis : axes) {
    GroupSpec spec = toGroupSpec({axis});
    checkGroupSpec(mesh, spec);
    int64_t parts = groupSize(mesh, spec);
    out.size = out.size / parts + (out.size % parts != 0);
    int64_t before = groupIndex(mesh, spec, rank) * out.size;
    // Padding of the part above is not what comes after it in the whole.
    out.start += std::min(before, out.valid);
    out.valid = std::clamp<int64_t>(out.valid - before, 0, out.size);
  }
  if (out.valid == 0)
    out.start = logical;
  return out;
}

std::vector<DimSlice> sliceOf(const Buffer &buffer, const Mesh &mesh,
                              int64_t rank) {
  const std::vector<int64_t> &whole =
      buffer.logicalShape.empty() ? buffer.shape : buffer.logicalShape;
  std::vector<DimSlice> out;
  for (size_t dim = 0; dim < whole.size(); ++dim)
    out.push_back(sliceDim(
        whole[dim], dim < buffer.split.size() ? buffer.split[dim] : Axes(),
        mesh, rank));
  return out;
}

Buffer asBuffer(const Origin &origin) {
  Buffer out;
  out.name = origin.name;
  out.logicalShape = origin.logicalShape;
  out.split = origin.split;
  out.partial = origin.partial;
  return out;
}

bool writesPart(const Buffer &buffer, const Mesh &mesh, int64_t rank) {
  std::vector<DimSlice> mine = sliceOf(buffer, mesh, rank);
  for (const DimSlice &slice : mine)
    if (slice.valid == 0)
      return false;
  // All ranks that differ along dp and cp only, in their order.
  GroupSpec spec;
  for (const MeshAxis &axis : mesh.axes)
    if (axis.name == "dp" || axis.name == "cp")
      spec.axes.push_back({axis.name});
  if (spec.axes.empty())
    return true;
  for (int64_t other : groupRanks(mesh, spec, rank))
    if (sliceOf(buffer, mesh, other) == mine)
      return other == rank;
  return true;
}

std::vector<int64_t> localShape(const Buffer &buffer, const Mesh &mesh) {
  std::vector<int64_t> out;
  for (const DimSlice &slice : sliceOf(buffer, mesh, 0))
    out.push_back(slice.size);
  return out;
}

} // namespace nxdt::plan
