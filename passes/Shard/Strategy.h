//===- Strategy.h - what the passes know of the strategy --------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_PASSES_SHARD_STRATEGY_H
#define NXDT_PASSES_SHARD_STRATEGY_H

#include "Nxdt/IR/Sharding.h"
#include "nxdt/Passes/Passes.h"

namespace nxdt {

/// The module attributes `nxdt.mesh` and `nxdt.strategy`.
struct Strategy {
  MeshAttr mesh;
  bool zero1 = false;
  bool sequenceParallel = false;
  /// Axis or key -> where the YAML says so, for reasons.
  mlir::DictionaryAttr origins;

  /// The whole axis if it has more than one rank, else null.
  AxisAttr axis(llvm::StringRef name) const;
  /// "distributed_strategy.zero1 (run.yaml:9:3)", or the name if no origin is
  /// known.
  std::string origin(llvm::StringRef name) const;
  /// How the optimizer state of a parameter lies: as the parameter, and with
  /// ZeRO-1 its first dimension split over dp and cp as well.
  ShardingAttr stateSharding(ShardingAttr param) const;
};

/// Failure, with an error, if the module has no mesh.
mlir::FailureOr<Strategy> readStrategy(mlir::ModuleOp module);

} // namespace nxdt

#endif // NXDT_PASSES_SHARD_STRATEGY_H
