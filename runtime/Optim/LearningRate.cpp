//===- LearningRate.cpp - learning rate schedules -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "runtime/Optim/LearningRate.h"
#include "nxdt/Support/UserError.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace nxdt::runtime {
namespace {

double linear(double base, const ScheduleConfig &schedule, double s) {
  double w = double(schedule.warmupSteps);
  double T = double(schedule.maxSteps);
  if (s < w)
    return base * s / std::max(1.0, w);
  return base * std::max(0.0, (T - s) / std::max(1.0, T - w));
}

/// From `base` down to `min` as p goes from 0 to 1.
double halfCosine(double base, double min, double p) {
  return min + (base - min) * 0.5 * (1.0 + std::cos(std::numbers::pi * p));
}

double cosine(double base, const ScheduleConfig &schedule, double s) {
  double w = double(schedule.warmupSteps);
  double T = double(schedule.maxSteps);
  double min = schedule.minLr;
  if (schedule.constantSteps > 0) {
    double D = T - double(schedule.constantSteps) - w;
    if (s <= w && w > 0)
      return base * s / w;
    if (s <= w + D && D > 0)
      return halfCosine(base, min, (s - w) / D);
    return min;
  }
  if (w > 0 && s <= w)
    return base * (s + 1.0) / (w + 1.0);
  if (s > T)
    return min;
  // T <= w: the warm-up has taken all steps, only its last one remains.
  return halfCosine(base, min, T > w ? (s - w) / (T - w) : 1.0);
}

} // namespace

void checkSchedule(double baseLr, const ScheduleConfig &schedule) {
  if (schedule.kind == ScheduleKind::CosineAnnealing && baseLr < schedule.minLr)
    throw UserError(
        "model.optim.sched.min_lr = " + std::to_string(schedule.minLr) +
        ": CosineAnnealing goes down from model.optim.lr = " +
        std::to_string(baseLr) +
        " to it, so it must not be "
        "larger");
}

double learningRate(double baseLr, const ScheduleConfig &schedule,
                    int64_t completedSteps) {
  double s = double(completedSteps);
  switch (schedule.kind) {
  case ScheduleKind::Constant:
    return baseLr;
  case ScheduleKind::LinearAnnealingWithWarmUp:
    return linear(baseLr, schedule, s);
  case ScheduleKind::CosineAnnealing:
    return cosine(baseLr, schedule, s);
  }
  return baseLr;
}

} // namespace nxdt::runtime
