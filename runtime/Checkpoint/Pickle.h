//===- Pickle.h - the pickles inside torch.save files -----------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_CHECKPOINT_PICKLE_H
#define NXDT_RUNTIME_CHECKPOINT_PICKLE_H

#include "runtime/Checkpoint/PtFile.h"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace nxdt::runtime {

/// The pickle (protocol 2) of `value`. Tensor number i gets the storage key
/// "i"; `tensors` collects them in that order.
std::string writePickle(const PtValue &value, std::vector<HostTensor> &tensors);

/// The bytes of a storage, by key; keeps them alive.
struct StorageBytes {
  std::shared_ptr<const std::byte> data;
  size_t size = 0;
};
using StorageLoader = std::function<StorageBytes(const std::string &key)>;

/// Interprets a pickle without running anything: a closed list of
/// constructors (tensors, OrderedDict, torch.Size), all else is a UserError
/// that starts with `path`.
PtValue readPickle(std::string_view bytes, const StorageLoader &loader,
                   const std::string &path);

/// A view of a storage (strides in elements), which must lie inside it; what is
/// not contiguous is gathered. UserErrors start with `path`.
HostTensor tensorOverStorage(plan::DType dtype, const StorageBytes &storage,
                             int64_t offset, std::vector<int64_t> shape,
                             const std::vector<int64_t> &strides,
                             const std::string &path);

} // namespace nxdt::runtime

#endif // NXDT_RUNTIME_CHECKPOINT_PICKLE_H
