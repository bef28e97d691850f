//===- Tensors.cpp - parts of a tensor against the whole -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "runtime/Simulate/Tensors.h"
#include "nxdt/Plan/Slice.h"

#include "ATen/ops/abs.h"
#include "ATen/ops/eq.h"
#include "ATen/ops/isnan.h"
#include "ATen/ops/logical_and.h"
#include "ATen/ops/logical_or.h"
#include "ATen/ops/maximum.h"
#include "ATen/ops/where.h"
#include "ATen/ops/zeros.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <map>

namespace nxdt::runtime {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

at::Tensor validPart(at::Tensor local,
                     const std::vector<plan::DimSlice> &place) {
  for (size_t dim = 0; dim < place.size(); ++dim)
    local = local.narrow(int64_t(dim), 0, place[dim].valid);
  return local;
}

at::Tensor partOf(at::Tensor whole, const std::vector<plan::DimSlice> &place) {
  for (size_t dim = 0; dim < place.size(); ++dim)
    whole = whole.narrow(int64_t(dim), place[dim].valid ? place[dim].start : 0,
                         place[dim].valid);
  return whole;
}

double largestFinite(const at::Tensor &whole) {
  at::Tensor size = whole.to(at::kDouble).abs();
  size = at::where(size.isfinite(), size, at::zeros({}, at::kDouble));
  return size.numel() ? size.max().item<double>() : 0.0;
}

/// By element; equal infinities and NaNs are equal.
at::Tensor differences(const at::Tensor &a, const at::Tensor &b) {
  at::Tensor equal =
      at::logical_or(at::eq(a, b), at::logical_and(at::isnan(a), at::isnan(b)));
  at::Tensor apart =
      at::where(equal, at::zeros({}, at::kDouble), a.sub(b).abs());
  return apart.nan_to_num(kInfinity, kInfinity);
}

/// The ranks whose terms add up to what `rank` has a part of.
std::vector<int64_t> terms(const plan::Buffer &buffer, const plan::Mesh &mesh,
                           int64_t rank) {
  if (buffer.partial.empty())
    return {rank};
  return plan::groupRanks(mesh, plan::toGroupSpec(buffer.partial), rank);
}

int64_t termIndex(const plan::Buffer &buffer, const plan::Mesh &mesh,
                  int64_t rank) {
  if (buffer.partial.empty())
    return 0;
  return plan::groupIndex(mesh, plan::toGroupSpec(buffer.partial), rank);
}

std::string listText(const plan::Axes &axes) {
  std::string out = "[";
  for (const std::string &axis : axes)
    out += (out.size() > 1 ? ", " : "") + axis;
  return out + "]";
}

bool bitwiseEqual(const at::Tensor &a, const at::Tensor &b) {
  at::Tensor left = a.contiguous(), right = b.contiguous();
  return left.sizes() == right.sizes() && left.dtype() == right.dtype() &&
         std::memcmp(left.const_data_ptr(), right.const_data_ptr(),
                     left.nbytes()) == 0;
}

} // namespace

Layout::Layout(const plan::Origin &origin)
    : buffer(plan::asBuffer(origin)), reduction(origin.reduction) {}

std::string Layout::text() const {
  std::string out;
  for (const plan::Axes &axes : buffer.split)
    out += (out.empty() ? "" : ", ") + listText(axes);
  out = "[" + out + "]";
  if (!buffer.partial.empty())
    out += ", partial " + listText(buffer.partial);
  return out;
}

Apart compareWithWhole(const Layout &layout, const plan::Mesh &mesh,
                       const TensorOf &part, const at::Tensor &whole,
                       const Tolerance &allowed) {
  double scale = largestFinite(whole);
  Apart out;
  auto note = [&](int64_t rank, double relative, int64_t beyond) {
    out.beyond = std::max(out.beyond, beyond);
    if (relative > out.relative) {
      out.relative = relative;
      out.rank = rank;
    }
  };
  bool isHeld = false;
  for (int64_t rank = 0; rank < mesh.size(); ++rank) {
    if (!part(rank).defined())
      continue;
    isHeld = true;
    std::vector<plan::DimSlice> place =
        plan::sliceOf(layout.buffer, mesh, rank);
    if (int64_t(place.size()) != whole.dim() ||
        part(rank).dim() != whole.dim()) {
      note(rank, kInfinity, std::max<int64_t>(whole.numel(), 1));
      continue;
    }
    at::Tensor sum;
    for (int64_t member : terms(layout.buffer, mesh, rank)) {
      at::Tensor term = part(member);
      if (!term.defined())
        continue;
      term = term.to(at::kDouble);
      if (!sum.defined())
        sum = term;
      else if (layout.reduction == plan::Reduction::Sum)
        sum = sum.add(term);
      else
        sum = at::maximum(sum, term);
    }
    at::Tensor apart = differences(validPart(sum, place),
                                   partOf(whole, place).to(at::kDouble));
    if (apart.numel() == 0)
      continue;
    double largest = apart.max().item<double>();
    note(rank,
         largest == 0.0 ? 0.0
         : scale == 0.0 ? kInfinity
                        : largest / scale,
         apart.gt(allowed.all * scale).sum().item<int64_t>());
  }
  if (!isHeld)
    note(0, kInfinity, std::max<int64_t>(whole.numel(), 1));
  return out;
}

std::pair<int64_t, int64_t> replicasApart(const Layout &layout,
                                          const plan::Mesh &mesh,
                                          const TensorOf &part) {
  std::map<std::vector<int64_t>, int64_t> firstWith;
  for (int64_t rank = 0; rank < mesh.size(); ++rank) {
    if (!part(rank).defined())
      continue;
    std::vector<int64_t> key = {termIndex(layout.buffer, mesh, rank)};
    for (const plan::DimSlice &dim : plan::sliceOf(layout.buffer, mesh, rank))
      key.insert(key.end(), {dim.start, dim.valid});
    auto [it, isNew] = firstWith.emplace(key, rank);
    if (!isNew && !bitwiseEqual(part(it->second), part(rank)))
      return {it->second, rank};
  }
  return {-1, -1};
}

int64_t paddingNotZero(const Layout &layout, const plan::Mesh &mesh,
                       const TensorOf &part) {
  for (int64_t rank = 0; rank < mesh.size(); ++rank) {
    at::Tensor local = part(rank);
    if (!local.defined())
      continue;
    std::vector<plan::DimSlice> place =
        plan::sliceOf(layout.buffer, mesh, rank);
    for (size_t dim = 0; dim < place.size(); ++dim) {
      const plan::DimSlice &slice = place[dim];
      at::Tensor padding =
          local.narrow(int64_t(dim), slice.valid, slice.size - slice.valid);
      if (padding.numel() && padding.count_nonzero().item<int64_t>() != 0)
        return rank;
    }
  }
  return -1;
}

} // namespace nxdt::runtime
