//===- CheckpointTest.cpp - checkpoints, whole, damaged and half made -----===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestSupport.h"

#include "runtime/Checkpoint/HuggingFace.h"
#include "runtime/Checkpoint/Manifest.h"

#include "nlohmann/json.hpp"

#include <cmath>

namespace fs = std::filesystem;

using namespace nxdt::runtime;
using namespace nxdt::runtime::test;

namespace {

constexpr const char *kModel = "/model/dp_rank_00_tp_rank_00_pp_rank_00.pt";
constexpr const char *kOptim = "/optim/dp_rank_00_tp_rank_00_pp_rank_00.pt";

void expectSame(const TensorMap &a, const TensorMap &b) {
  ASSERT_EQ(a.size(), b.size());
  for (const auto &[name, tensor] : a)
    EXPECT_TRUE(same(tensor, b.at(name))) << name;
}

} // namespace

TEST(Checkpoint, RoundTrip) {
  TempDir dir;
  CheckpointData data = sampleCheckpoint(12);
  std::string tag = saveCheckpoint(dir / "checkpoints", "x--step=12", data);
  EXPECT_EQ(tag, dir / "checkpoints/x--step=12.ckpt");
  for (const char *file : {"/checkpoint", "/done", "/user_content.pt",
                           "/manifest.json", kModel, kOptim})
    EXPECT_TRUE(fs::exists(tag + file)) << file;
  EXPECT_EQ(readFile(tag + "/done"), "1");

  CheckpointData back = loadCheckpoint(tag);
  EXPECT_EQ(back.step, 12);
  EXPECT_EQ(back.consumedSamples, 96);
  EXPECT_EQ(back.seed, 1234);
  expectSame(back.model, data.model);
  ASSERT_EQ(back.optimizer.size(), 2u);
  expectSame(back.optimizer["master"], data.optimizer["master"]);
  expectSame(back.optimizer["exp_avg"], data.optimizer["exp_avg"]);
  EXPECT_EQ(back.tied, data.tied);
  EXPECT_EQ(back.configJson, data.configJson);
  EXPECT_EQ(back.hfConfigJson, data.hfConfigJson);
  EXPECT_EQ(back.metrics, data.metrics);
  ASSERT_EQ(back.extra.size(), 1u);
  EXPECT_EQ(*back.extra[0].second.get<PtList>()->front().get<int64_t>(),
            int64_t{1} << 40);

  Manifest manifest = readManifest(tag);
  EXPECT_EQ(manifest.info.step, 12);
  EXPECT_EQ(manifest.info.metrics, data.metrics);
  EXPECT_EQ(manifest.model.at("model.embed_tokens.weight").at(0).logicalShape,
            (std::vector<int64_t>{2, 2}));
  // Nothing else is left in the folder.
  EXPECT_EQ(std::distance(fs::directory_iterator(dir / "checkpoints"),
                          fs::directory_iterator()),
            1);
}

TEST(Checkpoint, SameContentSameBytes) {
  TempDir dir;
  std::string a = saveCheckpoint(dir.path, "a", sampleCheckpoint(1));
  std::string b = saveCheckpoint(dir.path, "b", sampleCheckpoint(1));
  for (const char *file :
       {kModel, kOptim, "/user_content.pt", "/manifest.json"})
    EXPECT_EQ(readFile(a + file), readFile(b + file)) << file;
}

TEST(Checkpoint, EveryDamagedFileIsNamed) {
  TempDir dir;
  for (std::string file :
       {kModel, kOptim, "/user_content.pt", "/manifest.json"}) {
    SCOPED_TRACE(file);
    std::string tag = saveCheckpoint(dir.path, "x", sampleCheckpoint(3));
    size_t size = fs::file_size(tag + file);
    for (size_t at : {size_t{0}, size / 2, size - 2}) {
      spoil(tag + file, at);
      expectError([&] { loadCheckpoint(tag); }, {tag + file});
      spoil(tag + file, at);
    }
    loadCheckpoint(tag);
    truncateTo(tag + file, size - 1);
    if (file != "/manifest.json") // which ends with a newline
      expectError([&] { loadCheckpoint(tag); },
                  {tag + file + ": is damaged: it has " +
                   std::to_string(size - 1) + " bytes, " +
                   std::to_string(size) + " were written"});
    fs::remove(tag + file);
    expectError([&] { loadCheckpoint(tag); }, {tag});
    removeTag(tag);
  }
}

TEST(Checkpoint, Incomplete) {
  TempDir dir;
  std::string tag = saveCheckpoint(dir.path, "x", sampleCheckpoint(3));
  fs::remove(tag + "/done");
  expectError([&] { loadCheckpoint(tag); },
              {tag, "is incomplete (no file 'done'"});
  expectError([&] { readTagInfo(tag); }, {tag, "is incomplete"});
  EXPECT_FALSE(findLatest(dir.path));
  EXPECT_TRUE(isTagFolder(tag));
  expectError([&] { loadCheckpoint(dir / "none"); },
              {"none: there is no such checkpoint"});
  expectError([&] { loadCheckpoint(dir.path); }, {"is no checkpoint"});
}

TEST(Checkpoint, Manifests) {
  TempDir dir;
  std::string tag = saveCheckpoint(dir.path, "x", sampleCheckpoint(3));
  std::string path = tag + "/manifest.json";
  std::string text = readFile(path);
  auto with = [&](const std::string &from, const std::string &to) {
    std::string changed = text;
    changed.replace(changed.find(from), from.size(), to);
    put(path, changed);
  };
  with("\"step\": 3", "\"step\": 4");
  expectError([&] { readTagInfo(tag); },
              {path, "is damaged (its checksum does not match)"});
  with("\"version\": 2", "\"version\": 3");
  expectError(
      [&] { readTagInfo(tag); },
      {path, "is of version 3, this program reads the versions 1 and 2"});
  with("nxdt-checkpoint", "other");
  expectError([&] { readTagInfo(tag); }, {path, "is no manifest"});
  // Marked complete, but unreadable: never skipped silently.
  expectError([&] { findLatest(dir.path); },
              {path, "is marked complete: move it away"});
  fs::remove(path);
  expectError([&] { findLatest(dir.path); },
              {tag, "has no manifest.json", "NxD Training"});

  // A manifest of another model with right checksums.
  Manifest manifest = parseManifest(text, path);
  manifest.model.begin()->second[0].shape = {4, 1};
  manifest.model.begin()->second[0].logicalShape = {4, 1};
  put(path, manifestText(manifest));
  expectError([&] { loadCheckpoint(tag); },
              {tag + kModel, "is f32[2,2], its manifest says f32[4,1]"});
  manifest = parseManifest(text, path);
  manifest.model.erase("model.norm.weight");
  put(path, manifestText(manifest));
  expectError([&] { loadCheckpoint(tag); },
              {tag + kModel, "'model.norm.weight'", "does not know"});
  manifest = parseManifest(text, path);
  manifest.optimizer["exp_avg_sq"] = manifest.optimizer["exp_avg"];
  put(path, manifestText(manifest));
  expectError([&] { loadCheckpoint(tag); },
              {tag + kOptim, "misses the state 'exp_avg_sq'"});
  manifest = parseManifest(text, path);
  manifest.files["../evil"] = {};
  put(path, manifestText(manifest));
  expectError([&] { loadCheckpoint(tag); },
              {path, "'../evil' is no file of the checkpoint"});
}

TEST(Checkpoint, LatestIsByStep) {
  TempDir dir;
  EXPECT_FALSE(findLatest(dir / "none"));
  saveCheckpoint(dir.path, "b", sampleCheckpoint(20));
  saveCheckpoint(dir.path, "z", sampleCheckpoint(9)); // newer by time and name
  fs::create_directory(dir / "other.ckpt");
  put(dir / "file.ckpt", "x");
  auto latest = findLatest(dir.path);
  ASSERT_TRUE(latest);
  EXPECT_EQ(latest->step, 20);
  EXPECT_EQ(latest->consumedSamples, 160);
  EXPECT_EQ(listTags(dir.path).size(), 2u);
}

TEST(Checkpoint, ReplacingKeepsOneComplete) {
  TempDir dir;
  saveCheckpoint(dir.path, "x", sampleCheckpoint(1));
  std::string tag = saveCheckpoint(dir.path, "x", sampleCheckpoint(2));
  EXPECT_EQ(loadCheckpoint(tag).step, 2);
  EXPECT_EQ(listTags(dir.path).size(), 1u);
  // A kill between the two renames, and after `done`.
  fs::rename(tag, dir / "x-replaced.ckpt");
  EXPECT_EQ(findLatest(dir.path)->step, 2);
  EXPECT_TRUE(removeLeftovers(dir.path).empty());
  saveCheckpoint(dir.path, "x", sampleCheckpoint(3));
  EXPECT_EQ(listTags(dir.path).size(), 1u);
  saveCheckpoint(dir.path, "x-replaced", sampleCheckpoint(2));
  EXPECT_EQ(removeLeftovers(dir.path),
            std::vector<std::string>{dir / "x-replaced.ckpt"});
  EXPECT_EQ(findLatest(dir.path)->step, 3);
}

TEST(Checkpoint, Leftovers) {
  TempDir dir;
  std::string old = saveCheckpoint(dir.path, "s1", sampleCheckpoint(1));
  saveCheckpoint(dir.path, "s5", sampleCheckpoint(5));
  std::string future = saveCheckpoint(dir.path, "s9", sampleCheckpoint(9));
  fs::remove(old + "/done");
  fs::remove(future + "/done");
  fs::create_directories(dir / ".s7.ckpt.tmp/model");
  fs::create_directories(dir / "mine"); // a user's own
  std::vector<std::string> removed = removeLeftovers(dir.path);
  EXPECT_EQ(removed, (std::vector<std::string>{dir / ".s7.ckpt.tmp", old}));
  EXPECT_TRUE(fs::exists(future));
  EXPECT_TRUE(fs::exists(dir / "mine"));
  // Saved again under the same name, it is whole.
  EXPECT_EQ(
      loadCheckpoint(saveCheckpoint(dir.path, "s9", sampleCheckpoint(9))).step,
      9);
}

TEST(Checkpoint, CannotBeWritten) {
  TempDir dir;
  put(dir / "file", "x");
  expectError([&] { saveCheckpoint(dir / "file", "x", sampleCheckpoint(1)); },
              {dir / "file"});
  expectError([&] { saveCheckpoint(dir.path, "a/b", sampleCheckpoint(1)); },
              {"cannot be named 'a/b'"});
  expectError(
      [&] {
        saveCheckpoint(dir.path, std::string(300, 'x'), sampleCheckpoint(1));
      },
      {"File name too long"});
  EXPECT_FALSE(findLatest(dir.path));
}

TEST(Checkpoint, MetricsThatAreNoNumbers) {
  TempDir dir;
  CheckpointData data = sampleCheckpoint(1);
  data.metrics["val_loss"] = std::nan("");
  std::string tag = saveCheckpoint(dir.path, "x", data);
  EXPECT_TRUE(std::isnan(readTagInfo(tag).metrics.at("val_loss")));
  EXPECT_TRUE(std::isnan(loadCheckpoint(tag).metrics.at("val_loss")));
}
