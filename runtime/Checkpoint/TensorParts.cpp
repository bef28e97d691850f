//===- TensorParts.cpp - a whole made of parts -------------------*- C++
//-*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "runtime/Checkpoint/TensorParts.h"

#include "nxdt/Support/UserError.h"

#include <algorithm>
#include <cstring>

namespace nxdt::runtime {

namespace {

/// Elements, or -1 if a size is negative or the product overflows.
int64_t checkedNumel(const std::vector<int64_t> &shape) {
  int64_t count = 1;
  for (int64_t size : shape)
    if (size < 0 || __builtin_mul_overflow(count, size, &count))
      return -1;
  return count;
}

Region regionOf(const ManifestTensor &part) {
  return {part.sliceStart, part.shape};
}

void checkInside(const ManifestTensor &part, const std::string &what) {
  auto fail = [&](const std::string &message) {
    throw UserError(what + ": the part in " + part.file + " " + message);
  };
  size_t rank = part.logicalShape.size();
  if (part.sliceStart.size() != rank || part.shape.size() != rank)
    fail("has a slice_start or a shape of another rank than its whole");
  if (checkedNumel(part.logicalShape) < 0 || checkedNumel(part.shape) < 0)
    fail("has a negative or too large shape");
  for (size_t dim = 0; dim < rank; ++dim) {
    int64_t end = 0;
    if (part.sliceStart[dim] < 0 ||
        __builtin_add_overflow(part.sliceStart[dim], part.shape[dim], &end) ||
        end > part.logicalShape[dim])
      fail("at " + shapeText(part.sliceStart) + " of shape " +
           shapeText(part.shape) + " is not inside of the whole, " +
           shapeText(part.logicalShape));
  }
}

} // namespace

int64_t Region::numel() const {
  int64_t count = 1;
  for (int64_t size : shape)
    count *= size;
  return count;
}

Region intersect(const Region &a, const Region &b) {
  Region out = a;
  for (size_t dim = 0; dim < a.start.size(); ++dim) {
    int64_t begin = std::max(a.start[dim], b.start[dim]);
    int64_t end =
        std::min(a.start[dim] + a.shape[dim], b.start[dim] + b.shape[dim]);
    out.start[dim] = begin;
    out.shape[dim] = std::max<int64_t>(0, end - begin);
  }
  return out;
}

std::vector<ManifestTensor> checkParts(const std::vector<ManifestTensor> &parts,
                                       const std::string &what) {
  if (parts.empty())
    throw UserError(what + ": has no part in any file");
  for (const ManifestTensor &part : parts) {
    checkInside(part, what);
    if (part.dtype != parts[0].dtype ||
        part.logicalShape != parts[0].logicalShape)
      throw UserError(what + ": the parts in " + parts[0].file + " and " +
                      part.file + " are not of one tensor");
  }
  std::vector<ManifestTensor> out = parts;
  auto key = [](const ManifestTensor &part) {
    return std::tie(part.sliceStart, part.shape);
  };
  std::stable_sort(out.begin(), out.end(), [&](const auto &a, const auto &b) {
    return key(a) < key(b);
  });
  out.erase(std::unique(
                out.begin(), out.end(),
                [&](const auto &a, const auto &b) { return key(a) == key(b); }),
            out.end());
  int64_t elements = 0;
  for (size_t i = 0; i < out.size(); ++i) {
    Region region = regionOf(out[i]);
    elements += region.numel();
    for (size_t j = i + 1; j < out.size(); ++j) {
      // Sorted by the first start: nothing that follows can overlap any more.
      if (!region.start.empty() &&
          out[j].sliceStart[0] >= region.start[0] + region.shape[0])
        break;
      if (intersect(region, regionOf(out[j])).numel() > 0)
        throw UserError(what + ": the parts in " + out[i].file + " and " +
                        out[j].file + " overlap");
    }
  }
  int64_t expected = checkedNumel(parts[0].logicalShape);
  if (elements != expected)
    throw UserError(what + ": its parts have " + std::to_string(elements) +
                    " of " + std::to_string(expected) +
                    " elements; the others are in no file (there are " +
                    std::to_string(out.size()) + " parts, the last one in " +
                    out.back().file + ")");
  return out;
}

void copyRegion(const std::byte *from, const Region &fromRegion, std::byte *to,
                const Region &toRegion, int64_t elementBytes) {
  Region common = intersect(fromRegion, toRegion);
  if (common.numel() == 0)
    return;
  auto rank = int64_t(common.shape.size());
  if (rank == 0) {
    std::memcpy(to, from, size_t(elementBytes));
    return;
  }
  auto offset = [&](const Region &region, const std::vector<int64_t> &index) {
    int64_t flat = 0;
    for (int64_t dim = 0; dim < rank; ++dim)
      flat = flat * region.shape[dim] + index[dim] - region.start[dim];
    return flat * elementBytes;
  };
  // Row by row; `index` counts over all dimensions but the last.
  std::vector<int64_t> index = common.start;
  size_t rowBytes = size_t(common.shape[rank - 1] * elementBytes);
  while (true) {
    std::memcpy(to + offset(toRegion, index), from + offset(fromRegion, index),
                rowBytes);
    int64_t dim = rank - 2;
    while (dim >= 0 && ++index[dim] == common.start[dim] + common.shape[dim])
      index[dim] = common.start[dim], --dim;
    if (dim < 0)
      return;
  }
}

} // namespace nxdt::runtime
