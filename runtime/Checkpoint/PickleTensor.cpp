//===- PickleTensor.cpp - tensors over the storages of a pickle -----------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "nxdt/Support/UserError.h"
#include "runtime/Checkpoint/Pickle.h"

#include <cstring>

namespace nxdt::runtime {

namespace {

using Sizes = std::vector<int64_t>;

/// What the arithmetic of a view says, all of it checked for overflow.
struct Extent {
  int64_t count = 1; ///< elements
  int64_t last = 0;  ///< index of the last one in the storage
  bool contiguous = true;
  bool overflows = false;
};

Extent extentOf(int64_t offset, const Sizes &shape, const Sizes &strides) {
  Extent extent;
  extent.last = offset;
  for (size_t i = shape.size(); i-- > 0;) {
    if (shape[i] > 1 && strides[i] != extent.count)
      extent.contiguous = false;
    int64_t span = 0;
    if (shape[i] > 0 &&
        (__builtin_mul_overflow(shape[i] - 1, strides[i], &span) ||
         __builtin_add_overflow(extent.last, span, &extent.last)))
      extent.overflows = true;
    if (__builtin_mul_overflow(extent.count, shape[i], &extent.count))
      extent.overflows = true;
  }
  return extent;
}

HostTensor gather(plan::DType dtype, const std::byte *start, const Sizes &shape,
                  const Sizes &strides, int64_t count) {
  int64_t itemBytes = plan::byteSize(dtype);
  HostTensor copy = makeHostTensor(dtype, shape, nullptr);
  auto *out = const_cast<std::byte *>(copy.data.get());
  Sizes index(shape.size(), 0);
  for (int64_t i = 0; i < count; ++i) {
    int64_t element = 0;
    for (size_t d = 0; d < shape.size(); ++d)
      element += index[d] * strides[d];
    std::memcpy(out + i * itemBytes, start + element * itemBytes,
                static_cast<size_t>(itemBytes));
    for (size_t d = shape.size(); d-- > 0 && ++index[d] == shape[d];)
      index[d] = 0;
  }
  return copy;
}

} // namespace

HostTensor tensorOverStorage(plan::DType dtype, const StorageBytes &storage,
                             int64_t offset, Sizes shape, const Sizes &strides,
                             const std::string &path) {
  std::string what = path + ": holds a tensor of shape " + shapeText(shape);
  int64_t itemBytes = plan::byteSize(dtype);
  auto available = static_cast<int64_t>(storage.size) / itemBytes;
  Extent extent = extentOf(offset, shape, strides);
  if (extent.overflows)
    throw UserError(what + ", whose size overflows");
  if (extent.count > 0 && extent.last >= available)
    throw UserError(what + " that reaches behind its storage of " +
                    std::to_string(available) + " elements");
  if (extent.count == 0)
    return makeHostTensor(dtype, std::move(shape), nullptr);
  const std::byte *start = storage.data.get() + offset * itemBytes;
  bool aligned = reinterpret_cast<uintptr_t>(start) % itemBytes == 0;
  if (extent.contiguous && aligned)
    return {dtype, std::move(shape),
            std::shared_ptr<const std::byte>(storage.data, start)};
  // A broadcast view (stride 0) could ask for more than the file ever held.
  if (extent.count > available)
    throw UserError(what + " expanded over a storage of " +
                    std::to_string(available) + " elements");
  return gather(dtype, start, shape, strides, extent.count);
}

} // namespace nxdt::runtime
