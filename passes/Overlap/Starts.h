//===- Starts.h - collectives that are started and waited for ---*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_PASSES_OVERLAP_STARTS_H
#define NXDT_PASSES_OVERLAP_STARTS_H

#include "nxdt/Passes/Passes.h"

namespace nxdt {

/// Replaces collectives of one kind, group, dimension, reduction and element
/// type by a start and its wait, both where `builder` is.
WaitOp startTogether(mlir::OpBuilder &builder,
                     llvm::ArrayRef<mlir::Operation *> collectives);

/// Replaces a start of one tensor and its wait by the collective, where the
/// start is.
void joinAgain(mlir::Operation *start);

} // namespace nxdt

#endif // NXDT_PASSES_OVERLAP_STARTS_H
