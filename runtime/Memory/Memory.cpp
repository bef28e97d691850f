//===- Memory.cpp - bytes that libtorch holds -------------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "runtime/Memory/Memory.h"
#include "runtime/Memory/Bytes.h"

#include "c10/core/Allocator.h"
#include "c10/core/CachingDeviceAllocator.h"
#include "c10/core/alignment.h"
#include "c10/core/impl/alloc_cpu.h"

namespace nxdt::runtime {
namespace {

/// Bytes in front of every allocation, where its size is kept. As large as
/// libtorch's alignment, so that what follows stays aligned.
constexpr size_t kHeaderBytes = c10::gAlignment;
static_assert(kHeaderBytes >= sizeof(int64_t));

/// Frees what `CountingAllocator` gave: `data` is the pointer and, as
/// libtorch's raw allocations want, the context at once.
void release(void *data) {
  if (!data)
    return;
  auto *base = static_cast<char *>(data) - kHeaderBytes;
  countBytes(-*reinterpret_cast<int64_t *>(base));
  c10::free_cpu(base);
}

class CountingAllocator final : public c10::Allocator {
public:
  c10::DataPtr allocate(size_t bytes) override {
    c10::Device cpu(c10::DeviceType::CPU);
    if (bytes == 0)
      return {nullptr, nullptr, &release, cpu};
    auto *base = static_cast<char *>(c10::alloc_cpu(bytes + kHeaderBytes));
    *reinterpret_cast<int64_t *>(base) = int64_t(bytes);
    countBytes(int64_t(bytes));
    void *data = base + kHeaderBytes;
    return {data, data, &release, cpu};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &release; }
  void copy_data(void *dest, const void *src, size_t bytes) const override {
    default_copy_data(dest, src, bytes);
  }
};

c10::CachingDeviceAllocator::DeviceStats deviceStats(c10::Device device) {
  return c10::getDeviceAllocator(device.type())
      ->getDeviceStats(device.index() < 0 ? 0 : device.index());
}

constexpr auto kAggregate = size_t(c10::CachingAllocator::StatType::AGGREGATE);

} // namespace

void installCountingAllocator() {
  static CountingAllocator allocator;
  // libtorch's own has priority 0.
  c10::SetAllocator(c10::DeviceType::CPU, &allocator, /*priority=*/100);
}

int64_t currentBytes(c10::Device device) {
  if (device.is_cpu())
    return liveHostBytes();
  return deviceStats(device).allocated_bytes[kAggregate].current;
}

int64_t peakBytes(c10::Device device) {
  if (device.is_cpu())
    return highestHostBytes();
  return deviceStats(device).allocated_bytes[kAggregate].peak;
}

void resetPeak(c10::Device device) {
  if (device.is_cpu()) {
    resetHighestHostBytes();
    return;
  }
  c10::getDeviceAllocator(device.type())
      ->resetPeakStats(device.index() < 0 ? 0 : device.index());
}

} // namespace nxdt::runtime
