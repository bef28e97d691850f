//===- StagePrograms.h - programs of chunks and stages ----------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_PASSES_PIPELINE_STAGEPROGRAMS_H
#define NXDT_PASSES_PIPELINE_STAGEPROGRAMS_H

#include "StageGraph.h"

#include <set>

namespace nxdt {

/// Stages that hold a parameter; the first of them owns it: it has the
/// optimizer state, and its gradient counts.
class Holders {
public:
  void add(const StageGraph::Users &users, const PipelineSettings &settings);
  /// In the order of the chunks that use it.
  llvm::ArrayRef<int64_t> of(mlir::StringAttr param) const;
  bool owns(int64_t stage, llvm::StringRef param) const;
  bool holds(int64_t stage, llvm::StringRef param) const;
  /// Parameters with copies: (name, owner, copies).
  struct Shared {
    mlir::StringAttr param;
    int64_t owner = 0;
    llvm::SmallVector<int64_t> copies;
  };
  llvm::SmallVector<Shared> shared() const;

private:
  struct Use {
    int64_t chunk, stage;
  };
  llvm::MapVector<mlir::StringAttr, llvm::SmallVector<Use>> uses;
  llvm::StringMap<llvm::SmallVector<int64_t>> stages;
};

/// Cuts train_step or eval_step into programs `<prefix>.<chunk>`, with carry
/// buffers for what is kept or sent, and channels. Erases the function.
void splitProgram(mlir::func::FuncOp func, mlir::SymbolTable &symbols,
                  const StageGraph &graph, const PipelineSettings &settings,
                  bool hasBackward);

/// One copy of a program that runs once per step for each stage, without what
/// belongs to parameters of others. Erases the function.
void splitOncePerStep(mlir::func::FuncOp func, mlir::SymbolTable &symbols,
                      const PipelineSettings &settings, const Holders &holders);

/// Programs and channels that bring gradients of copies to the owner of a
/// parameter, and its new value back.
void linkShared(mlir::ModuleOp module, mlir::SymbolTable &symbols,
                const PipelineSettings &settings, const Holders &holders);

/// Sets what says where a program runs: `nxdt.stage`, `nxdt.program`.
void setStage(mlir::func::FuncOp func, int64_t stage, llvm::StringRef program);

} // namespace nxdt

#endif // NXDT_PASSES_PIPELINE_STAGEPROGRAMS_H
