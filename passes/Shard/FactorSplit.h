//===- FactorSplit.h - the axes that split an op's factors ------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_PASSES_SHARD_FACTORSPLIT_H
#define NXDT_PASSES_SHARD_FACTORSPLIT_H

#include "Nxdt/IR/Sharding.h"
#include "nxdt/Registry/ShardingRule.h"

namespace nxdt {

/// Which axes split each factor of one op. An axis splits one factor.
class FactorSplit {
public:
  explicit FactorSplit(const ShardingRule &rule)
      : rule(rule), axes(rule.factors.size()) {}

  /// Splits the factors of a dimension as that is split; what a factor has
  /// already must be a common beginning. False if some of it cannot be had:
  /// a whole factor, an axis that another factor has, or a part that crosses
  /// the border between two factors. What can be had is taken.
  bool merge(llvm::ArrayRef<unsigned> dim, llvm::ArrayRef<AxisAttr> wanted);

  /// Splits one factor by one axis more; false if the op uses it already.
  bool add(unsigned factor, AxisAttr axis);

  /// Takes back splits that a tensor of the op cannot express: of a minor
  /// factor in a dimension whose major one is not split to the end.
  void makeExpressible();

  llvm::ArrayRef<AxisAttr> of(unsigned factor) const { return axes[factor]; }
  bool uses(AxisAttr axis) const;

  /// The sharding that the op wants of an operand, without partial sums.
  ShardingAttr operand(unsigned number, MeshAttr mesh) const;
  /// The sharding that it gives a result: partial where a Reduce factor is
  /// split that the result lacks, and over `kept`, the axes that operands are
  /// partial over.
  ShardingAttr result(unsigned number, MeshAttr mesh,
                      llvm::ArrayRef<AxisAttr> kept = {}) const;

private:
  Axes dimAxes(const DimFactors &dim) const;
  llvm::SmallVector<Axes> dims(const TensorFactors &tensor) const;
  bool extend(unsigned factor, llvm::ArrayRef<AxisAttr> wanted);
  bool dropInexpressible(const TensorFactors &tensor);

  const ShardingRule &rule;
  llvm::SmallVector<Axes> axes;
};

} // namespace nxdt

#endif // NXDT_PASSES_SHARD_FACTORSPLIT_H
