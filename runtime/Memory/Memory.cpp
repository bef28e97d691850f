//===- Memory.cpp - bytes that libtorch holds -------------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "runtime/Memory/Memory.h"

#include "c10/core/Allocator.h"
#include "c10/core/CachingDeviceAllocator.h"

#include <atomic>

namespace nxdt::runtime {
namespace {

std::atomic<int64_t> liveBytes = 0;
std::atomic<int64_t> highestBytes = 0;

void count(int64_t bytes) {
  int64_t now = liveBytes.fetch_add(bytes, std::memory_order_relaxed) + bytes;
  int64_t highest = highestBytes.load(std::memory_order_relaxed);
  while (now > highest && !highestBytes.compare_exchange_weak(
                              highest, now, std::memory_order_relaxed))
    ;
}

/// What a counted DataPtr owns: the real one, and how much to subtract.
struct Counted {
  c10::DataPtr inner;
  int64_t bytes;
};

void release(void *context) {
  auto *counted = static_cast<Counted *>(context);
  liveBytes.fetch_sub(counted->bytes, std::memory_order_relaxed);
  delete counted;
}

class CountingAllocator final : public c10::Allocator {
public:
  explicit CountingAllocator(c10::Allocator *inner) : inner(inner) {}

  c10::DataPtr allocate(size_t bytes) override {
    auto *counted = new Counted{{}, int64_t(bytes)};
    try {
      counted->inner = inner->allocate(bytes);
    } catch (...) {
      delete counted;
      throw;
    }
    count(counted->bytes);
    return {counted->inner.get(), counted, &release, counted->inner.device()};
  }
  void copy_data(void *dest, const void *src, size_t bytes) const override {
    default_copy_data(dest, src, bytes);
  }

private:
  c10::Allocator *inner;
};

c10::CachingDeviceAllocator::DeviceStats deviceStats(c10::Device device) {
  return c10::getDeviceAllocator(device.type())
      ->getDeviceStats(device.index() < 0 ? 0 : device.index());
}

constexpr auto kAggregate = size_t(c10::CachingAllocator::StatType::AGGREGATE);

} // namespace

void installCountingAllocator() {
  static CountingAllocator allocator(c10::GetAllocator(c10::DeviceType::CPU));
  // libtorch's own has priority 0.
  c10::SetAllocator(c10::DeviceType::CPU, &allocator, /*priority=*/100);
}

int64_t currentBytes(c10::Device device) {
  if (device.is_cpu())
    return liveBytes.load(std::memory_order_relaxed);
  return deviceStats(device).allocated_bytes[kAggregate].current;
}

int64_t peakBytes(c10::Device device) {
  if (device.is_cpu())
    return highestBytes.load(std::memory_order_relaxed);
  return deviceStats(device).allocated_bytes[kAggregate].peak;
}

void resetPeak(c10::Device device) {
  if (device.is_cpu()) {
    highestBytes.store(liveBytes.load(std::memory_order_relaxed),
                       std::memory_order_relaxed);
    return;
  }
  c10::getDeviceAllocator(device.type())
      ->resetPeakStats(device.index() < 0 ? 0 : device.index());
}

} // namespace nxdt::runtime
