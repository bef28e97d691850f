//===- MetricsWriter.h - metrics.jsonl --------------------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_LOG_METRICSWRITER_H
#define NXDT_RUNTIME_LOG_METRICSWRITER_H

#include <cstdint>
#include <optional>
#include <string>

namespace nxdt::runtime {

/// A logged training step.
struct StepMetrics {
  int64_t step = 0; ///< completed optimizer steps, from 1
  double loss = 0.0;
  double gradNorm = 0.0; ///< before clipping
  double lr = 0.0;       ///< used in this step
  int64_t consumedSamples = 0;
  double stepTimeS = 0.0;
  double tokensPerS = 0.0;
  int64_t peakMemoryBytes = 0;
  std::optional<double> parameterNorm; ///< log_parameter_norm
};

/// <logDir>/metrics.jsonl: one JSON object a line, full precision, written and
/// flushed line by line. A value that is not finite is null (JSON has no NaN).
class MetricsWriter {
public:
  /// `resumeStep` = steps of the checkpoint that the run continues (0 if
  /// resume_if_exists found none): lines of later steps and a torn last line
  /// are cut off, atomically. nullopt = a new run: an old file is moved to
  /// <logDir>/run_<k>/ as NeMo does (see `movedTo`). A line in between that is
  /// no JSON object with a step is a UserError.
  MetricsWriter(const std::string &logDir, std::optional<int64_t> resumeStep);
  ~MetricsWriter();
  MetricsWriter(const MetricsWriter &) = delete;
  MetricsWriter &operator=(const MetricsWriter &) = delete;

  void logStep(const StepMetrics &metrics);
  void logEval(int64_t step, double valLoss);

  /// Where the earlier run's file went, or "".
  const std::string &movedTo() const { return moved; }

private:
  void writeLine(const std::string &line);
  std::string path;
  std::string moved;
  int fd = -1;
};

} // namespace nxdt::runtime

#endif // NXDT_RUNTIME_LOG_METRICSWRITER_H
