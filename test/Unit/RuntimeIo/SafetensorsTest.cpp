//===- SafetensorsTest.cpp - safetensors and Hugging Face folders ---------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestSupport.h"

#include "runtime/Checkpoint/HuggingFace.h"
#include "runtime/Checkpoint/Safetensors.h"

#include "nlohmann/json.hpp"

namespace fs = std::filesystem;

using namespace nxdt::runtime;
using namespace nxdt::runtime::test;
using nxdt::plan::DType;

namespace {

/// A file with this header and `payload` bytes of data.
void writeRaw(const std::string &path, const std::string &header,
              size_t payload, int64_t claimedLength = -1) {
  uint64_t length =
      claimedLength < 0 ? header.size() : static_cast<uint64_t>(claimedLength);
  std::string text(reinterpret_cast<const char *>(&length), 8);
  put(path, text + header + std::string(payload, 'x'));
}

struct Hostile {
  const char *name;
  const char *header;
  size_t payload;
  const char *message;
};

const Hostile kHostile[] = {
    {"BrokenJson", R"({"a":{)", 0, "is no valid JSON"},
    {"NoObject", "[1]", 0, "its header is no JSON object"},
    {"EntryNoObject", R"({"a":3})", 0, "'a': its entry needs dtype"},
    {"NoOffsets", R"({"a":{"dtype":"F32","shape":[1]}})", 4,
     "'a': its entry needs dtype, shape and data_offsets"},
    {"UnknownType",
     R"({"a":{"dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4]}})", 4,
     "'a': has the type 'F8_E4M3'"},
    {"TypeNoString", R"({"a":{"dtype":4,"shape":[1],"data_offsets":[0,4]}})", 4,
     "'a': its dtype is no string"},
    {"NegativeSize",
     R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4,
     "'a': its shape holds -1"},
    {"FractionalSize",
     R"({"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}})", 4,
     "'a': its shape holds 1.5"},
    {"Overflow",
     R"({"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}})",
     0, "overflows"},
    {"OutOfRange", R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})",
     4, "end behind the 4 bytes of data"},
    {"HugeOffset",
     R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[18446744073709551608,18446744073709551615]}})",
     8, "are no range"},
    {"Backwards", R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})",
     4, "are no range"},
    {"ShapeMismatch",
     R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", 8,
     "needs 12 bytes, its data_offsets [0,8] span 8"},
    {"Overlap",
     R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})",
     12, "'b': overlaps tensor 'a'"},
    {"Hole",
     R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}})",
     12, "'b': bytes 4 to 8 before it belong to no tensor"},
    {"Trailing", R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
     12, "its tensors end at byte 4 of 12"},
    {"DuplicateName",
     R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
     4, "the key 'a' is there twice"},
};

} // namespace

TEST(Safetensors, RoundTrip) {
  TempDir dir;
  uint16_t half = 0x3f80;
  int64_t count = 7;
  TensorMap tensors = {{"z", floats({2, 3}, {1, 2, 3, 4, 5, 6})},
                       {"a", makeHostTensor(DType::BF16, {1}, &half)},
                       {"n", makeHostTensor(DType::I64, {}, &count)},
                       {"empty", floats({0, 4}, {})}};
  writeSafetensors(dir / "m.safetensors", tensors, DType::F32);
  TensorMap back = readSafetensors(dir / "m.safetensors");
  ASSERT_EQ(back.size(), 4u);
  EXPECT_TRUE(same(back["z"], tensors["z"]));
  EXPECT_TRUE(same(back["n"], tensors["n"]));
  EXPECT_EQ(back["empty"].shape, (std::vector<int64_t>{0, 4}));
  EXPECT_EQ(back["a"].dtype, DType::F32);
  EXPECT_EQ(*back["a"].as<float>(), 1.0f);
  std::string text = readFile(dir / "m.safetensors");
  EXPECT_NE(text.find(R"("__metadata__":{"format":"pt"})"), std::string::npos);
}

TEST(Safetensors, HostileHeaders) {
  TempDir dir;
  for (const Hostile &hostile : kHostile) {
    SCOPED_TRACE(hostile.name);
    std::string path = dir / std::string(hostile.name) + ".safetensors";
    writeRaw(path, hostile.header, hostile.payload);
    expectError([&] { readSafetensors(path); }, {path, hostile.message});
  }
}

TEST(Safetensors, LyingLengths) {
  TempDir dir;
  std::string path = dir / "m.safetensors";
  writeRaw(path, "{}", 0, 1000);
  expectError([&] { readSafetensors(path); },
              {path, "is truncated: its header should have 1000 bytes"});
  writeRaw(path, "{}", 0, INT64_MAX);
  expectError([&] { readSafetensors(path); },
              {path, "at most 100000000 are allowed"});
  put(path, "abc");
  expectError([&] { readSafetensors(path); }, {path, "it has 3 bytes"});
  expectError([&] { readSafetensors(dir / "none"); },
              {"none: cannot be opened: No such file"});
}

TEST(Safetensors, EveryTruncationIsRefused) {
  TempDir dir;
  std::string path = dir / "m.safetensors";
  writeSafetensors(path, {{"a", floats({4}, {1, 2, 3, 4})}}, DType::F32);
  std::string whole = readFile(path);
  for (size_t size = 0; size < whole.size(); ++size) {
    put(path, whole.substr(0, size));
    expectError([&] { readSafetensors(path); }, {path});
  }
}

TEST(Safetensors, Shards) {
  TempDir dir;
  TensorMap tensors = {{"a", floats({4}, {1, 2, 3, 4})},
                       {"b", floats({4}, {5, 6, 7, 8})},
                       {"c", floats({2}, {9, 10})}};
  writeSafetensorsFolder(dir.path, tensors, DType::F32, 24);
  EXPECT_TRUE(fs::exists(dir / "model-00001-of-00002.safetensors"));
  EXPECT_TRUE(fs::exists(dir / "model-00002-of-00002.safetensors"));
  std::string indexPath = dir / "model.safetensors.index.json";
  auto index = nlohmann::json::parse(readFile(indexPath));
  EXPECT_EQ(index["metadata"]["total_size"], 40);
  EXPECT_EQ(index["weight_map"]["c"], "model-00002-of-00002.safetensors");
  TensorMap back = readSafetensorsFolder(dir.path);
  for (const auto &[name, tensor] : tensors)
    EXPECT_TRUE(same(back.at(name), tensor)) << name;

  auto spoilt = [&](const char *name, const char *file) {
    auto other = index;
    other["weight_map"][name] = file;
    put(indexPath, other.dump());
  };
  spoilt("d", "model-00001-of-00002.safetensors");
  expectError([&] { readSafetensorsFolder(dir.path); },
              {"model-00001-of-00002.safetensors: misses tensor 'd'"});
  spoilt("a", "../model.safetensors");
  expectError([&] { readSafetensorsFolder(dir.path); },
              {"'a' names '../model.safetensors', which is no file"});
  spoilt("a", "gone.safetensors");
  expectError([&] { readSafetensorsFolder(dir.path); },
              {"gone.safetensors: cannot be opened"});
  auto lacking = index;
  lacking["weight_map"].erase("c");
  put(indexPath, lacking.dump());
  expectError([&] { readSafetensorsFolder(dir.path); },
              {"holds tensor 'c', which", "does not list there"});
  put(indexPath, "{\"weight_map\": 3}");
  expectError([&] { readSafetensorsFolder(dir.path); },
              {"has no object 'weight_map'"});
}

TEST(HuggingFace, ImportChecksNamesAndShapes) {
  TempDir dir;
  put(dir / "config.json", "{}");
  double wide = 0.5;
  writeSafetensorsFolder(
      dir.path,
      {{"a", floats({2}, {1, 2})},
       {"b", floats({1}, {3})},
       {"model.layers.0.self_attn.rotary_emb.inv_freq", floats({1}, {1})}},
      DType::BF16);
  EXPECT_TRUE(isHuggingFaceFolder(dir.path));
  auto weights = HuggingFaceWeights::open(dir.path, {{"a", {2}}, {"b", {1}}});
  EXPECT_EQ(weights.fp32("a").dtype, DType::F32);
  EXPECT_EQ(weights.fp32("a").as<float>()[1], 2.0f);
  expectError(
      [&] {
        HuggingFaceWeights::open(dir.path,
                                 {{"a", {3}}, {"c", {1}}, {"d", {1}}});
      },
      {dir.path, "missing: c, d", "unexpected: b",
       "a is [2], the model has [3]"});
  writeSafetensors(dir / "model.safetensors",
                   {{"a", makeHostTensor(DType::F64, {1}, &wide)}}, DType::F64);
  EXPECT_EQ(
      *HuggingFaceWeights::open(dir.path, {{"a", {1}}}).fp32("a").as<float>(),
      0.5f);
  TempDir empty;
  put(empty / "pytorch_model.bin", "x");
  expectError([&] { HuggingFaceWeights::open(empty.path, {}); },
              {empty.path, "has neither model.safetensors nor",
               "pytorch_model.bin must be saved as safetensors"});
}

TEST(HuggingFace, TiedImport) {
  TempDir dir;
  TiedNames tied = {{"head", "embed"}};
  std::string path = dir / "model.safetensors";
  writeSafetensors(path, {{"head", floats({1}, {3})}}, DType::F32);
  auto fromAlias = HuggingFaceWeights::open(dir.path, {{"embed", {1}}}, tied);
  EXPECT_EQ(*fromAlias.fp32("embed").as<float>(), 3.0f);
  writeSafetensors(path,
                   {{"head", floats({1}, {3})}, {"embed", floats({1}, {3})}},
                   DType::F32);
  HuggingFaceWeights::open(dir.path, {{"embed", {1}}}, tied);
  writeSafetensors(path,
                   {{"head", floats({1}, {3})}, {"embed", floats({1}, {4})}},
                   DType::F32);
  expectError(
      [&] {
        HuggingFaceWeights::open(dir.path, {{"embed", {1}}}, tied);
      },
      {"'head' and 'embed' are tied", "values differ"});
}

TEST(HuggingFace, Export) {
  TempDir dir;
  std::string out = dir / "deep/out";
  TensorMap tensors = {{"embed", floats({2}, {1, 2})},
                       {"head", floats({2}, {1, 2})}};
  std::string config =
      R"({"z": 1, "dtype": "float32", "rms_norm_eps": 1e-05, "a": 2})";
  exportHuggingFace(out, config, tensors, DType::BF16, {{"head", "embed"}});
  TensorMap back = readSafetensorsFolder(out);
  EXPECT_EQ(back.size(), 1u);
  EXPECT_EQ(back.at("embed").dtype, DType::BF16);
  EXPECT_EQ(readFile(out + "/config.json"),
            "{\n  \"z\": 1,\n  \"dtype\": \"bfloat16\",\n"
            "  \"rms_norm_eps\": 1e-05,\n  \"a\": 2\n}\n");
  // Nothing but the folder is left beside it.
  EXPECT_EQ(std::distance(fs::directory_iterator(dir / "deep"),
                          fs::directory_iterator()),
            1);

  expectError([&] { exportHuggingFace(out, config, tensors, DType::F32); },
              {out, "exists and is not empty", "--force"});
  // A replaced model leaves no shards of the old one, and other files alone.
  put(out + "/tokenizer.json", "t");
  exportHuggingFace(out, "{}", tensors, DType::F32, {}, /*force=*/true,
                    /*maxShardBytes=*/8);
  EXPECT_FALSE(fs::exists(out + "/model.safetensors"));
  EXPECT_EQ(readFile(out + "/tokenizer.json"), "t");
  EXPECT_EQ(readSafetensorsFolder(out).size(), 2u);
  EXPECT_EQ(readFile(out + "/config.json"),
            "{\n  \"torch_dtype\": \"float32\"\n}\n");
  exportHuggingFace(out, "{}", tensors, DType::F32, {}, /*force=*/true);
  EXPECT_FALSE(fs::exists(out + "/model.safetensors.index.json"));
  EXPECT_EQ(readSafetensorsFolder(out).size(), 2u);

  // A failed export leaves nothing.
  expectError(
      [&] {
        exportHuggingFace(dir / "big", "{}", {{"w", floats({1}, {1e30f})}},
                          DType::F16);
      },
      {"tensor 'w'", "too large for f16"});
  EXPECT_FALSE(fs::exists(dir / "big"));
  EXPECT_FALSE(fs::exists(dir / ".big.nxdt-tmp"));
  put(dir / "file", "x");
  expectError([&] { exportHuggingFace(dir / "file", "{}", {}, DType::F32); },
              {"exists and is no folder"});
}

TEST(HuggingFace, ExportTakesMasters) {
  CheckpointData data = sampleCheckpoint(5);
  TensorMap weights = exportableWeights(data);
  EXPECT_EQ(weights.at("model.norm.weight").dtype, DType::F32);
  EXPECT_EQ(weights.at("model.embed_tokens.weight").dtype, DType::F32);
  EXPECT_EQ(weights.size(), 2u);
}
