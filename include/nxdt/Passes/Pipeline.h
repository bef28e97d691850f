//===- Pipeline.h - which passes run, in which order ------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_PASSES_PIPELINE_H
#define NXDT_PASSES_PIPELINE_H

#include "mlir/Pass/PassManager.h"

#include <functional>
#include <string>
#include <vector>

namespace nxdt {

struct PipelineOptions {
  bool fuseAttention = false;
  std::string device = "cpu";
  /// Keep names of values, for plans that are compared with others.
  bool markOrigins = false;
  /// Collectives run beside computation, and those of gradients together.
  bool overlapCollectives = true;
};

/// A group of passes with a name that --emit and --dump-phases know.
struct Phase {
  std::string name;
  std::function<void(mlir::OpPassManager &)> build;
};

/// All phases from a captured module to one that `emitPlan` takes.
std::vector<Phase> trainingPhases(const PipelineOptions &options);

} // namespace nxdt

#endif // NXDT_PASSES_PIPELINE_H
