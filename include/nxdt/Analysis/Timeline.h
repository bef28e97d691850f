//===- Timeline.h - the schedules of a pipeline, to look at -----*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Passes take what their FLOPs are, in units of the average forward pass;
// messages take no time.
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_ANALYSIS_TIMELINE_H
#define NXDT_ANALYSIS_TIMELINE_H

#include "nxdt/Plan/Plan.h"

#include "mlir/IR/BuiltinOps.h"

#include <string>

namespace nxdt {

/// For train_step and eval_step: what lies where, a picture, and the actions of
/// each stage. `module`: what `family` was emitted from. UserError without a
/// pipeline.
std::string scheduleText(mlir::ModuleOp module, const plan::PlanFamily &family);

/// train_step in Chrome's trace format, for ui.perfetto.dev.
std::string scheduleTrace(mlir::ModuleOp module,
                          const plan::PlanFamily &family);

} // namespace nxdt

#endif // NXDT_ANALYSIS_TIMELINE_H
