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

/// The tensor of a rank; undefined where it holds none of it (another stage's).
using TensorOf = std::function<at::Tensor(int64_t rank)>;

/// Where two tensors are farthest apart.
struct Apart {
  /// Of the whole's largest absolute element; infinite if one of two elements
  /// is not finite and the other differs, and if a shape differs.
  double relative = 0.0;
  int64_t rank = 0;
  /// The most elements of a rank that are apart by more than is allowed.
  int64_t beyond = 0;
};

/// How far apart equal tensors may be, of the whole's largest absolute element.
struct Tolerance {
  double all = 0.0;
  /// A few elements may be this far apart. Where the gradient of an element is
  /// near zero, Adam's update is its sign, and that is rounding.
  double few = 0.0;
  static constexpr int64_t kFew = 10;

  Tolerance(double all) : all(all), few(all) {}
  Tolerance(double all, double few) : all(all), few(few) {}
  bool holds(const Apart &apart) const {
    return apart.relative <= (apart.beyond <= kFew ? few : all);
  }
};

/// Every rank's part against the whole. Terms of a sum are added up over the
/// ranks that have them; padding does not count. Infinitely apart if no rank
/// has any of it.
Apart compareWithWhole(const Layout &layout, const plan::Mesh &mesh,
                       const TensorOf &part, const at::Tensor &whole,
                       const Tolerance &allowed);

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
