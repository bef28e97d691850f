//===- FactorSplit.cpp - the axes that split an op's factors --------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "FactorSplit.h"

using namespace mlir;
using namespace nxdt;

bool FactorSplit::uses(AxisAttr axis) const {
  return llvm::any_of(axes, [&](const Axes &list) {
    return llvm::any_of(list,
                        [&](AxisAttr other) { return other.overlaps(axis); });
  });
}

bool FactorSplit::add(unsigned factor, AxisAttr axis) {
  if (rule.factors[factor].kind == FactorKind::Whole || uses(axis))
    return false;
  appendAxis(axes[factor], axis);
  return true;
}

/// Makes the axes of a factor at least `wanted`.
bool FactorSplit::extend(unsigned factor, ArrayRef<AxisAttr> wanted) {
  if (wanted.empty())
    return true;
  CommonSplit both = commonSplit(axes[factor], wanted);
  if (!both.restA.empty())
    return both.restB.empty();
  for (AxisAttr axis : both.restB)
    if (!add(factor, axis))
      return false;
  return true;
}

/// Part of an axis, by its coordinates from the major end.
static std::pair<AxisAttr, AxisAttr> cut(AxisAttr axis, int64_t size) {
  MLIRContext *context = axis.getContext();
  return {AxisAttr::get(context, axis.getName(), axis.getPre(), size),
          AxisAttr::get(context, axis.getName(), axis.getPre() * size,
                        axis.getSize() / size)};
}

bool FactorSplit::merge(ArrayRef<unsigned> dim, ArrayRef<AxisAttr> wanted) {
  if (wanted.empty())
    return true;
  if (dim.empty())
    return false;
  // Alone in its dimension, a factor may be padded.
  if (dim.size() == 1)
    return extend(dim[0], wanted);
  SmallVector<AxisAttr> rest(wanted);
  for (unsigned factor : dim) {
    int64_t left = rule.factors[factor].size;
    Axes own;
    while (!rest.empty() && left > 1) {
      AxisAttr axis = rest.front();
      if (left % axis.getSize() == 0) {
        appendAxis(own, axis);
        left /= axis.getSize();
        rest.erase(rest.begin());
        continue;
      }
      if (axis.getSize() % left != 0)
        break;
      auto [major, minor] = cut(axis, left);
      appendAxis(own, major);
      rest.front() = minor;
      left = 1;
    }
    if (!extend(factor, own))
      return false;
    if (rest.empty())
      return true;
    if (left > 1)
      return false;
  }
  return false;
}

bool FactorSplit::dropInexpressible(const TensorFactors &tensor) {
  bool changed = false;
  for (const DimFactors &dim : tensor) {
    bool full = true;
    for (unsigned factor : dim) {
      if (!full && !axes[factor].empty()) {
        axes[factor].clear();
        changed = true;
      }
      full = full && partsOf(axes[factor]) == rule.factors[factor].size;
    }
  }
  return changed;
}

void FactorSplit::makeExpressible() {
  bool changed = true;
  while (changed) {
    changed = false;
    for (const TensorFactors &tensor : rule.operands)
      changed |= dropInexpressible(tensor);
    for (const TensorFactors &tensor : rule.results)
      changed |= dropInexpressible(tensor);
  }
}

Axes FactorSplit::dimAxes(const DimFactors &dim) const {
  Axes result;
  for (unsigned factor : dim)
    for (AxisAttr axis : axes[factor])
      appendAxis(result, axis);
  return result;
}

SmallVector<Axes> FactorSplit::dims(const TensorFactors &tensor) const {
  return llvm::map_to_vector(
      tensor, [&](const DimFactors &dim) { return dimAxes(dim); });
}

ShardingAttr FactorSplit::operand(unsigned number, MeshAttr mesh) const {
  return makeSharding(mesh, dims(rule.operands[number]));
}

ShardingAttr FactorSplit::result(unsigned number, MeshAttr mesh,
                                 ArrayRef<AxisAttr> kept) const {
  const TensorFactors &tensor = rule.results[number];
  Axes partial(kept.begin(), kept.end());
  for (auto [f, factor] : llvm::enumerate(rule.factors)) {
    bool inResult = llvm::any_of(tensor, [f = f](const DimFactors &dim) {
      return llvm::is_contained(dim, f);
    });
    if (factor.kind != FactorKind::Reduce || inResult)
      continue;
    for (AxisAttr axis : axes[f])
      appendAxis(partial, axis);
  }
  // One form for one set of axes.
  llvm::sort(partial, [&](AxisAttr a, AxisAttr b) {
    auto place = [&](AxisAttr axis) {
      return llvm::find(mesh.getNames(), axis.getName()) -
             mesh.getNames().begin();
    };
    return std::pair(place(a), a.getPre()) < std::pair(place(b), b.getPre());
  });
  Axes merged;
  for (AxisAttr axis : partial)
    appendAxis(merged, axis);
  return makeSharding(mesh, dims(tensor), merged,
                      merged.empty() ? Reduction::Sum : rule.reduction);
}
