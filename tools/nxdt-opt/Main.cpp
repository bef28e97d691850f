//===- Main.cpp - nxdt-opt ------------------------------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A YAML file goes through our pipeline (and loads libtorch for capture only
// then); --verify-schedule=FILE proves a schedule that is written down;
// anything else is MLIR's opt driver with our passes.
//
//===----------------------------------------------------------------------===//
#include "Driver.h"
#include "VerifySchedule.h"
#include "nxdt/Passes/Passes.h"

#include "mlir/InitAllDialects.h"
#include "mlir/InitAllPasses.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"

int main(int argc, char **argv) {
  if (nxdt::isConfigCommand(argc, argv))
    return nxdt::runDriver(argc, argv);
  if (llvm::StringRef argument = argc == 2 ? argv[1] : "";
      argument.consume_front("--verify-schedule="))
    return nxdt::verifyScheduleFile(argument);
  mlir::DialectRegistry registry;
  mlir::registerAllPasses();
  mlir::registerAllDialects(registry);
  registry.insert<nxdt::NxdtDialect>();
  nxdt::registerNxdtPasses();
  return mlir::asMainReturnCode(mlir::MlirOptMain(
      argc, argv,
      "nxdt-opt on MLIR; for YAML files: nxdt-opt CONFIG.yaml --help\n",
      registry));
}
