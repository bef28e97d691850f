//===- Main.cpp - nxdt-opt ------------------------------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "nxdt/Passes/Passes.h"

#include "mlir/InitAllDialects.h"
#include "mlir/InitAllPasses.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  mlir::registerAllPasses();
  mlir::registerAllDialects(registry);
  registry.insert<nxdt::NxdtDialect>();
  nxdt::registerNxdtPasses();
  return mlir::asMainReturnCode(mlir::MlirOptMain(argc, argv, "nxdt's optimizer\n", registry));
}
