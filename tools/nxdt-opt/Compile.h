//===- Compile.h - from a configuration to a plan ---------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_TOOLS_NXDT_OPT_COMPILE_H
#define NXDT_TOOLS_NXDT_OPT_COMPILE_H

#include "nxdt/Config/RunConfig.h"
#include "nxdt/Plan/Plan.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"

namespace nxdt {

struct CompileOptions {
  /// Phase to stop after; any other name = go to the plan.
  std::string stopAfter;
  /// Folder for the IR after each phase; empty = none.
  std::string dumpPhases;
  /// Name values (Origins.h).
  bool markOrigins = false;
  bool overlapCollectives = true;
  /// Errors only: what else there is to say has been said.
  bool quiet = false;
};

/// One compilation. Diagnostics go to stderr; UserError for what is wrong
/// outside the IR (libraries, files).
class Compilation {
public:
  Compilation(const RunConfig &run, const CompileOptions &options);

  mlir::LogicalResult run();
  /// The plans of all stages.
  const plan::PlanFamily &family() const { return result; }
  /// What the plan was emitted from.
  mlir::ModuleOp lowered() { return *module; }
  /// The IR where it stopped, with module paths as locations.
  std::string text();

private:
  mlir::LogicalResult capture();
  void annotate();
  void finishPlans(int64_t vocabSize);
  void dump(const std::string &phase);

  const RunConfig &config;
  CompileOptions options;
  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  plan::PlanFamily result;
  int dumped = 0;
};

/// "cpu" or "cuda" for `trainer.accelerator`.
std::string deviceOf(const RunConfig &run);

} // namespace nxdt

#endif // NXDT_TOOLS_NXDT_OPT_COMPILE_H
