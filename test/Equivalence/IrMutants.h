//===- IrMutants.h - ways to break a program --------------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_TEST_EQUIVALENCE_IRMUTANTS_H
#define NXDT_TEST_EQUIVALENCE_IRMUTANTS_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/IRMapping.h"

namespace nxdt {

struct IrChange {
  std::string kind;  ///< "delete", "re-axes", ...
  std::string place; ///< "finish_step nxdt.reshard of model.norm"
  /// Changes the clone that `mapping` leads to.
  std::function<void(mlir::IRMapping &mapping)> apply;
};

/// Calls `visit` with each way. Every one computes something else.
void forEachMutant(mlir::ModuleOp module,
                   llvm::function_ref<void(const IrChange &)> visit);

} // namespace nxdt

#endif // NXDT_TEST_EQUIVALENCE_IRMUTANTS_H
