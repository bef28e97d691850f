//===- Bytes.h - live and highest bytes of tensors --------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Without libtorch: tensors read from files are counted here too. Memory.h is
// what others ask.
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_MEMORY_BYTES_H
#define NXDT_RUNTIME_MEMORY_BYTES_H

#include <cstdint>

namespace nxdt::runtime {

/// Host memory is taken (or given back, where negative). From any thread.
void countBytes(int64_t bytes);

int64_t liveHostBytes();
/// The highest value of liveHostBytes since the start or
/// resetHighestHostBytes.
int64_t highestHostBytes();
void resetHighestHostBytes();

} // namespace nxdt::runtime

#endif // NXDT_RUNTIME_MEMORY_BYTES_H
