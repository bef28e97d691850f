//===- LearningRate.h - learning rate schedules -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_OPTIM_LEARNINGRATE_H
#define NXDT_RUNTIME_OPTIM_LEARNINGRATE_H

#include "nxdt/Config/RunConfig.h"

#include <cstdint>

namespace nxdt::runtime {

/// UserError if the schedule cannot be evaluated (CosineAnnealing with
/// lr < min_lr).
void checkSchedule(double baseLr, const ScheduleConfig &schedule);

/// The rate of the step after `completedSteps` steps (0 for the first). With
/// L = baseLr, s = completedSteps, w = warmup, c = constant steps, T = max
/// steps, m = min_lr:
///   Constant                   L
///   LinearAnnealingWithWarmUp  s < w: L s / max(1, w)
///                              else:  L max(0, (T - s) / max(1, T - w))
///   CosineAnnealing, c = 0     0 < w and s <= w: L (s + 1) / (w + 1);
///                              s > T: m;
///                              else: m + (L - m) (1 + cos(pi p)) / 2 with
///                              p = (s - w) / (T - w)
///   CosineAnnealing, c > 0     D = T - c - w; s <= w: L s / w;
///                              s <= w + D: the same with p = (s - w) / D;
///                              else: m
double learningRate(double baseLr, const ScheduleConfig &schedule,
                    int64_t completedSteps);

} // namespace nxdt::runtime

#endif // NXDT_RUNTIME_OPTIM_LEARNINGRATE_H
