//===- Passes.h - all passes ------------------------------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_PASSES_PASSES_H
#define NXDT_PASSES_PASSES_H

#include "Nxdt/IR/Nxdt.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace nxdt {

#define GEN_PASS_DECL
#include "nxdt/Passes/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "nxdt/Passes/Passes.h.inc"

/// Attribute on results of @gradients: the parameter they belong to.
constexpr llvm::StringLiteral kGradOfAttr = "nxdt.grad_of";
/// Module attribute with the optimizer's settings (pass build-step).
constexpr llvm::StringLiteral kTrainAttr = "nxdt.train";

/// Module attribute with the `#nxdt.mesh`.
constexpr llvm::StringLiteral kMeshAttr = "nxdt.mesh";
/// Module attribute with the strategy's settings (pass apply-strategy).
constexpr llvm::StringLiteral kStrategyAttr = "nxdt.strategy";
/// Module attribute: how parameters are split, by patterns of their names.
constexpr llvm::StringLiteral kShardingRulesAttr = "nxdt.sharding_rules";

/// Module attribute: modules whose values are computed again in the backward,
/// by patterns of their paths (pass recompute).
constexpr llvm::StringLiteral kRecomputeAttr = "nxdt.recompute";
/// Attribute on ops that compute a value again: keeps them apart from the
/// forward's.
constexpr llvm::StringLiteral kRecomputedAttr = "recomputed";

/// Module attribute: chunks per stage, micro-batches, cuts (pass split-stages).
constexpr llvm::StringLiteral kPipelineAttr = "nxdt.pipeline";
/// Module attribute that split-stages leaves: the chunk of each layer.
constexpr llvm::StringLiteral kChunksAttr = "nxdt.chunks";
/// Attributes on functions: the stage whose program it is, and the program's
/// name in that stage's plan.
constexpr llvm::StringLiteral kStageAttr = "nxdt.stage";
constexpr llvm::StringLiteral kProgramAttr = "nxdt.program";
/// Attribute on arguments: nobody needs the carried tensor after the program.
constexpr llvm::StringLiteral kDiesAttr = "nxdt.dies";

/// Module attribute: bytes that collectives of state may send together (pass
/// bucket-collectives).
constexpr llvm::StringLiteral kBucketBytesAttr = "nxdt.bucket_bytes";

/// Whether ranks exchange anything: all but taking the own part of a tensor.
bool communicates(mlir::Operation *op);

/// The path of the module that an op comes from, with the '^' of the backward;
/// empty if it is not known.
llvm::StringRef markedPathOf(mlir::Operation *op);
/// Whether an op belongs to the backward: its module path ends with '^'.
bool isBackward(mlir::Operation *op);
/// The same without a '^'.
llvm::StringRef modulePathOf(mlir::Operation *op);

/// What a chain of sums began with: the argument that reads the accumulator;
/// null if it is something else.
mlir::BlockArgument accumulatorOf(AccumulateOp op);

/// The buffer that an argument of a program reads; null if it names none.
BufferOp bufferOf(mlir::func::FuncOp func, unsigned argument,
                  mlir::SymbolTable &symbols);

} // namespace nxdt

#endif // NXDT_PASSES_PASSES_H
