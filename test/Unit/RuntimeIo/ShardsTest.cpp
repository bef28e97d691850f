//===- ShardsTest.cpp - checkpoints in the files of several ranks -*- C++
//-*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "TestSupport.h"

#include "runtime/Checkpoint/CheckpointReader.h"
#include "runtime/Checkpoint/Crc.h"
#include "runtime/Checkpoint/RankParts.h"

#include <functional>
#include <nlohmann/json.hpp>
#include <numeric>

namespace nxdt::runtime::test {
namespace {

namespace fs = std::filesystem;

/// 0, 1, 2, ... row-major.
HostTensor counted(std::vector<int64_t> shape) {
  std::vector<float> values(Region{{}, shape}.numel());
  std::iota(values.begin(), values.end(), 0.0f);
  return floats(std::move(shape), values);
}

/// The region of counted(whole).
HostTensor part(const std::vector<int64_t> &whole, const Region &region) {
  HostTensor all = counted(whole);
  HostTensor out = makeHostTensor(plan::DType::F32, region.shape, nullptr);
  copyRegion(all.data.get(), {std::vector<int64_t>(whole.size(), 0), whole},
             const_cast<std::byte *>(out.data.get()), region, 4);
  return out;
}

void put(CheckpointData &data, const std::string &name,
         const std::vector<int64_t> &whole, const Region &region) {
  data.model[name] = part(whole, region);
  data.modelPlaces[name] = {whole, region.start};
}

/// Two tensor-parallel ranks: [5, 3] in rows 3 and 2, [2, 4] in columns, and a
/// [3] that both have. The optimizer's rows of [5, 3] are cut over two
/// data-parallel ranks once more.
CheckpointData rankData(int64_t dp, int64_t tp) {
  CheckpointData data;
  data.step = 4;
  data.consumedSamples = 32;
  data.mesh = "pp 1 x dp 2 x cp 1 x tp 2";
  data.layout = "0123456789abcdef";
  data.rankName = rankName(plan::Mesh::nxd(1, 2, 1, 2), dp * 2 + tp);
  if (dp == 0) {
    put(data, "rows", {5, 3}, {{tp * 3, 0}, {3 - tp, 3}});
    put(data, "columns", {2, 4}, {{0, tp * 2}, {2, 2}});
    data.model["norm"] = counted({3});
  }
  // Rows 0 1 | 2, and 3 | 4.
  int64_t first = tp * 3 + dp * (2 - tp);
  int64_t count = tp == 0 && dp == 0 ? 2 : 1;
  data.optimizer["exp_avg"]["rows"] = part({5, 3}, {{first, 0}, {count, 3}});
  data.optimizerPlaces["exp_avg"]["rows"] = {{5, 3}, {first, 0}};
  return data;
}

/// The other ranks, one after the other.
class Peers final : public SavePeers {
public:
  std::function<void(CheckpointData &)> change = [](CheckpointData &) {};

  void begin(const std::string &given) override { folder = given; }
  std::vector<std::string> finish() override {
    std::vector<std::string> texts;
    for (int64_t rank = 1; rank < 4; ++rank) {
      CheckpointData data = rankData(rank / 2, rank % 2);
      change(data);
      texts.push_back(writeCheckpointPart(folder, data));
    }
    return texts;
  }

private:
  std::string folder;
};

std::string savedIn(const TempDir &dir, Peers &peers) {
  return saveCheckpoint(dir.path, "x", rankData(0, 0), /*last=*/false, &peers);
}

TEST(Shards, TreeOfNxdTraining) {
  TempDir dir;
  Peers peers;
  std::string tag = savedIn(dir, peers);
  std::vector<std::string> files;
  for (const auto &entry : fs::recursive_directory_iterator(tag))
    if (entry.path().extension() == ".pt")
      files.push_back(fs::relative(entry.path(), tag).string());
  std::sort(files.begin(), files.end());
  EXPECT_EQ(files, (std::vector<std::string>{
                       "model/dp_rank_00_tp_rank_00_pp_rank_00.pt",
                       "model/dp_rank_00_tp_rank_01_pp_rank_00.pt",
                       "optim/dp_rank_00_tp_rank_00_pp_rank_00.pt",
                       "optim/dp_rank_00_tp_rank_01_pp_rank_00.pt",
                       "optim/dp_rank_01_tp_rank_00_pp_rank_00.pt",
                       "optim/dp_rank_01_tp_rank_01_pp_rank_00.pt",
                       "user_content.pt"}));
  EXPECT_EQ(readTagInfo(tag).mesh, "pp 1 x dp 2 x cp 1 x tp 2");
}

TEST(Shards, AreReadAsWholesAndAsRegions) {
  TempDir dir;
  Peers peers;
  std::string tag = savedIn(dir, peers);
  CheckpointData data = loadCheckpoint(tag);
  EXPECT_EQ(data.layout, "0123456789abcdef");
  EXPECT_TRUE(same(data.model.at("rows"), counted({5, 3})));
  EXPECT_TRUE(same(data.model.at("columns"), counted({2, 4})));
  EXPECT_TRUE(same(data.model.at("norm"), counted({3})));
  EXPECT_TRUE(same(data.optimizer.at("exp_avg").at("rows"), counted({5, 3})));

  CheckpointReader reader(tag);
  for (int64_t begin = 0; begin < 5; ++begin)
    for (int64_t end = begin; end <= 5; ++end) {
      Region region{{begin, 1}, {end - begin, 2}};
      for (const char *state : {"", "exp_avg"})
        EXPECT_TRUE(
            same(reader.read(state, "rows", region), part({5, 3}, region)))
            << state << begin << end;
    }
}

TEST(Shards, OnlyTheFilesOfARegionAreOpened) {
  TempDir dir;
  Peers peers;
  std::string tag = savedIn(dir, peers);
  std::string bad = tag + "/optim/dp_rank_01_tp_rank_01_pp_rank_00.pt";
  spoil(bad, 100);
  CheckpointReader reader(tag);
  EXPECT_TRUE(same(reader.read("exp_avg", "rows", {{1, 0}, {2, 3}}),
                   part({5, 3}, {{1, 0}, {2, 3}})));
  expectError(
      [&] {
        reader.read("exp_avg", "rows", {{3, 0}, {2, 3}});
      },
      {bad, "is damaged"});
  expectError([&] { loadCheckpoint(tag); }, {bad, "is damaged"});
  fs::remove(bad);
  expectError([&] { loadCheckpoint(tag); }, {bad});
}

TEST(Shards, WhatDoesNotFitTogetherIsRefused) {
  auto refused = [](const std::function<void(CheckpointData &)> &change,
                    std::initializer_list<std::string> parts) {
    TempDir dir;
    Peers peers;
    peers.change = change;
    std::string tag = savedIn(dir, peers);
    expectError([&] { CheckpointReader reader(tag); }, parts);
  };
  refused(
      [](CheckpointData &data) {
        data.optimizer["exp_avg"].erase("rows");
        data.optimizerPlaces.clear();
      },
      {"manifest.json: 'exp_avg' of tensor 'rows'", "6 of 15 elements"});
  refused(
      [](CheckpointData &data) {
        if (data.model.count("rows"))
          data.modelPlaces["rows"].start[0] = 2;
      },
      {"manifest.json: tensor 'rows'", "model/dp_rank_00_tp_rank_00",
       "model/dp_rank_00_tp_rank_01", "overlap"});
  refused(
      [](CheckpointData &data) {
        if (data.model.count("rows"))
          data.modelPlaces["rows"].start[0] = 4;
      },
      {"the part in model/dp_rank_00_tp_rank_01_pp_rank_00.pt at [4,0] of "
       "shape [2,3] is not inside of the whole, [5,3]"});
  refused(
      [](CheckpointData &data) {
        if (data.model.count("rows"))
          data.modelPlaces["rows"].logicalShape = {6, 3};
      },
      {"are not of one tensor"});
}

TEST(Shards, TwoRanksOfOneNameAreRefused) {
  TempDir dir;
  Peers peers;
  peers.change = [](CheckpointData &data) {
    data.rankName = "dp_rank_00_tp_rank_00_pp_rank_00";
  };
  expectError([&] { savedIn(dir, peers); }, {"two ranks write"});
  // Nothing is left behind.
  EXPECT_TRUE(fs::is_empty(dir.path));
}

/// What earlier versions wrote: one part, and no list.
TEST(Shards, ManifestsOfVersionOneAreRead) {
  TempDir dir;
  CheckpointData data;
  data.model["w"] = counted({2, 3});
  std::string tag = saveCheckpoint(dir.path, "x", data);
  std::string path = tag + "/manifest.json";
  auto json = nlohmann::ordered_json::parse(readFile(path));
  json["version"] = 1;
  json["model"]["w"] = nlohmann::ordered_json(json["model"]["w"][0]);
  for (const char *key : {"mesh", "layout", "checksum"})
    json.erase(key);
  std::string text = json.dump();
  char checksum[16];
  std::snprintf(checksum, sizeof(checksum), "%08x",
                crc32c(0, text.data(), text.size()));
  json["checksum"] = checksum;
  test::put(path, json.dump());
  EXPECT_TRUE(same(loadCheckpoint(tag).model.at("w"), counted({2, 3})));
}

TEST(RankParts, NamesAndWriters) {
  plan::Mesh mesh = plan::Mesh::nxd(1, 2, 1, 2);
  EXPECT_EQ(rankName(mesh, 3), "dp_rank_01_tp_rank_01_pp_rank_00");
  plan::Buffer buffer;
  buffer.logicalShape = buffer.shape = {3};
  buffer.split = {{"tp", "dp"}};
  // 2 and 1 rows, in parts of 1: the last part is padding only.
  EXPECT_TRUE(writesPart(buffer, mesh, 0));
  EXPECT_TRUE(writesPart(buffer, mesh, 2));
  EXPECT_TRUE(writesPart(buffer, mesh, 1));
  EXPECT_FALSE(writesPart(buffer, mesh, 3));
  buffer.split = {{"tp"}};
  for (int64_t rank = 0; rank < 4; ++rank)
    EXPECT_EQ(writesPart(buffer, mesh, rank), rank < 2) << rank;
  buffer.split = {{}};
  for (int64_t rank = 0; rank < 4; ++rank)
    EXPECT_EQ(writesPart(buffer, mesh, rank), rank < 2) << rank;
}

} // namespace
} // namespace nxdt::runtime::test
