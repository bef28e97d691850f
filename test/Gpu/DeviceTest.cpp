//===- DeviceTest.cpp - the runtime's device is libtorch's CUDA device ----===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "runtime/Executor/Device.h"
#include "runtime/Memory/Memory.h"

#include "ATen/ATen.h"
#include "c10/cuda/CUDACachingAllocator.h"
#include "c10/cuda/CUDAFunctions.h"

#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

using namespace nxdt::runtime;

namespace {
class GpuTest : public testing::Test {
protected:
  void SetUp() override {
    const GpuSearch &gpu = findGpu();
    if (!gpu.found)
      GTEST_SKIP() << "skipped: " << gpu.line;
  }
};
} // namespace

TEST_F(GpuTest, PlansForCudaOpenTheFirstDevice) {
  c10::Device device = openDevice("cuda", "a test");
  EXPECT_EQ(device, c10::Device(c10::DeviceType::CUDA, 0));
  EXPECT_EQ(c10::cuda::current_device(), 0);
  int runtimeVersion = 0;
  ASSERT_EQ(cudaRuntimeGetVersion(&runtimeVersion), cudaSuccess);
  EXPECT_EQ(runtimeVersion / 1000, CUDART_VERSION / 1000);
}

TEST_F(GpuTest, MemoryIsWhatTheCachingAllocatorCounts) {
  c10::Device device = openDevice("cuda", "a test");
  auto counted = [] {
    constexpr auto kAll = size_t(c10::CachingAllocator::StatType::AGGREGATE);
    return c10::cuda::CUDACachingAllocator::getDeviceStats(0)
        .allocated_bytes[kAll]
        .current;
  };
  int64_t before = currentBytes(device);
  EXPECT_EQ(before, counted());
  constexpr int64_t kBytes = 4 << 20;
  at::Tensor tensor =
      at::zeros({kBytes / 4}, at::device(device).dtype(at::kFloat));
  synchronize(device);
  EXPECT_EQ(currentBytes(device), counted());
  EXPECT_EQ(currentBytes(device) - before, kBytes);
  tensor.reset();
  EXPECT_EQ(currentBytes(device), before);
  EXPECT_GE(peakBytes(device), before + kBytes);
  resetPeak(device);
  EXPECT_EQ(peakBytes(device), before);
}
