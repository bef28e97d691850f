//===- StageGraph.h - which chunk computes what -----------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_PASSES_PIPELINE_STAGEGRAPH_H
#define NXDT_PASSES_PIPELINE_STAGEGRAPH_H

#include "Layers.h"
#include "MinCut.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"

namespace nxdt {

/// The ops of a program (train_step or eval_step), each in a chunk.
///
/// Forward is what the loss and the token count need, backward the rest. An op
/// on a layer's parameter is in the layer's chunk. What depends on constants
/// and inputs only, and views of parameters, is no work of a chunk: every
/// program that needs it computes it ("anywhere"). All else lies where its
/// operands and users let it, and where fewest bytes are sent.
class StageGraph {
public:
  enum class Phase { Anywhere, Forward, Backward };
  struct Place {
    Phase phase = Phase::Anywhere;
    int64_t chunk = 0;
  };

  StageGraph(mlir::func::FuncOp func, mlir::SymbolTable &symbols,
             const Layers &layers, int64_t chunks)
      : func(func), symbols(symbols), layers(layers), chunks(chunks) {}

  /// Which phase each op belongs to; first.
  mlir::LogicalResult findPhases();
  /// Operations of the forward per layer, for the cut. After findPhases.
  llvm::SmallVector<double> layerCosts();
  /// The chunk of each op. After findPhases.
  mlir::LogicalResult assign(llvm::ArrayRef<int64_t> chunkOfLayer);

  Place placeOf(mlir::Operation *op) const { return places.lookup(op); }
  /// The op that makes a value which is sent or kept; null for arguments and
  /// what is computed anywhere.
  mlir::Operation *sourceOf(mlir::Value value) const;
  /// Last chunk of the forward (first of the backward) that has the value.
  int64_t lastChunkOf(mlir::Value value) const;
  /// Parameters and the chunks that use them, ascending.
  using Users = llvm::MapVector<mlir::StringAttr, llvm::SmallVector<int64_t>>;
  const Users &paramUsers() const { return users; }
  /// Whether an operand is the accumulator of a sum: read from its buffer.
  static bool isAccumulator(mlir::OpOperand &operand);

private:
  bool isAnywhere(mlir::Operation *op);
  mlir::StringAttr paramOf(mlir::Value argument);
  llvm::SmallVector<mlir::StringAttr> paramsOf(mlir::Operation *op);
  llvm::SmallVector<mlir::StringAttr> paramsOf(mlir::Value value);
  std::optional<int64_t> layerChunk(mlir::StringAttr param,
                                    llvm::ArrayRef<int64_t> chunkOfLayer);
  mlir::LogicalResult place(Phase phase, llvm::ArrayRef<int64_t> chunkOfLayer);
  void addUser(mlir::StringAttr param, int64_t chunk);
  BufferOp accumulatorBuffer(mlir::Operation *op);

  mlir::func::FuncOp func;
  mlir::SymbolTable &symbols;
  const Layers &layers;
  int64_t chunks;
  llvm::DenseMap<mlir::Operation *, Place> places;
  llvm::DenseMap<mlir::Value, int64_t> last;
  Users users;
};

} // namespace nxdt

#endif // NXDT_PASSES_PIPELINE_STAGEGRAPH_H
