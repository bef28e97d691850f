//===- MemoryTest.cpp - temporaries die where the plan says -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "runtime/Memory/Memory.h"
#include "PlanBuilder.h"
#include "runtime/Executor/Executor.h"

#include "ATen/ops/empty.h"

#include <gtest/gtest.h>

namespace nxdt::runtime {
namespace {

using namespace plan;

TEST(Memory, CountsLiveAndHighestBytes) {
  installCountingAllocator();
  installCountingAllocator(); // once is enough, twice no harm
  int64_t base = currentBytes();
  resetPeak();
  {
    at::Tensor a = at::empty({1000}, at::kFloat);
    EXPECT_EQ(currentBytes() - base, 4000);
    at::Tensor view = a.view({10, 100});
    EXPECT_EQ(currentBytes() - base, 4000);
  }
  EXPECT_EQ(currentBytes(), base);
  EXPECT_EQ(peakBytes() - base, 4000);
  resetPeak();
  EXPECT_EQ(peakBytes(), base);
}

/// A chain of n elementwise operators: at most two temporaries live at once.
int64_t peakOfChain(int length, bool isKept) {
  constexpr int64_t kElements = 1 << 16;
  PlanBuilder b;
  b.buffer("x", DType::F32, {kElements});
  b.buffer("sum", DType::F32, {kElements});
  b.program("run");
  std::vector<ValueRef> chain = {b.use("x")};
  for (int i = 0; i < length; ++i) {
    chain.push_back(b.temporary(DType::F32, {kElements}));
    b.call("aten::neg", {chain[i]}, {chain[i + 1]});
  }
  b.call("aten::copy_", {b.use("sum"), chain.back(), false});
  if (isKept)
    for (ValueRef value : chain)
      b.call("aten::add_.Tensor", {b.use("sum"), value, int64_t(1)});
  Executor executor(b.take());
  int64_t base = currentBytes();
  resetPeak();
  executor.run("run");
  EXPECT_EQ(currentBytes(), base) << "something survived the run";
  return (peakBytes() - base) / (kElements * 4);
}

TEST(Memory, FreesAtTheLastUse) {
  installCountingAllocator();
  EXPECT_EQ(peakOfChain(10, /*isKept=*/false), 2);
  // The same with all of them used at the end: all live.
  EXPECT_EQ(peakOfChain(10, /*isKept=*/true), 10);
}

TEST(Memory, VjpLeavesNothingBehind) {
  installCountingAllocator();
  PlanBuilder b;
  b.buffer("x", DType::F32, {1 << 16});
  b.buffer("gy", DType::F32, {1 << 16});
  b.program("run");
  ValueRef gx = b.temporary(DType::F32, {1 << 16});
  b.vjp("aten::exp", {b.use("x")}, {gx}, {b.use("gy").index});
  b.call("aten::copy_", {b.use("x"), gx, false});
  Executor executor(b.take());
  int64_t base = currentBytes();
  for (int i = 0; i < 3; ++i)
    executor.run("run");
  EXPECT_EQ(currentBytes(), base);
}

} // namespace
} // namespace nxdt::runtime
