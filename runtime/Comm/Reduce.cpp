//===- Reduce.cpp - sums, maxima and minima over ranks -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "runtime/Comm/Reduce.h"

#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include <algorithm>
#include <cmath>
#include <type_traits>

namespace nxdt::comm {

std::string_view name(Reduction reduction) {
  constexpr std::string_view names[] = {"", "sum", "max", "min"};
  size_t index = static_cast<size_t>(reduction);
  return index < std::size(names) ? names[index] : "?";
}

namespace {

struct Add {
  template <typename T> T operator()(T a, T b) const {
    if constexpr (std::is_integral_v<T>) {
      using Unsigned = std::make_unsigned_t<T>;
      return static_cast<T>(static_cast<Unsigned>(a) +
                            static_cast<Unsigned>(b));
    } else {
      return a + b;
    }
  }
};
struct Larger {
  template <typename T> T operator()(T a, T b) const {
    if constexpr (std::is_floating_point_v<T>)
      return a != a ? a : (b != b || b > a) ? b : a;
    else
      return b > a ? b : a;
  }
};
struct Smaller {
  template <typename T> T operator()(T a, T b) const {
    if constexpr (std::is_floating_point_v<T>)
      return a != a ? a : (b != b || b < a) ? b : a;
    else
      return b < a ? b : a;
  }
};

/// Pieces that stay in the first-level cache while the sources pass by.
constexpr int64_t kPiece = 2048;

template <typename T, typename Acc, typename Op>
void reduceTyped(const std::vector<const void *> &srcs, void *dst,
                 int64_t count, Op op) {
  Acc acc[kPiece];
  for (int64_t begin = 0; begin < count; begin += kPiece) {
    int64_t n = std::min(kPiece, count - begin);
    const T *first = static_cast<const T *>(srcs[0]) + begin;
    for (int64_t i = 0; i < n; ++i)
      acc[i] = static_cast<Acc>(first[i]);
    for (size_t s = 1; s < srcs.size(); ++s) {
      const T *src = static_cast<const T *>(srcs[s]) + begin;
      for (int64_t i = 0; i < n; ++i)
        acc[i] = op(acc[i], static_cast<Acc>(src[i]));
    }
    T *out = static_cast<T *>(dst) + begin;
    for (int64_t i = 0; i < n; ++i)
      out[i] = static_cast<T>(acc[i]);
  }
}

template <typename Op>
void reduceWith(const std::vector<const void *> &srcs, void *dst, int64_t count,
                DType dtype, Op op) {
  switch (dtype) {
  case DType::F64:
    return reduceTyped<double, double>(srcs, dst, count, op);
  case DType::F32:
    return reduceTyped<float, float>(srcs, dst, count, op);
  case DType::BF16:
    return reduceTyped<c10::BFloat16, float>(srcs, dst, count, op);
  case DType::F16:
    return reduceTyped<c10::Half, float>(srcs, dst, count, op);
  case DType::I64:
    return reduceTyped<int64_t, int64_t>(srcs, dst, count, op);
  case DType::I32:
    return reduceTyped<int32_t, int32_t>(srcs, dst, count, op);
  case DType::U8:
  case DType::Bool:
    return reduceTyped<uint8_t, uint8_t>(srcs, dst, count, op);
  }
}

} // namespace

void reduce(const std::vector<const void *> &srcs, void *dst, int64_t count,
            DType dtype, Reduction reduction) {
  switch (reduction) {
  case Reduction::None:
    return;
  case Reduction::Sum:
    return reduceWith(srcs, dst, count, dtype, Add());
  case Reduction::Max:
    return reduceWith(srcs, dst, count, dtype, Larger());
  case Reduction::Min:
    return reduceWith(srcs, dst, count, dtype, Smaller());
  }
}

} // namespace nxdt::comm
