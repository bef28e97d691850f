//===- Sharding.h - types that say how they lie on the mesh -----*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_DIALECTS_NXDT_IR_SHARDING_H
#define NXDT_DIALECTS_NXDT_IR_SHARDING_H

#include "Nxdt/IR/Nxdt.h"

namespace nxdt {

/// Axes of a dimension, or partial axes.
using Axes = llvm::SmallVector<AxisAttr, 2>;

/// A whole axis of a mesh; null if the mesh has none of that name.
AxisAttr wholeAxis(MeshAttr mesh, llvm::StringRef name);

/// Builds a sharding from lists of axes.
ShardingAttr makeSharding(MeshAttr mesh, llvm::ArrayRef<Axes> dims,
                          llvm::ArrayRef<AxisAttr> partial = {});
/// Nothing split, nothing partial.
ShardingAttr replicated(MeshAttr mesh, unsigned rank);

/// The sharding of a type; null if it has none.
ShardingAttr shardingOf(mlir::Type type);

/// The one place where sharded types are made: `RankedTensorType::get` does not
/// verify encodings on a release build of MLIR. Emits what is wrong and returns
/// failure.
mlir::FailureOr<mlir::RankedTensorType>
shardedType(mlir::RankedTensorType global, ShardingAttr sharding,
            llvm::function_ref<mlir::InFlightDiagnostic()> emitError);

/// The shape that one rank holds.
llvm::SmallVector<int64_t> localShape(mlir::RankedTensorType sharded);

/// Verifies the encoding of every ranked tensor type of an op's operands and
/// results again, as a type may have been made elsewhere.
mlir::LogicalResult verifyShardedTypes(mlir::Operation *op);

} // namespace nxdt

#endif // NXDT_DIALECTS_NXDT_IR_SHARDING_H
