//===- DatasetTest.cpp - Arrow folders, good and hostile ------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestSupport.h"

#include "runtime/Data/Dataset.h"
#include "runtime/Data/SampleOrder.h"

#include "ATen/core/Tensor.h"
#include "arrow/array.h"
#include "arrow/buffer.h"
#include "arrow/builder.h"
#include "arrow/io/file.h"
#include "arrow/ipc/writer.h"
#include "arrow/record_batch.h"
#include "arrow/table.h"
#include "arrow/type.h"

#include <functional>

namespace fs = std::filesystem;

using namespace nxdt::runtime;
using namespace nxdt::runtime::test;

namespace {

using Rows = std::vector<std::vector<int64_t>>;
using Array = std::shared_ptr<arrow::Array>;

constexpr int64_t kLength = 4;
constexpr int64_t kVocab = 10;

/// A column of lists of one type; a `null` row or element by INT64_MIN.
template <typename List, typename Value>
Array column(const Rows &rows, std::shared_ptr<arrow::DataType> type) {
  auto builder = arrow::MakeBuilder(type).ValueOrDie();
  auto &lists = dynamic_cast<List &>(*builder);
  auto &values = dynamic_cast<Value &>(*lists.value_builder());
  for (const auto &row : rows) {
    if (row.empty()) {
      EXPECT_TRUE(lists.AppendNull().ok());
      continue;
    }
    EXPECT_TRUE(lists.Append().ok());
    for (int64_t value : row)
      EXPECT_TRUE(
          (value == INT64_MIN
               ? values.AppendNull()
               : values.Append(static_cast<typename Value::value_type>(value)))
              .ok());
  }
  return builder->Finish().ValueOrDie();
}

Array int64Lists(const Rows &rows) {
  return column<arrow::ListBuilder, arrow::Int64Builder>(
      rows, arrow::list(arrow::int64()));
}

void writeStream(const std::string &path,
                 const std::vector<std::pair<std::string, Array>> &columns,
                 int64_t rowsPerBatch = 2) {
  arrow::FieldVector fields;
  arrow::ArrayVector arrays;
  for (const auto &[name, array] : columns) {
    fields.push_back(arrow::field(name, array->type()));
    arrays.push_back(array);
  }
  auto table = arrow::Table::Make(arrow::schema(fields), arrays);
  auto out = arrow::io::FileOutputStream::Open(path).ValueOrDie();
  auto writer = arrow::ipc::MakeStreamWriter(out, table->schema()).ValueOrDie();
  ASSERT_TRUE(writer->WriteTable(*table, rowsPerBatch).ok());
  ASSERT_TRUE(writer->Close().ok());
  ASSERT_TRUE(out->Close().ok());
}

void writeState(const std::string &dir, const std::string &files,
                const std::string &indices = "") {
  put(dir + "/state.json", "{\"_data_files\": [" + files +
                               "], \"_indices_data_files\": [" + indices +
                               "]}");
}

const char *kFile = R"({"filename": "data-00000-of-00001.arrow"})";

Rows goodIds() { return {{1, 2, 3, 4}, {5, 6, 7, 8}, {9, 8, 7, 6}}; }
Rows goodMask() { return {{1, 1, 1, 1}, {1, 1, 1, 0}, {1, 1, 0, 0}}; }
Rows goodLabels() { return {{1, 2, 3, 4}, {-100, 6, 7, 8}, {9, 8, 7, 6}}; }

/// A folder with one file of three rows.
struct Folder : TempDir {
  Folder(const Rows &ids, const Rows &mask, const Rows &labels)
      : Folder({{"input_ids", int64Lists(ids)},
                {"attention_mask", int64Lists(mask)},
                {"labels", int64Lists(labels)}}) {}
  explicit Folder(const std::vector<std::pair<std::string, Array>> &columns,
                  int64_t rowsPerBatch = 2) {
    writeStream(file(), columns, rowsPerBatch);
    writeState(path, kFile);
  }
  Folder() : Folder(goodIds(), goodMask(), goodLabels()) {}
  std::string file() const { return path + "/data-00000-of-00001.arrow"; }
  Dataset open() const { return Dataset::open(path, kLength, kVocab); }
};

std::vector<int64_t> row(const at::Tensor &tensor, int64_t i) {
  const int64_t *start = tensor.const_data_ptr<int64_t>() + i * tensor.size(1);
  return {start, start + tensor.size(1)};
}

using Row = std::vector<int64_t>;

} // namespace

TEST(Dataset, ShiftsAndMasks) {
  Folder folder;
  Dataset data = folder.open();
  EXPECT_EQ(data.size(), 3);
  EXPECT_TRUE(data.unusedColumns().empty());
  Batch batch = data.batch(0, 3);
  ASSERT_EQ(batch.inputIds.sizes(), (at::IntArrayRef{3, kLength}));
  ASSERT_EQ(batch.targets.scalar_type(), at::kLong);
  EXPECT_EQ(row(batch.inputIds, 0), (Row{1, 2, 3, 4}));
  EXPECT_EQ(row(batch.inputIds, 2), (Row{9, 8, 7, 6}));
  EXPECT_EQ(row(batch.targets, 0), (Row{2, 3, 4, -100}));
  EXPECT_EQ(row(batch.targets, 1), (Row{6, 7, -100, -100}));
  EXPECT_EQ(row(batch.targets, 2), (Row{8, -100, -100, -100}));
  // Any range, over the border of record batches.
  EXPECT_EQ(row(data.batch(1, 2).inputIds, 1), (Row{9, 8, 7, 6}));
}

TEST(Dataset, EvaluationIsFilledUp) {
  Folder folder;
  Batch batch = folder.open().evalBatch(2, 2);
  EXPECT_EQ(row(batch.inputIds, 0), (Row{9, 8, 7, 6}));
  EXPECT_EQ(row(batch.inputIds, 1), (Row{0, 0, 0, 0}));
  EXPECT_EQ(row(batch.targets, 1), (Row{-100, -100, -100, -100}));
  EXPECT_THROW(folder.open().batch(2, 2), std::out_of_range);
}

TEST(Dataset, EveryListOfIntegers) {
  auto check = [](const Array &ids, const Array &mask, const Array &labels) {
    Folder folder(
        {{"input_ids", ids}, {"attention_mask", mask}, {"labels", labels}});
    Batch batch = folder.open().batch(0, 3);
    EXPECT_EQ(row(batch.inputIds, 1), (Row{5, 6, 7, 8}));
    EXPECT_EQ(row(batch.targets, 1), (Row{6, 7, -100, -100}));
  };
  using arrow::FixedSizeListBuilder;
  using arrow::LargeListBuilder;
  using arrow::ListBuilder;
  check(column<ListBuilder, arrow::Int32Builder>(goodIds(),
                                                 arrow::list(arrow::int32())),
        column<ListBuilder, arrow::Int8Builder>(goodMask(),
                                                arrow::list(arrow::int8())),
        column<LargeListBuilder, arrow::Int64Builder>(
            goodLabels(), arrow::large_list(arrow::int64())));
  check(column<FixedSizeListBuilder, arrow::UInt16Builder>(
            goodIds(), arrow::fixed_size_list(arrow::uint16(), kLength)),
        column<LargeListBuilder, arrow::UInt8Builder>(
            goodMask(), arrow::large_list(arrow::uint8())),
        column<FixedSizeListBuilder, arrow::Int16Builder>(
            goodLabels(), arrow::fixed_size_list(arrow::int16(), kLength)));
  check(column<ListBuilder, arrow::UInt64Builder>(goodIds(),
                                                  arrow::list(arrow::uint64())),
        column<ListBuilder, arrow::UInt32Builder>(goodMask(),
                                                  arrow::list(arrow::uint32())),
        int64Lists(goodLabels()));
}

TEST(Dataset, ShardsIndicesAndOtherColumns) {
  Folder folder;
  std::string second = folder / "data-00001-of-00002.arrow";
  Rows ids = {{0, 1, 0, 1}, {2, 2, 2, 2}};
  Rows ones(2, {1, 1, 1, 1});
  writeStream(second, {{"text", int64Lists(ids)},
                       {"labels", int64Lists(ids)},
                       {"input_ids", int64Lists(ids)},
                       {"attention_mask", int64Lists(ones)}});
  std::string both =
      std::string(kFile) + R"(, {"filename": "data-00001-of-00002.arrow"})";
  writeState(folder.path, both);
  Dataset data = folder.open();
  EXPECT_EQ(data.size(), 5);
  EXPECT_EQ(data.unusedColumns(), std::vector<std::string>{"text"});
  EXPECT_EQ(row(data.batch(2, 2).inputIds, 1), (Row{0, 1, 0, 1}));

  auto writeIndices = [&](const std::vector<uint64_t> &values) {
    arrow::UInt64Builder builder;
    EXPECT_TRUE(builder.AppendValues(values).ok());
    writeStream(folder / "indices.arrow",
                {{"indices", builder.Finish().ValueOrDie()}});
    writeState(folder.path, both, R"({"filename": "indices.arrow"})");
  };
  writeIndices({4, 0, 4});
  Dataset mapped = folder.open();
  EXPECT_EQ(mapped.size(), 3);
  EXPECT_EQ(row(mapped.batch(0, 3).inputIds, 0), (Row{2, 2, 2, 2}));
  EXPECT_EQ(row(mapped.batch(0, 3).inputIds, 1), (Row{1, 2, 3, 4}));
  writeIndices({4, 5});
  expectError([&] { folder.open(); },
              {"indices.arrow: maps sample 1 to row 5 of 5"});
  writeIndices({});
  expectError([&] { folder.open(); }, {"is empty"});
  writeState(folder.path, both, kFile);
  expectError([&] { folder.open(); }, {"is no mapping of indices"});
}

TEST(Dataset, BadRowsNameFileRowAndColumn) {
  struct Case {
    int column;
    Row bad;
    std::string message;
  };
  const std::vector<Case> cases = {
      {0,
       {9, 10, 7, 6},
       "column input_ids: token id 10 at position 1; the vocabulary has ids 0 "
       "to 9"},
      {0, {-1, 8, 7, 6}, "column input_ids: token id -1 at position 0"},
      {0,
       {9, 8, 7},
       "column input_ids: has 3 elements, but "
       "model.encoder_seq_length is 4"},
      {0, {}, "column input_ids: is null"},
      {0, {1, INT64_MIN, 2, 3}, "column input_ids: holds a null at position 1"},
      {1, {1, 0, 1, 1}, "column attention_mask: a 0 before a 1 (position 2)"},
      {1, {0, 1, 1, 1}, "column attention_mask: a 0 before a 1 (position 1)"},
      {1, {1, 2, 1, 1}, "column attention_mask: holds 2 at position 1"},
      {1, {1, 1, -1, 0}, "column attention_mask: holds -1 at position 2"},
      {2, {1, 10, 1, 1}, "column labels: label 10 at position 1"},
      {2, {1, -1, 1, 1}, "column labels: label -1 at position 1"},
      {2, {1, 1, 1, 1, 1}, "column labels: has 5 elements"}};
  for (const Case &bad : cases) {
    SCOPED_TRACE(bad.message);
    Rows rows[3] = {goodIds(), goodMask(), goodLabels()};
    rows[bad.column][2] = bad.bad;
    Folder folder(rows[0], rows[1], rows[2]);
    Dataset data = folder.open();
    data.batch(0, 2); // the good rows
    expectError([&] { data.batch(0, 3); }, {"data.train_dir: " + folder.file() +
                                            ": row 2, " + bad.message});
  }
}

TEST(Dataset, BadColumns) {
  Array ids = int64Lists(goodIds());
  Folder missing({{"input_ids", ids}, {"text", ids}, {"labels", ids}});
  expectError([&] { missing.open(); },
              {missing.file(), "has no column 'attention_mask'; its columns "
                               "are: input_ids, text, labels"});
  arrow::Int64Builder plain;
  ASSERT_TRUE(plain.AppendValues({1, 2, 3}).ok());
  Folder flat({{"input_ids", plain.Finish().ValueOrDie()},
               {"attention_mask", ids},
               {"labels", ids}});
  expectError([&] { flat.open(); },
              {flat.file(), "column 'input_ids' has the type int64"});
  Array real = column<arrow::ListBuilder, arrow::DoubleBuilder>(
      goodIds(), arrow::list(arrow::float64()));
  Folder floating(
      {{"input_ids", ids}, {"attention_mask", ids}, {"labels", real}});
  expectError([&] { floating.open(); },
              {"column 'labels'", "its elements must be integers"});
  Folder twice({{"input_ids", ids},
                {"attention_mask", ids},
                {"labels", ids},
                {"labels", ids}});
  expectError([&] { twice.open(); }, {"column 'labels' more than once"});
}

TEST(Dataset, BadFolders) {
  Folder folder;
  auto open = [&] { folder.open(); };
  writeState(folder.path, R"({"filename": "gone.arrow"})");
  expectError(open, {"gone.arrow: there is no such file, but state.json"});
  writeState(folder.path, R"({"filename": "../x.arrow"})");
  expectError(open, {"'../x.arrow' is no file of this folder"});
  writeState(folder.path, R"({"filename": "/etc/passwd"})");
  expectError(open, {"'/etc/passwd' is no file of this folder"});
  writeState(folder.path, "3");
  expectError(open, {"_data_files: 3 names no file"});
  writeState(folder.path, "");
  expectError(open, {"is empty: state.json names no data files"});
  put(folder / "state.json", "{");
  expectError(open, {"state.json: is no JSON object"});
  fs::remove(folder / "state.json");
  expectError(open, {"has no state.json"});
  put(folder / "dataset_dict.json", R"({"splits": ["train", "test"]})");
  expectError(open, {"is a DatasetDict; name one of its splits: " +
                     folder.path + "/train, " + folder.path + "/test"});
  expectError([&] { Dataset::open("/none", 4, 10, "data.val_dir"); },
              {"data.val_dir: /none: there is no such folder"});
  expectError([&] { Dataset::open(folder.file(), 4, 10); }, {"is no folder"});
}

TEST(Dataset, BadFiles) {
  Folder folder;
  std::string whole = readFile(folder.file());
  auto with = [&](const std::string &text,
                  std::initializer_list<std::string> parts) {
    put(folder.file(), text);
    expectError([&] { folder.open(); }, parts);
  };
  with("", {folder.file(), "it has 0 bytes"});
  with("PAR1" + whole, {"is a Parquet file"});
  with("ARROW1\0\0" + whole, {"is in Arrow's file format"});
  with("nonsense" + whole, {"its first bytes are no message"});
  for (size_t size = 8; size < whole.size(); size += 8)
    with(whole.substr(0, size), {"data.train_dir: " + folder.file() + ": is "});

  Array none = int64Lists({});
  Folder empty(
      {{"input_ids", none}, {"attention_mask", none}, {"labels", none}});
  expectError([&] { empty.open(); }, {empty.path, "is empty"});
}

TEST(Dataset, OffsetsThatLie) {
  // Between good ends, which are all that Arrow itself checks.
  auto lists = [](const std::vector<int32_t> &offsets) {
    std::vector<int64_t> numbers(12, 1);
    arrow::Int64Builder values;
    EXPECT_TRUE(values.AppendValues(numbers).ok());
    auto buffer = arrow::Buffer::FromVector(offsets);
    return std::make_shared<arrow::ListArray>(
        arrow::list(arrow::int64()), 3, buffer, values.Finish().ValueOrDie());
  };
  Array good = lists({0, 4, 8, 12});
  for (const auto &offsets : std::vector<std::vector<int32_t>>{
           {0, 1000000, 1000004, 12}, {0, -4, 0, 12}, {0, 8, 4, 12}}) {
    Folder folder({{"input_ids", lists(offsets)},
                   {"attention_mask", good},
                   {"labels", good}},
                  /*rowsPerBatch=*/3);
    Dataset data = folder.open();
    expectError(
        [&] {
          for (int64_t i = 0; i < 3; ++i)
            data.batch(i, 1);
        },
        {folder.file() + ": row ", "column input_ids: "});
    expectError([&] { data.batch(1, 1); }, {"row 1", "is damaged"});
  }
}

TEST(Dataset, FlippedBitsNeverCrash) {
  Folder folder;
  std::string whole = readFile(folder.file());
  size_t refused = 0;
  for (size_t at = 0; at < whole.size(); ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << at * 5 % 8));
    put(folder.file(), damaged);
    try {
      Dataset data = folder.open();
      data.batch(0, data.size());
    } catch (const nxdt::UserError &error) {
      ++refused;
      EXPECT_NE(std::string(error.what()).find(folder.path), std::string::npos);
    }
  }
  EXPECT_GT(refused, 0u);
}

TEST(Dataset, FewerSamplesThanABatch) {
  Folder folder;
  Dataset data = folder.open();
  data.checkGlobalBatch(3);
  expectError([&] { data.checkGlobalBatch(4); },
              {folder.path, "has 3 samples, fewer than one global batch "
                            "(data.global_batch_size: 4); legal are 1 to 3"});
}

TEST(Dataset, GoldenFolders) {
  if (!fs::exists(NXDT_GOLDEN_DIR "/masked_sft/train"))
    GTEST_SKIP() << "no folder " NXDT_GOLDEN_DIR;
  Dataset data = Dataset::open(NXDT_GOLDEN_DIR "/masked_sft/train", 64, 512);
  EXPECT_EQ(data.size(), 80);
  Batch batch = data.batch(0, 80);
  int64_t ignored = 0;
  for (int64_t i = 0; i < batch.targets.numel(); ++i)
    ignored += batch.targets.const_data_ptr<int64_t>()[i] == -100;
  EXPECT_GT(ignored, 80); // prompts, besides the last positions
}

TEST(SampleOrder, WrapsWithoutTheRest) {
  SampleOrder order(11, 4);
  EXPECT_EQ(order.stepsPerEpoch(), 2);
  EXPECT_EQ(order.dropped(), 3);
  std::vector<int64_t> firsts;
  for (int64_t step = 0; step < 5; ++step)
    firsts.push_back(order.firstOfStep(step));
  EXPECT_EQ(firsts, (Row{0, 4, 0, 4, 0}));
  EXPECT_EQ(order.epochOfStep(3), 1);
  EXPECT_EQ(order.firstOfMicroBatch(1, 0, 2), 4);
  EXPECT_EQ(order.firstOfMicroBatch(1, 1, 2), 6);
  EXPECT_EQ(SampleOrder(4, 4).firstOfStep(int64_t{1} << 40), 0);
  EXPECT_THROW(SampleOrder(3, 4), std::invalid_argument);
  EXPECT_THROW(SampleOrder(3, 0), std::invalid_argument);
}

TEST(SampleOrder, EvaluationBatches) {
  EXPECT_EQ(evalBatchCount(10, 4, -1, 0), 3);
  EXPECT_EQ(evalBatchCount(10, 4, 2, 0), 2);
  EXPECT_EQ(evalBatchCount(10, 4, 5, 0), 3);
  EXPECT_EQ(evalBatchCount(10, 4, 0, 0), 0);
  EXPECT_EQ(evalBatchCount(10, 1, -1, 0.25), 2);
  expectError([] { evalBatchCount(10, 4, -1, 0.1); },
              {"trainer.limit_val_batches: 0.1", "of 3 batches leaves none"});
}
