//===- Crc.h - checksums ----------------------------------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_CHECKPOINT_CRC_H
#define NXDT_RUNTIME_CHECKPOINT_CRC_H

#include <cstddef>
#include <cstdint>

namespace nxdt::runtime {

/// CRC-32C (Castagnoli) of `size` more bytes; `crc` is the result so far (0 at
/// the start). By the processor's instruction where it has one. For manifests
/// and TensorBoard's records.
uint32_t crc32c(uint32_t crc, const void *data, size_t size);

/// CRC-32 (IEEE), for zip files.
uint32_t crc32(uint32_t crc, const void *data, size_t size);

/// The portable CRC-32C; exposed for tests.
uint32_t crc32cPortable(uint32_t crc, const void *data, size_t size);

} // namespace nxdt::runtime

#endif // NXDT_RUNTIME_CHECKPOINT_CRC_H
