//===- Evaluation.h - the validation loss -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_TRAIN_EVALUATION_H
#define NXDT_RUNTIME_TRAIN_EVALUATION_H

#include "nxdt/Config/RunConfig.h"
#include "runtime/Data/Dataset.h"
#include "runtime/Executor/Executor.h"
#include "runtime/Train/DataRows.h"
#include "runtime/Train/Inputs.h"

#include <functional>
#include <optional>

namespace nxdt::runtime {

/// When to evaluate, and on what. Off (`enabled` false) without data.val_dir,
/// with limit_val_batches 0 or when the plan has no programs for it.
class Evaluation {
public:
  /// Opens data.val_dir. `stepsPerEpoch`: of the training data.
  Evaluation(const RunConfig &config, Executor &executor,
             int64_t stepsPerEpoch);

  bool enabled() const { return dataset.has_value(); }
  /// True if an evaluation is due after `step` completed steps.
  bool due(int64_t step) const;
  /// Global batches of a whole evaluation.
  int64_t batches() const { return numBatches; }
  const Dataset *data() const { return dataset ? &*dataset : nullptr; }

  /// sum of losses / number of targets over the first `batches` global batches,
  /// the last one filled with masked samples. nullopt if it was told to stop
  /// meanwhile. UserError if there are no targets at all.
  /// `shouldStop` is asked before each micro-batch, of a pipeline before each
  /// global batch, on all ranks alike.
  std::optional<double> run(int64_t batches,
                            const std::function<bool()> &shouldStop);

private:
  bool runPrograms(int64_t batches, const std::function<bool()> &shouldStop);
  bool runSchedules(int64_t batches, const std::function<bool()> &shouldStop);
  void fill(int program, int64_t first);

  Executor &executor;
  std::optional<Dataset> dataset;
  DataRows rows;
  Inputs inputs;
  int64_t microBatches; ///< of a global batch
  int64_t numBatches = 0;
  int64_t interval = 0; ///< steps; 0 = never
  int64_t period = 0; ///< the interval starts anew every so many steps; 0 = no
};

} // namespace nxdt::runtime

#endif // NXDT_RUNTIME_TRAIN_EVALUATION_H
