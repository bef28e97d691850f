//===- EmitProgram.h - functions and buffers to plan ------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_LIB_EMIT_EMITPROGRAM_H
#define NXDT_LIB_EMIT_EMITPROGRAM_H

#include "Nxdt/IR/Nxdt.h"
#include "nxdt/Plan/Plan.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/StringMap.h"

namespace nxdt {

/// `mesh` is null in a module without one.
mlir::FailureOr<plan::Buffer> emitBuffer(BufferOp op, MeshAttr mesh);

/// `buffers`: name -> index in the plan.
mlir::FailureOr<plan::Program>
emitProgram(mlir::func::FuncOp func, const llvm::StringMap<int32_t> &buffers,
            MeshAttr mesh);

} // namespace nxdt

#endif // NXDT_LIB_EMIT_EMITPROGRAM_H
