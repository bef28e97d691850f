//===- Strides.cpp - how tensors lie in their storage ---------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Strides.h"

#include <algorithm>

using namespace nxdt;

Dims nxdt::rowMajor(const Dims &shape) {
  Dims strides(shape.size(), 1);
  for (size_t dim = shape.size(); dim > 1; --dim)
    strides[dim - 2] = strides[dim - 1] * std::max<int64_t>(shape[dim - 1], 1);
  return strides;
}

bool nxdt::isRowMajor(const Dims &shape, const Strides &strides) {
  if (!strides)
    return false;
  Dims wanted = rowMajor(shape);
  for (size_t dim = 0; dim < shape.size(); ++dim)
    if (shape[dim] != 1 && (*strides)[dim] != wanted[dim])
      return false;
  return true;
}

namespace {
/// Dimensions that lie in memory like one.
struct Run {
  int64_t size = 1;
  int64_t stride = 1; ///< of the innermost
};
} // namespace

/// Outermost first; dimensions of size 1 are in none.
static std::vector<Run> runsOf(const Dims &shape, const Dims &strides) {
  std::vector<Run> runs;
  for (size_t dim = 0; dim < shape.size(); ++dim) {
    if (shape[dim] == 1)
      continue;
    bool goesOn =
        !runs.empty() && runs.back().stride == shape[dim] * strides[dim];
    if (!goesOn)
      runs.push_back({});
    runs.back().size *= shape[dim];
    runs.back().stride = strides[dim];
  }
  return runs;
}

Strides nxdt::reshaped(const Dims &shape, const Strides &strides,
                       const Dims &to) {
  if (!strides)
    return std::nullopt;
  std::vector<Run> runs = runsOf(shape, *strides);
  Dims result(to.size(), 1);
  // From the innermost: each new dimension takes its share of a run.
  int64_t taken = 1;
  for (size_t dim = to.size(); dim > 0; --dim) {
    int64_t size = to[dim - 1];
    if (!runs.empty() && taken == runs.back().size) {
      runs.pop_back();
      taken = 1;
    }
    if (size == 1)
      continue;
    if (runs.empty() || size == 0 || runs.back().size % (taken * size) != 0)
      return std::nullopt;
    result[dim - 1] = runs.back().stride * taken;
    taken *= size;
  }
  return result;
}

static size_t wrapped(int64_t dim, size_t rank) {
  return dim < 0 ? dim + rank : dim;
}

Strides nxdt::transposed(Strides strides, int64_t a, int64_t b) {
  // A scalar has a dimension 0 to name, and none to swap.
  if (strides && !strides->empty())
    std::swap((*strides)[wrapped(a, strides->size())],
              (*strides)[wrapped(b, strides->size())]);
  return strides;
}

Strides nxdt::sliced(Strides strides, int64_t dim, int64_t step) {
  if (strides && !strides->empty())
    (*strides)[wrapped(dim, strides->size())] *= step;
  return strides;
}

Strides nxdt::expanded(const Dims &shape, const Strides &strides,
                       const Dims &to) {
  if (!strides)
    return std::nullopt;
  Dims result(to.size(), 0);
  size_t added = to.size() - shape.size();
  for (size_t dim = 0; dim < shape.size(); ++dim)
    if (shape[dim] == to[added + dim])
      result[added + dim] = (*strides)[dim];
  return result;
}
