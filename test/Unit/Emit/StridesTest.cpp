//===- StridesTest.cpp - strides are libtorch's ---------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Strides.h"

#include "ATen/ATen.h"

#include <gtest/gtest.h>
#include <random>

using namespace nxdt;

namespace {
/// A tensor and what is said of it.
struct Tracked {
  at::Tensor tensor;
  Strides strides;

  Dims shape() const { return tensor.sizes().vec(); }
  /// Strides of dimensions of size 1 mean nothing.
  void check(const std::string &history) const {
    ASSERT_TRUE(strides) << history;
    for (int64_t dim = 0; dim < tensor.dim(); ++dim) {
      if (tensor.size(dim) == 1)
        continue;
      ASSERT_EQ((*strides)[dim], tensor.stride(dim))
          << history << ", dimension " << dim;
    }
    ASSERT_EQ(isRowMajor(shape(), strides), tensor.is_contiguous()) << history;
  }
};
} // namespace

/// The same number of elements in another shape: factors spread anew.
static Dims randomShape(int64_t elements, std::mt19937 &random) {
  Dims shape(1 + random() % 4, 1);
  for (int64_t factor = 2; elements > 1; ++factor)
    while (elements % factor == 0) {
      shape[random() % shape.size()] *= factor;
      elements /= factor;
    }
  return shape;
}

TEST(Strides, AreLibtorchsThroughRandomViews) {
  std::mt19937 random(7);
  int reshapes = 0, copies = 0;
  for (int trial = 0; trial < 3000; ++trial) {
    static const Dims kSizes[] = {{2, 4, 6}, {1, 3, 4, 2}, {2, 1, 8, 3}, {12}};
    Tracked now;
    now.tensor = at::zeros(kSizes[random() % 4]);
    now.strides = rowMajor(now.shape());
    std::string history = "trial " + std::to_string(trial);
    for (int i = 0; i < 4; ++i) {
      Dims shape = now.shape();
      int64_t rank = shape.size();
      int64_t a = random() % rank, b = int64_t(random() % rank) - rank;
      switch (random() % 4) {
      case 0:
        now = {now.tensor.transpose(a, b), transposed(now.strides, a, b)};
        history += ", transposed";
        break;
      case 1:
        now = {now.tensor.slice(a, 0, std::nullopt, 2),
               sliced(now.strides, a, 2)};
        history += ", sliced";
        break;
      case 2: {
        if (rank > 4)
          break;
        Dims to = shape;
        for (int64_t &size : to)
          size = size == 1 ? 3 : size;
        to.insert(to.begin(), 2);
        now = {now.tensor.expand(to), expanded(shape, now.strides, to)};
        history += ", expanded";
        break;
      }
      default: {
        Dims to = randomShape(now.tensor.numel(), random);
        at::Tensor result = now.tensor.reshape(to);
        bool isView = result.is_alias_of(now.tensor);
        Strides strides = reshaped(shape, now.strides, to);
        history += ", reshaped";
        ASSERT_EQ(strides.has_value(), isView)
            << history << " to " << result.sizes();
        ++reshapes;
        copies += !isView;
        now = {result, isView ? strides : Strides(rowMajor(to))};
      }
      }
      ASSERT_NO_FATAL_FAILURE(now.check(history));
    }
  }
  // Both happen, or nothing was tested.
  EXPECT_GT(copies, 500);
  EXPECT_GT(reshapes - copies, 500);
}

TEST(Strides, WhatIsNotKnownStaysUnknown) {
  EXPECT_FALSE(reshaped({2, 3}, std::nullopt, {6}));
  EXPECT_FALSE(transposed(std::nullopt, 0, 1));
  EXPECT_FALSE(sliced(std::nullopt, 0, 2));
  EXPECT_FALSE(expanded({1}, std::nullopt, {2}));
  EXPECT_FALSE(isRowMajor({2, 3}, std::nullopt));
}
