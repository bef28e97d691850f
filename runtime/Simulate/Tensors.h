//===- Tensors.h - parts of a tensor against the whole -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_SIMULATE_TENSORS_H
#define NXDT_RUNTIME_SIMULATE_TENSORS_H

#include "nxdt/Plan/Mesh.h"
#include "nxdt/Plan/Plan.h"

#include "ATen/core/Tensor.h"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace nxdt::runtime {

/// How ranks hold a tensor: of a buffer, or of a value with an origin.
struct Layout {
  plan::Buffer buffer;
  plan::Reduction reduction = plan::Reduction::Sum;

  Layout(plan::Buffer buffer) : buffer(std::move(buffer)) {}
  Layout(const plan::Origin &origin);
  /// "[[dp], []], partial [tp]".
  std::string text() const;
};

/// The tensor of a rank.
using TensorOf = std::function<at::Tensor(int64_t rank)>;

/// Where two tensors are farthest apart.
struct Apart {
  /// Of the whole's largest absolute element; infinite if one of two elements
  /// is not finite and the other differs, and if a shape differs.
  double relative = 0.0;
  int64_t rank = 0;
};

/// Every rank's part against the whole. Terms of a sum are added up over the
/// ranks that have them; padding does not count.
Apart compareWithWhole(const Layout &layout, const plan::Mesh &mesh,
                       const TensorOf &part, const at::Tensor &whole);

/// The first two ranks that hold the same part, but not the same bits; -1 if
/// all do. Padding counts.
std::pair<int64_t, int64_t> replicasApart(const Layout &layout,
                                          const plan::Mesh &mesh,
                                          const TensorOf &part);

/// The first rank whose padding is not zero; -1 if there is none.
int64_t paddingNotZero(const Layout &layout, const plan::Mesh &mesh,
                       const TensorOf &part);

} // namespace nxdt::runtime

#endif // NXDT_RUNTIME_SIMULATE_TENSORS_H
