//===- Dataset.cpp - token ids from an Arrow folder -----------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Data/Dataset.h"

#include "nxdt/Support/UserError.h"
#include "runtime/Data/ArrowFile.h"
#include "runtime/Data/DatasetFolder.h"

#include "ATen/ops/empty.h"
#include "arrow/array.h"
#include "arrow/record_batch.h"
#include "arrow/type.h"

#include <algorithm>
#include <array>
#include <stdexcept>

namespace nxdt::runtime {

namespace {

constexpr int64_t kIgnored = -100;
enum Column { InputIds, AttentionMask, Labels };
constexpr std::array<const char *, 3> kColumns = {"input_ids", "attention_mask",
                                                  "labels"};

/// The columns of one record batch.
struct Part {
  int64_t firstRow; ///< among all rows of the folder
  int64_t rows;
  size_t file;       ///< index of its file
  int64_t rowInFile; ///< of its first row
  std::vector<IntListColumn> columns;
};

} // namespace

struct Dataset::Impl {
  std::string path;
  std::string what;
  int64_t sequenceLength;
  int64_t vocabSize;
  std::vector<std::string> files;
  std::vector<Part> parts;
  int64_t rows = 0;
  /// Sample -> row; empty = the same.
  std::vector<int64_t> indices;
  std::vector<std::string> unusedColumns;

  void addFile(const std::string &file);
  void checkSchema(const arrow::Schema &schema, const std::string &file);
  void addIndices(const std::string &file);
  int64_t size() const {
    return indices.empty() ? rows : static_cast<int64_t>(indices.size());
  }
  void read(int64_t sample, int64_t *ids, int64_t *targets,
            std::vector<int64_t> &scratch) const;
  Batch batch(int64_t first, int64_t count) const;
};

//===----------------------------------------------------------------------===//
// Opening
//===----------------------------------------------------------------------===//

void Dataset::Impl::checkSchema(const arrow::Schema &schema,
                                const std::string &file) {
  std::string present;
  for (const auto &field : schema.fields())
    present += (present.empty() ? "" : ", ") + field->name();
  for (const char *name : kColumns) {
    auto found = schema.GetAllFieldsByName(name);
    if (found.empty())
      throw UserError(what + ": " + file + ": has no column '" + name +
                      "'; its columns are: " + present);
    if (found.size() > 1)
      throw UserError(what + ": " + file + ": has the column '" + name +
                      "' more than once");
  }
  for (const auto &field : schema.fields()) {
    const std::string &name = field->name();
    bool used =
        std::find(kColumns.begin(), kColumns.end(), name) != kColumns.end();
    bool known = std::find(unusedColumns.begin(), unusedColumns.end(), name) !=
                 unusedColumns.end();
    if (!used && !known)
      unusedColumns.push_back(name);
  }
}

void Dataset::Impl::addFile(const std::string &file) {
  files.push_back(file);
  int64_t rowInFile = 0;
  for (const auto &batch : openArrowStream(file, what)) {
    if (rowInFile == 0)
      checkSchema(*batch->schema(), file);
    Part part{rows, batch->num_rows(), files.size() - 1, rowInFile, {}};
    for (const char *name : kColumns) {
      auto array = batch->GetColumnByName(name);
      if (std::string problem = IntListColumn::problem(*array);
          !problem.empty())
        throw UserError(what + ": " + file + ": column '" + name + "' " +
                        problem);
      part.columns.emplace_back(std::move(array));
    }
    rows += part.rows;
    rowInFile += part.rows;
    if (part.rows > 0)
      parts.push_back(std::move(part));
  }
}

void Dataset::Impl::addIndices(const std::string &file) {
  for (const auto &batch : openArrowStream(file, what)) {
    auto array = batch->GetColumnByName("indices");
    if (!array || array->type_id() != arrow::Type::UINT64 ||
        array->null_count() > 0)
      throw UserError(what + ": " + file +
                      ": is no mapping of indices (one column 'indices' of "
                      "uint64)");
    const auto &values = static_cast<const arrow::UInt64Array &>(*array);
    for (int64_t i = 0; i < values.length(); ++i) {
      uint64_t row = values.Value(i);
      if (row >= static_cast<uint64_t>(rows))
        throw UserError(what + ": " + file + ": maps sample " +
                        std::to_string(indices.size()) + " to row " +
                        std::to_string(row) + " of " + std::to_string(rows));
      indices.push_back(static_cast<int64_t>(row));
    }
  }
}

Dataset Dataset::open(const std::string &path, int64_t sequenceLength,
                      int64_t vocabSize, const std::string &what) {
  auto impl = std::make_unique<Impl>();
  impl->path = path;
  impl->what = what;
  impl->sequenceLength = sequenceLength;
  impl->vocabSize = vocabSize;
  DatasetFolder folder = readDatasetFolder(path, what);
  for (const std::string &file : folder.dataFiles)
    impl->addFile(file);
  for (const std::string &file : folder.indicesFiles)
    impl->addIndices(file);
  if (impl->rows == 0 ||
      (!folder.indicesFiles.empty() && impl->indices.empty()))
    throw UserError(what + ": " + path + ": is empty: it has no samples");
  return Dataset(std::move(impl));
}

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

void Dataset::Impl::read(int64_t sample, int64_t *ids, int64_t *targets,
                         std::vector<int64_t> &scratch) const {
  int64_t row = indices.empty() ? sample : indices[static_cast<size_t>(sample)];
  auto after = std::upper_bound(
      parts.begin(), parts.end(), row,
      [](int64_t value, const Part &part) { return value < part.firstRow; });
  const Part &part = *std::prev(after);
  auto fail = [&](Column column, const std::string &problem) {
    throw UserError(what + ": " + files[part.file] + ": row " +
                    std::to_string(part.rowInFile + row - part.firstRow) +
                    ", column " + kColumns[column] + ": " + problem);
  };

  scratch.resize(static_cast<size_t>(2 * sequenceLength));
  int64_t *mask = scratch.data();
  int64_t *labels = mask + sequenceLength;
  const std::array<int64_t *, 3> targetsOf = {ids, mask, labels};
  for (Column column : {InputIds, AttentionMask, Labels})
    if (std::string problem =
            part.columns[column].read(row - part.firstRow, sequenceLength,
                                      targetsOf[static_cast<size_t>(column)]);
        !problem.empty())
      fail(column, problem);

  // First whether anything is wrong, in loops that the compiler vectorises;
  // then where.
  bool badId = false;
  bool badMask = false;
  bool badLabel = false;
  for (int64_t t = 0; t < sequenceLength; ++t) {
    badId |= ids[t] < 0 || ids[t] >= vocabSize;
    badMask |= mask[t] < 0 || mask[t] > 1 || (t > 0 && mask[t] > mask[t - 1]);
    badLabel |=
        (labels[t] < 0 && labels[t] != kIgnored) || labels[t] >= vocabSize;
  }
  std::string vocabulary =
      "the vocabulary has ids 0 to " + std::to_string(vocabSize - 1);
  for (int64_t t = 0; badId && t < sequenceLength; ++t)
    if (ids[t] < 0 || ids[t] >= vocabSize)
      fail(InputIds, "token id " + std::to_string(ids[t]) + " at position " +
                         std::to_string(t) + "; " + vocabulary);
  for (int64_t t = 0; badMask && t < sequenceLength; ++t) {
    if (mask[t] < 0 || mask[t] > 1)
      fail(AttentionMask, "holds " + std::to_string(mask[t]) + " at position " +
                              std::to_string(t) + "; only 0 and 1 are allowed");
    if (t > 0 && mask[t] > mask[t - 1])
      fail(AttentionMask, "a 0 before a 1 (position " + std::to_string(t) +
                              "): padding must follow the tokens");
  }
  for (int64_t t = 0; badLabel && t < sequenceLength; ++t)
    if ((labels[t] < 0 && labels[t] != kIgnored) || labels[t] >= vocabSize)
      fail(Labels, "label " + std::to_string(labels[t]) + " at position " +
                       std::to_string(t) + "; " + vocabulary +
                       ", -100 is ignored");

  for (int64_t t = 0; t + 1 < sequenceLength; ++t)
    targets[t] = mask[t + 1] ? labels[t + 1] : kIgnored;
  targets[sequenceLength - 1] = kIgnored;
}

Batch Dataset::Impl::batch(int64_t first, int64_t count) const {
  Batch batch{at::empty({count, sequenceLength}, at::kLong),
              at::empty({count, sequenceLength}, at::kLong)};
  auto *ids = batch.inputIds.mutable_data_ptr<int64_t>();
  auto *targets = batch.targets.mutable_data_ptr<int64_t>();
  std::vector<int64_t> scratch;
  for (int64_t i = 0; i < count; ++i) {
    int64_t *idsRow = ids + i * sequenceLength;
    int64_t *targetsRow = targets + i * sequenceLength;
    if (first + i < size()) {
      read(first + i, idsRow, targetsRow, scratch);
      continue;
    }
    std::fill_n(idsRow, sequenceLength, 0);
    std::fill_n(targetsRow, sequenceLength, kIgnored);
  }
  return batch;
}

Batch Dataset::batch(int64_t first, int64_t count) const {
  if (first < 0 || count < 0 || count > size() - first)
    throw std::out_of_range("Dataset::batch: samples " + std::to_string(first) +
                            " to " + std::to_string(first + count) + " of " +
                            std::to_string(size()));
  return impl->batch(first, count);
}

Batch Dataset::evalBatch(int64_t first, int64_t count) const {
  if (first < 0 || count < 0)
    throw std::out_of_range("Dataset::evalBatch");
  return impl->batch(first, count);
}

//===----------------------------------------------------------------------===//
// The rest
//===----------------------------------------------------------------------===//

void Dataset::checkGlobalBatch(int64_t globalBatchSize) const {
  if (globalBatchSize >= 1 && globalBatchSize <= size())
    return;
  throw UserError(impl->what + ": " + impl->path + ": has " +
                  std::to_string(size()) +
                  " samples, fewer than one global batch "
                  "(data.global_batch_size: " +
                  std::to_string(globalBatchSize) + "); legal are 1 to " +
                  std::to_string(size()));
}

Dataset::Dataset(std::unique_ptr<Impl> impl) : impl(std::move(impl)) {}
Dataset::Dataset(Dataset &&) noexcept = default;
Dataset &Dataset::operator=(Dataset &&) noexcept = default;
Dataset::~Dataset() = default;

int64_t Dataset::size() const { return impl->size(); }
int64_t Dataset::sequenceLength() const { return impl->sequenceLength; }
const std::string &Dataset::path() const { return impl->path; }
const std::vector<std::string> &Dataset::unusedColumns() const {
  return impl->unusedColumns;
}

} // namespace nxdt::runtime
