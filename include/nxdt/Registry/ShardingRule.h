//===- ShardingRule.h - how an op may be split over the mesh ----*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A rule names the factors (indices of an einsum) of a call and which factors
// each dimension is made of. It is written for one op and knows no mesh:
// splitting a factor splits every dimension that has it, and a factor that only
// operands have makes the results partial sums. What proves a rule is in
// docs/AddAnOp.md.
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_REGISTRY_SHARDINGRULE_H
#define NXDT_REGISTRY_SHARDINGRULE_H

#include "Nxdt/IR/Nxdt.h"

namespace nxdt {

/// What splitting a factor means.
enum class FactorKind {
  Map,    ///< parts are independent; a result without it is the same for all
  Reduce, ///< results without it become partial over the parts
  Whole,  ///< cannot be split
};

struct Factor {
  int64_t size = 1;
  FactorKind kind = FactorKind::Map;
};

/// Factors of one dimension, major to minor; empty for a dimension that is the
/// same on every rank (broadcast operands). Parts are contiguous, so a factor
/// can be split only once all in front of it are split fully.
using DimFactors = llvm::SmallVector<unsigned, 2>;
/// Factors of one tensor, by dimension.
using TensorFactors = llvm::SmallVector<DimFactors, 4>;

struct ShardingRule {
  llvm::SmallVector<Factor> factors;
  /// By operand and result number.
  llvm::SmallVector<TensorFactors> operands, results;
  /// What splitting a Reduce factor leaves to be done.
  Reduction reduction = Reduction::Sum;
  /// Operand whose values are indices into this factor (embedding): they are
  /// shifted to the part that a rank holds. Those outside become 0, and what
  /// was looked up for them (or, if a result has the factor, the rows of
  /// operand 0 that they would add) becomes zero.
  int indexedFactor = -1, indexOperand = -1;

  /// How results depend on partial sums among the operands.
  enum class Linearity {
    None,  ///< no operand may be partial
    Each,  ///< one operand of those in `linearIn` may be
    Joint, ///< all of those in `linearIn` may be, over the same axes
  } linearity = Linearity::None;
  llvm::SmallVector<bool> linearIn;

  unsigned factor(int64_t size, FactorKind kind = FactorKind::Map) {
    factors.push_back({size, kind});
    return factors.size() - 1;
  }
  /// `Each` in these operands.
  void linearEach(llvm::ArrayRef<unsigned> which) {
    linearity = Linearity::Each;
    linearIn.assign(operands.size(), false);
    for (unsigned operand : which)
      linearIn[operand] = true;
  }
  /// `Joint` in these operands.
  void linearJoint(llvm::ArrayRef<unsigned> which) {
    linearEach(which);
    linearity = Linearity::Joint;
  }
  /// `Joint` in all operands.
  void linearJoint() {
    linearity = Linearity::Joint;
    linearIn.assign(operands.size(), true);
  }
};

} // namespace nxdt

#endif // NXDT_REGISTRY_SHARDINGRULE_H
