//===- TensorBoardWriter.h - TensorBoard event files ------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_LOG_TENSORBOARDWRITER_H
#define NXDT_RUNTIME_LOG_TENSORBOARDWRITER_H

#include "runtime/Log/MetricsWriter.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace nxdt::runtime {

/// <logDir>/events.out.tfevents.<time>.<host>, with NxDT's tags:
/// reduced_train_loss, lr, gradient_norm, parameter_norm, global_step,
/// consumed_samples, throughput (sequences/s), val_loss, and tokens_per_s,
/// step_time. Each event is flushed.
class TensorBoardWriter {
public:
  /// A `resumeStep` > 0 tells TensorBoard to drop what earlier files of the
  /// folder have beyond it.
  explicit TensorBoardWriter(const std::string &logDir, int64_t resumeStep = 0);
  ~TensorBoardWriter();
  TensorBoardWriter(const TensorBoardWriter &) = delete;
  TensorBoardWriter &operator=(const TensorBoardWriter &) = delete;

  void scalar(std::string_view tag, int64_t step, double value);
  /// All tags of a training step; `globalBatchSize` for throughput,
  /// `logGradientNorm` as in exp_manager.
  void logStep(const StepMetrics &metrics, int64_t globalBatchSize,
               bool logGradientNorm);
  void logEval(int64_t step, double valLoss);

  const std::string &path() const { return file; }

private:
  void writeEvent(std::string_view event);
  std::string file;
  int fd = -1;
};

} // namespace nxdt::runtime

#endif // NXDT_RUNTIME_LOG_TENSORBOARDWRITER_H
