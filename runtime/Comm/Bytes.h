//===- Bytes.h - copying what may be empty ----------------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_COMM_BYTES_H
#define NXDT_RUNTIME_COMM_BYTES_H

#include <cstddef>
#include <cstring>

namespace nxdt::comm {

/// Tensors without elements have no memory, and std::memcpy may not be given a
/// null pointer, not even to copy nothing.
inline void copyBytes(void *to, const void *from, size_t bytes) {
  if (bytes > 0)
    std::memcpy(to, from, bytes);
}

} // namespace nxdt::comm

#endif // NXDT_RUNTIME_COMM_BYTES_H
