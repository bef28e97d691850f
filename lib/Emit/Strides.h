//===- Strides.h - how tensors lie in their storage -------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// As much of libtorch's strides as it takes to know whether a reshape copies.
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_LIB_EMIT_STRIDES_H
#define NXDT_LIB_EMIT_STRIDES_H

#include <cstdint>
#include <optional>
#include <vector>

namespace nxdt {

using Dims = std::vector<int64_t>;
/// Elements between neighbours along each dimension; none = not known.
using Strides = std::optional<Dims>;

/// Last dimension fastest, without gaps.
Dims rowMajor(const Dims &shape);
bool isRowMajor(const Dims &shape, const Strides &strides);

/// Strides of the same elements in another shape; none if they are not known or
/// only a copy has that shape.
Strides reshaped(const Dims &shape, const Strides &strides, const Dims &to);
/// Negative dimensions count from the end.
Strides transposed(Strides strides, int64_t a, int64_t b);
Strides sliced(Strides strides, int64_t dim, int64_t step);
/// Dimensions are added in front, and those of size 1 repeated.
Strides expanded(const Dims &shape, const Strides &strides, const Dims &to);

} // namespace nxdt

#endif // NXDT_LIB_EMIT_STRIDES_H
