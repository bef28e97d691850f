//===- TorchTensor.h - HostTensor and at::Tensor ----------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_CHECKPOINT_TORCHTENSOR_H
#define NXDT_RUNTIME_CHECKPOINT_TORCHTENSOR_H

#include "runtime/Checkpoint/HostTensor.h"

#include "ATen/core/Tensor.h"
#include "ATen/ops/from_blob.h"

#include <stdexcept>

namespace nxdt::runtime {

inline at::ScalarType torchType(plan::DType dtype) {
  switch (dtype) {
  case plan::DType::F64:
    return at::kDouble;
  case plan::DType::F32:
    return at::kFloat;
  case plan::DType::BF16:
    return at::kBFloat16;
  case plan::DType::F16:
    return at::kHalf;
  case plan::DType::I64:
    return at::kLong;
  case plan::DType::I32:
    return at::kInt;
  case plan::DType::U8:
    return at::kByte;
  case plan::DType::Bool:
    return at::kBool;
  }
  throw std::logic_error("torchType: unknown dtype");
}

inline plan::DType planType(at::ScalarType type) {
  switch (type) {
  case at::kDouble:
    return plan::DType::F64;
  case at::kFloat:
    return plan::DType::F32;
  case at::kBFloat16:
    return plan::DType::BF16;
  case at::kHalf:
    return plan::DType::F16;
  case at::kLong:
    return plan::DType::I64;
  case at::kInt:
    return plan::DType::I32;
  case at::kByte:
    return plan::DType::U8;
  case at::kBool:
    return plan::DType::Bool;
  default:
    throw std::logic_error("planType: a tensor type that plans do not have");
  }
}

/// The same elements, copied only if `tensor` is not contiguous or not on the
/// CPU. Shares memory: save it before the tensor changes.
inline HostTensor toHost(const at::Tensor &tensor) {
  auto owner =
      std::make_shared<at::Tensor>(tensor.detach().to(at::kCPU).contiguous());
  HostTensor host;
  host.dtype = planType(owner->scalar_type());
  host.shape = owner->sizes().vec();
  host.data = std::shared_ptr<const std::byte>(
      owner, static_cast<const std::byte *>(owner->const_data_ptr()));
  return host;
}

/// A tensor over the same memory, which is read-only (often a mapped file):
/// a source for `copy_`, never a destination.
inline at::Tensor toTorch(const HostTensor &host) {
  auto owner = host.data;
  return at::from_blob(
      const_cast<std::byte *>(host.data.get()), host.shape, [owner](void *) {},
      at::TensorOptions().dtype(torchType(host.dtype)));
}

} // namespace nxdt::runtime

#endif // NXDT_RUNTIME_CHECKPOINT_TORCHTENSOR_H
