//===- EmitModule.h - a record becomes MLIR ---------------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_CAPTURE_EMITMODULE_H
#define NXDT_CAPTURE_EMITMODULE_H

#include "Record.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace nxdt::capture {

/// The module described at nxdt_capture. Loads the dialects.
mlir::OwningOpRef<mlir::ModuleOp> emitModule(mlir::MLIRContext *context,
                                             const CapturedModel &model);

/// A module path as a location; unknown if it is empty.
mlir::Location pathLocation(mlir::MLIRContext *context,
                            const std::string &path);

} // namespace nxdt::capture

#endif // NXDT_CAPTURE_EMITMODULE_H
