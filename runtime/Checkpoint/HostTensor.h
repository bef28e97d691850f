//===- HostTensor.h - tensors in host memory, without libtorch --*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_CHECKPOINT_HOSTTENSOR_H
#define NXDT_RUNTIME_CHECKPOINT_HOSTTENSOR_H

#include "nxdt/Plan/Plan.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace nxdt::runtime {

/// A contiguous (row-major) tensor in host memory: what checkpoint files hold.
/// Without libtorch, so that tools that only look at files start at once.
/// TorchTensor.h converts to and from at::Tensor without a copy.
struct HostTensor {
  plan::DType dtype = plan::DType::F32;
  std::vector<int64_t> shape;
  /// The elements, aligned to their size; keeps a mapped file or a torch tensor
  /// alive.
  std::shared_ptr<const std::byte> data;

  int64_t numel() const;
  int64_t sizeBytes() const;
  /// The elements as `T`, which must be the type that `dtype` says.
  template <typename T> const T *as() const {
    return reinterpret_cast<const T *>(data.get());
  }
};

using TensorMap = std::map<std::string, HostTensor>;

/// "[2,3]".
std::string shapeText(const std::vector<int64_t> &shape);
/// A tensor of its own memory; `bytes` may be null (uninitialised).
HostTensor makeHostTensor(plan::DType dtype, std::vector<int64_t> shape,
                          const void *bytes);
/// Floating-point conversion (F64, F32, BF16, F16), round to nearest even;
/// `tensor` itself if it has that type already. UserError, naming `what`, for
/// other types, and for a finite value that overflows to infinity.
HostTensor convert(const HostTensor &tensor, plan::DType dtype,
                   std::string_view what);
/// Single elements; exposed for tests.
float bf16ToFloat(uint16_t bits);
uint16_t floatToBf16(float value);
float f16ToFloat(uint16_t bits);
uint16_t floatToF16(float value);

} // namespace nxdt::runtime

#endif // NXDT_RUNTIME_CHECKPOINT_HOSTTENSOR_H
