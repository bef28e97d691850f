//===- ArrowFile.h - a mapped Arrow stream ----------------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_DATA_ARROWFILE_H
#define NXDT_RUNTIME_DATA_ARROWFILE_H

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace arrow {
class Array;
class RecordBatch;
} // namespace arrow

namespace nxdt::runtime {

/// All record batches of an IPC stream, mapped, structurally valid (buffers as
/// long as their arrays need, stream complete). UserError, starting with `what`
/// and the path, for anything else.
std::vector<std::shared_ptr<arrow::RecordBatch>>
openArrowStream(const std::string &path, const std::string &what);

/// A column of integer lists in one record batch (List, LargeList or
/// FixedSizeList of any integer type).
class IntListColumn {
public:
  /// An empty string, or why `array` is no such column.
  static std::string problem(const arrow::Array &array);
  explicit IntListColumn(std::shared_ptr<arrow::Array> array);

  /// Copies row `row`'s `length` elements to `out`. Returns an empty string, or
  /// what is wrong with the row ("has 3 elements, ...").
  std::string read(int64_t row, int64_t length, int64_t *out) const;

private:
  std::shared_ptr<arrow::Array> lists;
  std::shared_ptr<arrow::Array> values;
};

} // namespace nxdt::runtime

#endif // NXDT_RUNTIME_DATA_ARROWFILE_H
