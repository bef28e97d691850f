//===- TorchTensor.h - HostTensor and at::Tensor ----------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_CHECKPOINT_TORCHTENSOR_H
#define NXDT_RUNTIME_CHECKPOINT_TORCHTENSOR_H

#include "nxdt/Plan/TorchTypes.h"
#include "runtime/Checkpoint/HostTensor.h"

#include "ATen/core/Tensor.h"
#include "ATen/ops/from_blob.h"

namespace nxdt::runtime {

using plan::planType;
using plan::torchType;

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
