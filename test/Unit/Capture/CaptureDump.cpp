//===- CaptureDump.cpp - print a captured Llama ---------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// capture-dump tiny|405b|plugin PATH [SECTION_JSON] [--bf16] [--quiet]: for
// looking at what capture makes, and for timing it.
//
//===----------------------------------------------------------------------===//
#include "Shapes.h"

#include "nxdt/Capture/Capture.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/IR/Verifier.h"
#include "llvm/Support/raw_ostream.h"

#include <chrono>
#include <string>

using namespace nxdt;

int main(int argc, char **argv) {
  CaptureRequest request;
  request.microBatchSize = 1;
  request.sequenceLength = 8;
  request.model.llama = test::tinyLlama();
  bool isQuiet = false;
  for (int i = 1; i < argc; ++i) {
    std::string arg = argv[i];
    if (arg == "405b") {
      request.model.llama = test::llama405b();
      request.sequenceLength = 8192;
    } else if (arg == "plugin" && i + 1 < argc) {
      request.model.plugin = argv[++i];
    } else if (arg.starts_with("{")) {
      request.model.sectionJson = arg;
    } else if (arg == "--bf16") {
      request.precision = Precision::MixedPrecision;
    } else if (arg == "--quiet") {
      isQuiet = true;
    } else if (arg != "tiny") {
      llvm::errs() << "unknown argument '" << arg << "'\n";
      return 1;
    }
  }
  mlir::MLIRContext context;
  mlir::Operation *op = nullptr;
  auto start = std::chrono::steady_clock::now();
  if (!nxdt_capture(&context, &request, &op))
    return 1;
  std::chrono::duration<double> elapsed =
      std::chrono::steady_clock::now() - start;
  mlir::OwningOpRef<mlir::ModuleOp> module(mlir::cast<mlir::ModuleOp>(op));
  if (mlir::failed(mlir::verify(*module)))
    return 1;
  if (!isQuiet)
    module->print(llvm::outs(),
                  mlir::OpPrintingFlags().enableDebugInfo(true, false));
  llvm::errs() << "captured in " << elapsed.count() << " s\n";
  return 0;
}
