//===- Dataset.h - token ids from an Arrow folder ---------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_DATA_DATASET_H
#define NXDT_RUNTIME_DATA_DATASET_H

#include "ATen/core/Tensor.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace nxdt::runtime {

/// What a program's inputs want. Both [count, sequenceLength] int64,
/// contiguous, on the CPU. `targets[i][t]` is the label of position t + 1, or
/// -100 where nothing is predicted (last position, label -100, attention_mask
/// 0).
struct Batch {
  at::Tensor inputIds;
  at::Tensor targets;
};

/// A Hugging Face `datasets` folder (`save_to_disk`): Arrow IPC streams with
/// the integer list columns input_ids, attention_mask and labels (unshifted).
/// The files are memory-mapped and rows are copied once, into the batch. What
/// is wrong with a row (length, nulls, token ids, mask) is found when it is
/// read, and is a UserError that names file, row and column; what is wrong with
/// the folder or a file is found by `open`. Reading is thread-safe.
class Dataset {
public:
  /// `what` is the key that named `path`, for messages ("data.train_dir").
  static Dataset open(const std::string &path, int64_t sequenceLength,
                      int64_t vocabSize,
                      const std::string &what = "data.train_dir");

  Dataset(Dataset &&) noexcept;
  Dataset &operator=(Dataset &&) noexcept;
  ~Dataset();

  /// Samples (after an indices mapping, if the folder has one).
  int64_t size() const;
  int64_t sequenceLength() const;
  const std::string &path() const;
  /// Columns of the folder that nxdt does not use, to be named once.
  const std::vector<std::string> &unusedColumns() const;

  /// UserError unless the folder has at least one global batch.
  void checkGlobalBatch(int64_t globalBatchSize) const;

  /// Samples first .. first + count - 1; all of them must exist.
  Batch batch(int64_t first, int64_t count) const;

  /// The same, but samples behind the end are fully masked ones (ids 0,
  /// targets -100): what an evaluation's last batch is filled with.
  Batch evalBatch(int64_t first, int64_t count) const;

private:
  struct Impl;
  explicit Dataset(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl;
};

} // namespace nxdt::runtime

#endif // NXDT_RUNTIME_DATA_DATASET_H
