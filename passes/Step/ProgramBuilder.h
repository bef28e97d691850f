//===- ProgramBuilder.h - functions that read and write buffers -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_PASSES_STEP_PROGRAMBUILDER_H
#define NXDT_PASSES_STEP_PROGRAMBUILDER_H

#include "nxdt/Passes/Passes.h"
#include "nxdt/Registry/OpRegistry.h"

#include "llvm/ADT/MapVector.h"

namespace nxdt {

/// Builds one program: arguments appear as buffers are first read, results as
/// they are written. The function is finished by the destructor.
class ProgramBuilder {
public:
  ProgramBuilder(mlir::ModuleOp module, llvm::StringRef name);
  ~ProgramBuilder();
  ProgramBuilder(const ProgramBuilder &) = delete;

  /// The buffer's current value: what was last written, else its argument.
  mlir::Value read(llvm::StringRef buffer);
  void write(llvm::StringRef buffer, mlir::Value value);
  /// Writes zeros.
  void zero(llvm::StringRef buffer);
  /// Adds to a buffer, in the buffer's type.
  void accumulate(llvm::StringRef buffer, mlir::Value value);
  /// Clones a function's body; its arguments become reads. Returns what it
  /// returns.
  llvm::SmallVector<mlir::Value> inlineBody(mlir::func::FuncOp source);

  AtenBuilder aten() { return AtenBuilder(builder, loc); }
  void setLoc(llvm::StringRef name);

  mlir::OpBuilder builder;
  mlir::Location loc;

private:
  mlir::func::FuncOp func;
  mlir::SymbolTable symbols;
  llvm::MapVector<mlir::StringAttr, mlir::Value> arguments;
  llvm::MapVector<mlir::StringAttr, mlir::Value> writes;
};

} // namespace nxdt

#endif // NXDT_PASSES_STEP_PROGRAMBUILDER_H
