//===- Timeline.h - the schedules of a pipeline, to look at -----*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// With a cluster all times are seconds on it. Without one passes take what
// their FLOPs are, in units of the average forward pass; all else takes no
// time.
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_ANALYSIS_TIMELINE_H
#define NXDT_ANALYSIS_TIMELINE_H

#include "nxdt/Analysis/Cost.h"

#include <string>

namespace nxdt {

/// For train_step and eval_step: what lies where, a picture, and the actions of
/// each stage. UserError without a pipeline. `cluster`: "", or its file.
std::string scheduleText(const CostModel &model, const plan::PlanFamily &family,
                         const std::string &cluster);

/// An optimizer step in Chrome's trace format, for ui.perfetto.dev: with the
/// names of what nxdt-run --trace measures.
std::string stepTrace(const CostModel &model, int64_t microBatches);

} // namespace nxdt

#endif // NXDT_ANALYSIS_TIMELINE_H
