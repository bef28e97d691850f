//===- IndexLinesTest.cpp - random masks, against libtorch ----------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the fusion of attention believes of a mask must be what libtorch
// computes, element by element.
//
//===----------------------------------------------------------------------===//
#include "PassCompiler.h"
#include "RandomMask.h"
#include "runtime/Executor/Executor.h"

#include <ATen/ops/allclose.h>

#include <gtest/gtest.h>

using namespace nxdt::test;

TEST(IndexLines, AreTheElementsThatLibtorchComputes) {
  int known = 0;
  constexpr int kPrograms = 400;
  for (uint64_t seed = 0; seed < kPrograms; ++seed) {
    Dice dice(seed);
    RandomMask mask(dice, 7, 9);
    std::string text = "func.func @forward() -> " + mask.type() + " {\n" +
                       mask.body() + "  return " + mask.name() + " : " +
                       mask.type() + "\n}\n";
    SCOPED_TRACE("seed " + std::to_string(seed) + "\n" + text);
    std::optional<std::vector<double>> elements;
    ASSERT_NO_THROW(elements = elementsOf(text));
    if (!elements)
      continue;
    ++known;
    Compiled compiled;
    ASSERT_NO_THROW(compiled = compile(text, "verify-capture"));
    nxdt::runtime::Executor executor(std::move(compiled.plan));
    executor.run("forward");
    at::Tensor wanted =
        executor.buffer("out0").to(at::kDouble).contiguous().view({-1});
    for (size_t i = 0; i < elements->size(); ++i) {
      double found = (*elements)[i], want = wanted[i].item<double>();
      ASSERT_TRUE(found == want || (found != found && want != want))
          << "row " << i / 9 << ", column " << i % 9 << ": " << found
          << ", libtorch computes " << want;
    }
  }
  // Giving up is always right, and would test nothing.
  EXPECT_GT(known, kPrograms * 3 / 4);
}
