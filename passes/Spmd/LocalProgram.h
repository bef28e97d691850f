//===- LocalProgram.h - one rank's form of a program ------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_PASSES_SPMD_LOCALPROGRAM_H
#define NXDT_PASSES_SPMD_LOCALPROGRAM_H

#include "Nxdt/IR/Sharding.h"
#include "nxdt/Passes/Passes.h"
#include "nxdt/Registry/OpRegistry.h"

namespace nxdt {

/// The program that is being written, with local shapes, and what all its parts
/// need: ranks' coordinates, masks of padding, collectives.
class LocalProgram {
public:
  LocalProgram(mlir::func::FuncOp func, mlir::Block *body,
               mlir::SymbolTable &symbols)
      : builder(func.getContext()), func(func), body(body), symbols(symbols) {
    builder.setInsertionPointToEnd(body);
  }

  /// i64 []: this rank's index along an axis; an argument of the program.
  mlir::Value coordinate(AxisAttr axis, MeshAttr mesh);
  /// i64 []: where this rank's part of a dimension begins.
  mlir::Value start(int64_t size, llvm::ArrayRef<AxisAttr> axes, MeshAttr mesh);
  /// Replaces what lies in the padding of these dimensions. `sharding` is that
  /// of the global `shape`.
  mlir::Value mask(mlir::Value local, llvm::ArrayRef<int64_t> shape,
                   ShardingAttr sharding, llvm::ArrayRef<unsigned> dims,
                   double fill);
  /// `dim` filled up with zeros to `size`.
  mlir::Value pad(mlir::Value local, unsigned dim, int64_t size);
  /// The first `size` of `dim`.
  mlir::Value shorten(mlir::Value local, unsigned dim, int64_t size);

  mlir::Value allReduce(mlir::Value local, llvm::ArrayRef<AxisAttr> axes,
                        Reduction reduction, llvm::StringRef reason);
  mlir::Value allGather(mlir::Value local, unsigned dim,
                        llvm::ArrayRef<AxisAttr> axes, llvm::StringRef reason);
  /// This rank's part of `dim`, filled up if need be.
  mlir::Value reduceScatter(mlir::Value local, unsigned dim,
                            llvm::ArrayRef<AxisAttr> axes, Reduction reduction,
                            llvm::StringRef reason);
  mlir::Value allSlice(mlir::Value local, unsigned dim,
                       llvm::ArrayRef<AxisAttr> axes, llvm::StringRef reason);

  AtenBuilder aten() { return AtenBuilder(builder, loc); }

  mlir::OpBuilder builder;
  mlir::Location loc = builder.getUnknownLoc();
  /// Arguments beyond the program's own: the coordinates, by buffer.
  llvm::SmallVector<mlir::StringAttr> extraArguments;

private:
  mlir::Value inside(int64_t size, llvm::ArrayRef<AxisAttr> axes,
                     MeshAttr mesh);

  mlir::func::FuncOp func;
  mlir::Block *body;
  mlir::SymbolTable &symbols;
  llvm::DenseMap<AxisAttr, mlir::Value> coordinates;
};

/// Lowers a reshard to collectives. `local` is the value in the sharding
/// `from`, the result in `to`; both of the global `shape`.
mlir::Value lowerReshard(LocalProgram &program, mlir::Value local,
                         llvm::ArrayRef<int64_t> shape, ShardingAttr from,
                         ShardingAttr to, llvm::StringRef reason);

} // namespace nxdt

#endif // NXDT_PASSES_SPMD_LOCALPROGRAM_H
