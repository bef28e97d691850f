//===- ReshardLowering.cpp - reshards as collectives ----------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "LocalProgram.h"

using namespace mlir;
using namespace nxdt;

namespace {
/// One reshard on its way: the value and how it lies at the moment.
class Way {
public:
  Way(LocalProgram &program, Value local, ArrayRef<int64_t> shape,
      ShardingAttr from, ShardingAttr to, StringRef reason)
      : program(program), value(local), shape(shape), to(to), reason(reason),
        reduction(from.getReduction()) {
    for (unsigned dim = 0; dim < shape.size(); ++dim) {
      auto axes = from.axesOf(dim);
      dims.emplace_back(axes.begin(), axes.end());
    }
    auto axes = from.partialAxes();
    partial.assign(axes.begin(), axes.end());
  }

  Value run() {
    for (AxisAttr axis : to.partialAxes())
      takeFrom(partial, axis);
    scatter();
    if (!partial.empty())
      value = program.allReduce(value, partial, reduction, reason);
    // Smaller first; an axis must leave one dimension before it splits another.
    slice(/*onlyFree=*/true);
    gather();
    slice(/*onlyFree=*/false);
    return value;
  }

private:
  /// Takes a part out of a list of axes; false if it is not there.
  static bool takeFrom(Axes &list, AxisAttr part);
  CommonSplit compare(unsigned dim) const {
    return commonSplit(dims[dim], to.axesOf(dim));
  }
  int64_t sizeOf(unsigned dim, ArrayRef<AxisAttr> axes) const {
    return partSize(shape[dim], axes);
  }
  void scatter();
  void slice(bool onlyFree);
  void gather();
  /// Axes that may be done by one collective: parts that nest without padding.
  SmallVector<Axes> batches(ArrayRef<AxisAttr> axes, int64_t size) const;

  LocalProgram &program;
  Value value;
  ArrayRef<int64_t> shape;
  ShardingAttr to;
  StringRef reason;
  Reduction reduction;
  SmallVector<Axes> dims;
  Axes partial;
};
} // namespace

bool Way::takeFrom(Axes &list, AxisAttr part) {
  for (auto *it = list.begin(); it != list.end(); ++it) {
    AxisAttr axis = *it;
    int64_t end = part.getPre() * part.getSize();
    int64_t axisEnd = axis.getPre() * axis.getSize();
    if (axis.getName() != part.getName() || part.getPre() < axis.getPre() ||
        end > axisEnd)
      continue;
    MLIRContext *context = axis.getContext();
    Axes rest;
    appendAxis(rest, AxisAttr::get(context, axis.getName(), axis.getPre(),
                                   part.getPre() / axis.getPre()));
    Axes behind;
    appendAxis(behind,
               AxisAttr::get(context, axis.getName(), end, axisEnd / end));
    rest.append(behind.begin(), behind.end());
    unsigned at = it - list.begin();
    list.erase(it);
    list.insert(list.begin() + at, rest.begin(), rest.end());
    return true;
  }
  return false;
}

SmallVector<Axes> Way::batches(ArrayRef<AxisAttr> axes, int64_t size) const {
  if (partSize(size, axes) * partsOf(axes) == size)
    return {Axes(axes.begin(), axes.end())};
  SmallVector<Axes> single;
  for (AxisAttr axis : axes)
    single.push_back({axis});
  return single;
}

/// Sums that end up split along a dimension go there at once.
void Way::scatter() {
  for (unsigned dim = 0; dim < dims.size(); ++dim) {
    CommonSplit both = compare(dim);
    if (!both.restA.empty())
      continue;
    Axes scattered;
    Axes left = partial;
    for (AxisAttr axis : both.restB) {
      if (!takeFrom(left, axis))
        break;
      scattered.push_back(axis);
    }
    if (scattered.empty())
      continue;
    partial = left;
    for (const Axes &axes : batches(scattered, sizeOf(dim, dims[dim]))) {
      value = program.reduceScatter(value, dim, axes, reduction, reason);
      for (AxisAttr axis : axes)
        appendAxis(dims[dim], axis);
    }
  }
}

void Way::slice(bool onlyFree) {
  for (unsigned dim = 0; dim < dims.size(); ++dim) {
    CommonSplit both = compare(dim);
    if (!both.restA.empty() || both.restB.empty())
      continue;
    bool taken = llvm::any_of(both.restB, [&](AxisAttr axis) {
      return llvm::any_of(dims, [&](const Axes &axes) {
        return llvm::any_of(
            axes, [&](AxisAttr other) { return other.overlaps(axis); });
      });
    });
    if (taken && onlyFree)
      continue;
    for (const Axes &axes : batches(both.restB, sizeOf(dim, dims[dim]))) {
      value = program.allSlice(value, dim, axes, reason);
      for (AxisAttr axis : axes)
        appendAxis(dims[dim], axis);
    }
  }
}

void Way::gather() {
  for (unsigned dim = 0; dim < dims.size(); ++dim) {
    CommonSplit both = compare(dim);
    if (both.restA.empty())
      continue;
    int64_t size = sizeOf(dim, both.common);
    SmallVector<Axes> groups = batches(both.restA, size);
    // Minor axes first.
    while (!groups.empty()) {
      value = program.allGather(value, dim, groups.back(), reason);
      groups.pop_back();
      Axes left = both.common;
      for (const Axes &axes : groups)
        for (AxisAttr axis : axes)
          appendAxis(left, axis);
      value = program.shorten(value, dim, sizeOf(dim, left));
    }
    dims[dim] = both.common;
  }
}

Value nxdt::lowerReshard(LocalProgram &program, Value local,
                         ArrayRef<int64_t> shape, ShardingAttr from,
                         ShardingAttr to, StringRef reason) {
  return Way(program, local, shape, from, to, reason).run();
}
