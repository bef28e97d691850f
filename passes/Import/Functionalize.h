//===- Functionalize.h - pure forms of mutations and views ------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_PASSES_IMPORT_FUNCTIONALIZE_H
#define NXDT_PASSES_IMPORT_FUNCTIONALIZE_H

#include "nxdt/Registry/OpRegistry.h"

namespace nxdt {

/// Builds calls that keep the grad mode of the operator they stand for.
class PureBuilder {
public:
  PureBuilder(mlir::OpBuilder &builder, mlir::Location loc, bool noGrad)
      : builder(builder), loc(loc), noGrad(noGrad) {}

  /// Builds a call with one result.
  mlir::Value call(llvm::StringRef callee, llvm::ArrayRef<Arg> args,
                   mlir::Type type);
  /// The same elements with the shape of `type`.
  mlir::Value reshape(mlir::Value value, mlir::RankedTensorType type);
  mlir::Value cast(mlir::Value value, mlir::Type elementType);
  mlir::Value expand(mlir::Value value, mlir::RankedTensorType type);

  mlir::OpBuilder &builder;
  mlir::Location loc;
  bool noGrad;
};

/// The operand that `result` aliases; -1 if it owns its memory. Capture says
/// so in `views`; without it, an operator that always returns a view does.
int32_t viewedOperand(AtenOp op, unsigned result);

/// The value that the mutated operand of an in-place operator has afterwards,
/// of the operand's type. Null, and `why` set, if there is no pure
/// counterpart. The operands of `op` must already hold their current values.
mlir::Value buildPureCounterpart(PureBuilder &pure, AtenOp op,
                                 std::string &why);

/// The inverse of a view: what `base` is after its view (result number
/// `result` of `view`) was overwritten by `written`. Null, and `why` set, if
/// the view has no inverse.
mlir::Value writeThroughView(PureBuilder &pure, AtenOp view, unsigned result,
                             mlir::Value base, mlir::Value written,
                             std::string &why);

} // namespace nxdt

#endif // NXDT_PASSES_IMPORT_FUNCTIONALIZE_H
