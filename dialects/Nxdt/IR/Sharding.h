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
                          llvm::ArrayRef<AxisAttr> partial = {},
                          Reduction reduction = Reduction::Sum);
/// The same for lists that a user gave: emits what is wrong with them.
mlir::FailureOr<ShardingAttr>
checkedSharding(MeshAttr mesh, llvm::ArrayRef<Axes> dims,
                llvm::function_ref<mlir::InFlightDiagnostic()> emitError);
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

/// "tp", or "tp:(2)4" for a part: as in the IR, and in plans.
std::string axisText(AxisAttr axis, MeshAttr mesh);
/// The name of a sharding in printed IR, without '#': the axes of each
/// dimension
/// (`_` = not split), then the partial axes; `scalar` for rank 0. "dp-_-tp",
/// "tp_dp-_", "_-partial-tp", "scalar-partial_max-tp". A part of an axis,
/// `tp:(1)2`, is "tp$1$2".
std::string shardingAlias(ShardingAttr sharding);
/// Number of parts that axes split a dimension into.
int64_t partsOf(llvm::ArrayRef<AxisAttr> axes);
/// Size of the parts: ceil(size / axis size), at each axis in turn.
int64_t partSize(int64_t size, llvm::ArrayRef<AxisAttr> axes);
/// Appends an axis; one that continues the last part of the same axis is merged
/// with it, so that equal splits have one form.
void appendAxis(Axes &axes, AxisAttr axis);
/// What two splits have in common from the major end, axes cut where need be.
struct CommonSplit {
  Axes common, restA, restB;
};
CommonSplit commonSplit(llvm::ArrayRef<AxisAttr> a, llvm::ArrayRef<AxisAttr> b);

/// The same type without a sharding.
mlir::RankedTensorType globalType(mlir::RankedTensorType type);
/// The shape that one rank holds.
llvm::SmallVector<int64_t> localShape(mlir::RankedTensorType sharded);
/// What one rank holds, as a type without a sharding.
mlir::RankedTensorType localType(mlir::RankedTensorType sharded);

/// Verifies the encoding of every ranked tensor type of an op's operands and
/// results again, as a type may have been made elsewhere.
mlir::LogicalResult verifyShardedTypes(mlir::Operation *op);

} // namespace nxdt

#endif // NXDT_DIALECTS_NXDT_IR_SHARDING_H
