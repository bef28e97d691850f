//===- ArrowFile.cpp - a mapped Arrow stream ------------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Data/ArrowFile.h"

#include "nxdt/Support/UserError.h"

#include "arrow/array.h"
#include "arrow/io/file.h"
#include "arrow/ipc/reader.h"
#include "arrow/record_batch.h"
#include "arrow/type.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <string_view>

namespace nxdt::runtime {

namespace {

/// What a complete stream ends with: continuation marker, length 0.
constexpr std::string_view kEndOfStream("\xff\xff\xff\xff\0\0\0\0", 8);
constexpr std::string_view kFileMagic = "ARROW1";
constexpr std::string_view kParquetMagic = "PAR1";

using Batches = std::vector<std::shared_ptr<arrow::RecordBatch>>;

/// The first and last bytes tell what a file is and whether it is whole.
std::string problemOfEnds(arrow::io::MemoryMappedFile &file) {
  int64_t size = file.GetSize().ValueOr(0);
  if (size < static_cast<int64_t>(kEndOfStream.size()))
    return "is no Arrow stream: it has " + std::to_string(size) + " bytes";
  char start[8];
  char end[8];
  if (!file.ReadAt(0, 8, start).ok() || !file.ReadAt(size - 8, 8, end).ok())
    return "cannot be read";
  std::string_view head(start, 8);
  if (head.starts_with(kFileMagic))
    return "is in Arrow's file format; `save_to_disk` writes streams";
  if (head.starts_with(kParquetMagic))
    return "is a Parquet file, not an Arrow stream; load it with `datasets` "
           "and write it with `save_to_disk`";
  if (!head.starts_with(kEndOfStream.substr(0, 4)))
    return "is no Arrow stream (its first bytes are no message)";
  if (std::string_view(end, 8) != kEndOfStream)
    return "is truncated (its " + std::to_string(size) +
           " bytes do not end with the end-of-stream marker)";
  return "";
}

bool isInteger(arrow::Type::type id) {
  switch (id) {
  case arrow::Type::INT8:
  case arrow::Type::INT16:
  case arrow::Type::INT32:
  case arrow::Type::INT64:
  case arrow::Type::UINT8:
  case arrow::Type::UINT16:
  case arrow::Type::UINT32:
  case arrow::Type::UINT64:
    return true;
  default:
    return false;
  }
}

template <typename T>
void widen(const std::shared_ptr<arrow::Array> &values, int64_t start,
           int64_t length, int64_t *out) {
  const T *in = values->data()->GetValues<T>(1) + start;
  if constexpr (std::is_same_v<T, int64_t>) {
    std::memcpy(out, in, static_cast<size_t>(length) * sizeof(T));
  } else {
    for (int64_t i = 0; i < length; ++i)
      out[i] = static_cast<int64_t>(in[i]);
  }
}

} // namespace

Batches openArrowStream(const std::string &path, const std::string &what) {
  auto fail = [&](const std::string &problem) {
    throw UserError(what + ": " + path + ": " + problem);
  };
  auto file =
      arrow::io::MemoryMappedFile::Open(path, arrow::io::FileMode::READ);
  if (!file.ok())
    fail("cannot be opened: " + file.status().message());
  if (std::string problem = problemOfEnds(**file); !problem.empty())
    fail(problem);
  auto reader = arrow::ipc::RecordBatchStreamReader::Open(*file);
  if (!reader.ok())
    fail("is no readable Arrow stream: " + reader.status().message());
  Batches batches;
  for (;;) {
    std::shared_ptr<arrow::RecordBatch> batch;
    arrow::Status status = (*reader)->ReadNext(&batch);
    if (status.ok() && batch)
      status = batch->Validate();
    if (!status.ok())
      fail("is truncated or damaged (record batch " +
           std::to_string(batches.size()) + "): " + status.message());
    if (!batch)
      return batches;
    batches.push_back(std::move(batch));
  }
}

std::string IntListColumn::problem(const arrow::Array &array) {
  std::string type = array.type()->ToString();
  arrow::Type::type id = array.type_id();
  if (id != arrow::Type::LIST && id != arrow::Type::LARGE_LIST &&
      id != arrow::Type::FIXED_SIZE_LIST)
    return "has the type " + type + ", but must hold lists of integers";
  if (!isInteger(array.type()->field(0)->type()->id()))
    return "has the type " + type + ", but its elements must be integers";
  return "";
}

IntListColumn::IntListColumn(std::shared_ptr<arrow::Array> array)
    : lists(std::move(array)) {
  switch (lists->type_id()) {
  case arrow::Type::LIST:
    values = static_cast<const arrow::ListArray &>(*lists).values();
    break;
  case arrow::Type::LARGE_LIST:
    values = static_cast<const arrow::LargeListArray &>(*lists).values();
    break;
  default:
    values = static_cast<const arrow::FixedSizeListArray &>(*lists).values();
    break;
  }
}

std::string IntListColumn::read(int64_t row, int64_t length,
                                int64_t *out) const {
  if (lists->IsNull(row))
    return "is null";
  int64_t start;
  int64_t end;
  switch (lists->type_id()) {
  case arrow::Type::LIST: {
    const auto &array = static_cast<const arrow::ListArray &>(*lists);
    start = array.value_offset(row);
    end = array.value_offset(row + 1);
    break;
  }
  case arrow::Type::LARGE_LIST: {
    const auto &array = static_cast<const arrow::LargeListArray &>(*lists);
    start = array.value_offset(row);
    end = array.value_offset(row + 1);
    break;
  }
  default: {
    const auto &array = static_cast<const arrow::FixedSizeListArray &>(*lists);
    start = array.value_offset(row);
    end = start + array.value_length();
    break;
  }
  }
  // Offsets between the first and the last are checked by nobody before this.
  if (start < 0 || end < start || end > values->length())
    return "is damaged: its elements " + std::to_string(start) + " to " +
           std::to_string(end) + " are not among the column's " +
           std::to_string(values->length());
  if (end - start != length)
    return "has " + std::to_string(end - start) + " elements, but " +
           "model.encoder_seq_length is " + std::to_string(length);
  if (values->null_count() > 0)
    for (int64_t i = start; i < end; ++i)
      if (values->IsNull(i))
        return "holds a null at position " + std::to_string(i - start);
  switch (values->type_id()) {
  case arrow::Type::INT8:
    widen<int8_t>(values, start, length, out);
    break;
  case arrow::Type::INT16:
    widen<int16_t>(values, start, length, out);
    break;
  case arrow::Type::INT32:
    widen<int32_t>(values, start, length, out);
    break;
  case arrow::Type::UINT8:
    widen<uint8_t>(values, start, length, out);
    break;
  case arrow::Type::UINT16:
    widen<uint16_t>(values, start, length, out);
    break;
  case arrow::Type::UINT32:
    widen<uint32_t>(values, start, length, out);
    break;
  // Beyond int64 it becomes negative, and is refused as a token id.
  case arrow::Type::UINT64:
    widen<uint64_t>(values, start, length, out);
    break;
  default:
    widen<int64_t>(values, start, length, out);
    break;
  }
  return "";
}

} // namespace nxdt::runtime
