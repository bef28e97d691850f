//===- Bytes.cpp - live and highest bytes of tensors ----------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "runtime/Memory/Bytes.h"

#include <atomic>

namespace nxdt::runtime {
namespace {

std::atomic<int64_t> liveBytes = 0;
std::atomic<int64_t> highestBytes = 0;

} // namespace

void countBytes(int64_t bytes) {
  int64_t now = liveBytes.fetch_add(bytes, std::memory_order_relaxed) + bytes;
  int64_t highest = highestBytes.load(std::memory_order_relaxed);
  while (now > highest && !highestBytes.compare_exchange_weak(
                              highest, now, std::memory_order_relaxed))
    ;
}

int64_t liveHostBytes() { return liveBytes.load(std::memory_order_relaxed); }

int64_t highestHostBytes() {
  return highestBytes.load(std::memory_order_relaxed);
}

void resetHighestHostBytes() {
  highestBytes.store(liveHostBytes(), std::memory_order_relaxed);
}

} // namespace nxdt::runtime
