//===- Nxdt.h - the nxdt dialect --------------------------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_DIALECTS_NXDT_IR_NXDT_H
#define NXDT_DIALECTS_NXDT_IR_NXDT_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/IR/TensorEncoding.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace nxdt {
/// How the ranks' tensors make up the one they are parts of.
enum class Reduction { Sum, Max };
} // namespace nxdt

#include "NxdtDialect.h.inc"

#define GET_ATTRDEF_CLASSES
#include "NxdtAttrs.h.inc"

#define GET_TYPEDEF_CLASSES
#include "NxdtTypes.h.inc"

#define GET_OP_CLASSES
#include "NxdtOps.h.inc"

namespace nxdt {

/// Attribute on program arguments and results: the buffer read or written.
constexpr llvm::StringLiteral kBufferAttr = "nxdt.buffer";

/// Every value of the dialect is a ranked tensor.
inline mlir::RankedTensorType typeOf(mlir::Value value) {
  return mlir::cast<mlir::RankedTensorType>(value.getType());
}
inline bool isFloatTensor(mlir::Value value) {
  return mlir::isa<mlir::FloatType>(typeOf(value).getElementType());
}

/// Whether an op is done by the ranks of a group, or takes a rank's part.
inline bool isCollective(mlir::Operation *op) {
  return mlir::isa<AllReduceOp, AllGatherOp, ReduceScatterOp, AllSliceOp>(op);
}

/// Whether an op starts a collective; its results are those of waitOf(op).
inline bool isStart(mlir::Operation *op) {
  return mlir::isa<AllReduceStartOp, AllGatherStartOp, ReduceScatterStartOp>(
      op);
}

/// A collective, a start or a wait: what a plan has an instruction of its own
/// for, whatever libtorch's operators are.
inline bool isCommunication(mlir::Operation *op) {
  return isCollective(op) || isStart(op) || mlir::isa<WaitOp>(op);
}

/// The wait for what `start` started.
WaitOp waitOf(mlir::Operation *start);

/// Number of tensor operands that `args` (the `args` attribute of nxdt.aten)
/// stands for; -1 if it holds anything but what the op allows.
int64_t countOperands(mlir::ArrayAttr args);

} // namespace nxdt

#endif // NXDT_DIALECTS_NXDT_IR_NXDT_H
