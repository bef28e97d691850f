//===- Progress.h - what the user sees of a run -----------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_LOG_PROGRESS_H
#define NXDT_RUNTIME_LOG_PROGRESS_H

#include "runtime/Log/MetricsWriter.h"

#include <cstdint>
#include <cstdio>
#include <string>

namespace nxdt::runtime {

/// A progress bar on a terminal, a line per step otherwise: step, loss,
/// grad_norm, lr, tokens/s, step time, memory.
class Progress {
public:
  /// `maxSteps` < 0: no end known. `bar`: trainer.enable_progress_bar; a bar is
  /// drawn only if `out` is a terminal.
  Progress(std::FILE *out, int64_t maxSteps, bool bar);
  ~Progress();

  /// After each optimizer step.
  void step(const StepMetrics &metrics);
  /// A line of its own; the bar, if any, stays below it.
  void message(const std::string &text);
  void eval(int64_t step, double valLoss);
  /// Ends the bar's line; further calls start a new one.
  void finish();

private:
  void draw(const StepMetrics &metrics);
  void clear();
  std::FILE *out;
  int64_t maxSteps;
  bool useBar;
  bool drawn = false;
  double lastDrawS = -1e9;
  std::string barText;
};

/// The text of one step, without a newline ("step 3/10  loss 6.1234  ...").
std::string stepLine(const StepMetrics &metrics, int64_t maxSteps);

} // namespace nxdt::runtime

#endif // NXDT_RUNTIME_LOG_PROGRESS_H
