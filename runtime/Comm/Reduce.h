//===- Reduce.h - sums, maxima and minima over ranks -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_COMM_REDUCE_H
#define NXDT_RUNTIME_COMM_REDUCE_H

#include "nxdt/Plan/Plan.h"

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace nxdt::comm {

using plan::byteSize;
using plan::DType;
using plan::name;
enum class Reduction : uint8_t { None, Sum, Max, Min };

std::string_view name(Reduction reduction);

/// dst[i] = ((srcs[0][i] op srcs[1][i]) op srcs[2][i]) ..., in this order for
/// every i, whatever the size: one element's bits depend on nothing else. bf16
/// and f16 sums are accumulated in f32 and rounded once (to nearest even).
/// Max and Min hand on NaN, and on bool are or and and; a Sum of bool is
/// refused before this. Integers wrap. dst may be one of srcs.
void reduce(const std::vector<const void *> &srcs, void *dst, int64_t count,
            DType dtype, Reduction reduction);

} // namespace nxdt::comm

#endif // NXDT_RUNTIME_COMM_REDUCE_H
