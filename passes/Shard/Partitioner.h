//===- Partitioner.h - shardings of one program's values --------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_PASSES_SHARD_PARTITIONER_H
#define NXDT_PASSES_SHARD_PARTITIONER_H

#include "FactorSplit.h"
#include "Strategy.h"

#include "llvm/ADT/SmallBitVector.h"

namespace nxdt {

/// Gives every value of a program a sharding, in program order: an op splits
/// its factors as its operands are split, operands that lie otherwise are
/// resharded.
class Partitioner {
public:
  Partitioner(mlir::func::FuncOp func, const Strategy &strategy,
              mlir::SymbolTable &symbols)
      : func(func), strategy(strategy), symbols(symbols) {}

  mlir::LogicalResult run();

private:
  /// Who split a tensor first wins when an op can follow one operand only.
  enum Priority : unsigned { Parameters = 0, Inputs = 1, Sequence = 2 };

  /// By axis: how strongly it splits what it splits.
  using Strengths = llvm::SmallDenseMap<mlir::StringAttr, unsigned>;

  /// What is known of a value beside its type.
  struct Facts {
    Strengths priority;
    llvm::SmallBitVector sequence; ///< dims that run along the sequence
  };

  /// A dimension of a tensor that wants factors split.
  struct Candidate {
    const DimFactors *factors;
    llvm::SmallVector<AxisAttr> axes;
    unsigned priority;
    int64_t bytes;
  };

  mlir::LogicalResult seedArguments();
  mlir::LogicalResult visit(mlir::Operation *op);
  mlir::LogicalResult visitReturn(mlir::Operation *op);
  mlir::LogicalResult asStageTerm(AccumulateOp op);
  mlir::LogicalResult typeAccumulator(AccumulateOp op);
  mlir::LogicalResult setType(mlir::Value value, ShardingAttr sharding);
  llvm::SmallVector<Candidate> candidates(mlir::Operation *op,
                                          const ShardingRule &rule);
  Strengths splitFactors(mlir::Operation *op, const ShardingRule &rule,
                         FactorSplit &split);
  void splitSequence(mlir::Operation *op, const ShardingRule &rule,
                     FactorSplit &split, llvm::ArrayRef<bool> keeps);
  llvm::SmallVector<bool> keptPartial(mlir::Operation *op,
                                      const ShardingRule &rule,
                                      const FactorSplit &split);
  void inheritFacts(mlir::Operation *op, const ShardingRule &rule,
                    const Strengths &strengths);

  /// The value with another sharding; made once per phase.
  mlir::FailureOr<mlir::Value> reshard(mlir::Operation *user, mlir::Value value,
                                       ShardingAttr wanted);
  std::string reasonFor(mlir::Operation *user, mlir::Value value,
                        ShardingAttr wanted);

  /// Gradients lie as their parameters, as far as their ops can do that: what
  /// results are wanted to be, backwards from the accumulators.
  void collectWishes();

  mlir::func::FuncOp func;
  const Strategy &strategy;
  mlir::SymbolTable &symbols;
  llvm::DenseMap<mlir::Value, Facts> facts;
  llvm::DenseMap<mlir::Value, ShardingAttr> wishes;
  /// A partial value and what it became when its sum was first needed.
  llvm::DenseMap<mlir::Value, mlir::Value> resolved;
  llvm::DenseMap<std::tuple<mlir::Value, mlir::Type, unsigned>, mlir::Value>
      made;
  /// While the results are visited: what the result is stored in.
  BufferOp stored;
};

/// Writes out an op whose whole form cannot follow how its operands are split:
/// a loss over split classes, a linear layer with bias over a split
/// contraction, a norm over tensors that are split. True if it did; the op is
/// gone then and `first` is the first op in its place.
bool decomposeForSplit(mlir::Operation *op, mlir::Operation *&first);

/// The axes that split a tensor's dimensions, in the mesh's order.
mlir::ArrayAttr splitAxes(ShardingAttr sharding);

} // namespace nxdt

#endif // NXDT_PASSES_SHARD_PARTITIONER_H
