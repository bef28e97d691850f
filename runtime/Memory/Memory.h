//===- Memory.h - bytes that libtorch holds ---------------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What nxdt-opt predicts, nxdt-run measures: live and highest bytes of tensor
// storages. On the CPU a counting allocator stands before libtorch's own, and
// what tensors read from files own (HostTensor) counts too; on
// CUDA the caching allocator's statistics are asked. Scratch memory that
// kernels take from malloc themselves is not in it.
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_MEMORY_MEMORY_H
#define NXDT_RUNTIME_MEMORY_MEMORY_H

#include "c10/core/Device.h"

#include <cstdint>

namespace nxdt::runtime {

/// Puts the counting allocator before libtorch's CPU allocator. Idempotent;
/// before the first tensor whose bytes shall be counted, from one thread.
void installCountingAllocator();

/// Bytes of the live storages of `device` made since then.
int64_t currentBytes(c10::Device device = c10::DeviceType::CPU);
/// The highest value of currentBytes since the start or resetPeak.
int64_t peakBytes(c10::Device device = c10::DeviceType::CPU);
void resetPeak(c10::Device device = c10::DeviceType::CPU);

} // namespace nxdt::runtime

#endif // NXDT_RUNTIME_MEMORY_MEMORY_H
