//===- OpSharding.h - do an op's shardings follow from its rule? *- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_PASSES_VERIFY_OPSHARDING_H
#define NXDT_PASSES_VERIFY_OPSHARDING_H

#include "Nxdt/IR/Sharding.h"
#include "nxdt/Registry/ShardingRules.h"

namespace nxdt {

/// Part of a mesh axis: the coordinates pre..pre*size of it, as in AxisAttr.
/// Neighbouring parts of one axis are kept as one, so that equal splits are
/// equal.
struct Piece {
  llvm::StringRef axis;
  int64_t pre = 1, size = 1;
  bool operator==(const Piece &) const = default;
};
class Pieces : public llvm::SmallVector<Piece, 4> {
public:
  void append(Piece piece);
  void append(const Pieces &other) {
    for (const Piece &piece : other)
      append(piece);
  }
};

Pieces pieces(llvm::ArrayRef<AxisAttr> axes);
/// In one order, for comparisons where the order means nothing.
Pieces asSet(const Pieces &list);
/// "[dp, tp:(2)4]".
std::string axesText(const Pieces &list, MeshAttr mesh);
std::string axesText(llvm::ArrayRef<AxisAttr> axes, MeshAttr mesh);

/// The check of one op against its rule.
class OpSharding {
public:
  OpSharding(mlir::Operation *op, MeshAttr mesh)
      : op(op), mesh(mesh), rule(shardingRuleOf(op)),
        split(rule.factors.size()), isSplit(rule.factors.size(), false) {}

  /// Emits the first thing that is wrong.
  mlir::LogicalResult verify();

private:
  mlir::LogicalResult readTensor(const TensorFactors &tensor,
                                 ShardingAttr sharding, llvm::StringRef kind,
                                 unsigned number);
  mlir::LogicalResult readDim(llvm::ArrayRef<unsigned> factors, Pieces axes,
                              const std::string &where);
  mlir::LogicalResult verifyFactors();
  mlir::LogicalResult verifyProducts(const TensorFactors &tensor);
  mlir::FailureOr<Pieces> keptPartial();
  mlir::LogicalResult verifyResult(unsigned number, const Pieces &kept);
  std::string name() const;

  mlir::Operation *op;
  MeshAttr mesh;
  ShardingRule rule;
  /// By factor: what splits it, and whether a tensor has said so yet.
  llvm::SmallVector<Pieces> split;
  llvm::SmallVector<bool> isSplit;
};

} // namespace nxdt

#endif // NXDT_PASSES_VERIFY_OPSHARDING_H
