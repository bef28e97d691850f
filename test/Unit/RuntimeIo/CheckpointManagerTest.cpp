//===- CheckpointManagerTest.cpp - names, save_top_k, save_last -----------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestSupport.h"

#include "runtime/Checkpoint/CheckpointManager.h"

#include <cmath>
#include <set>
#include <thread>

namespace fs = std::filesystem;

using nxdt::CheckpointConfig;
using namespace nxdt::runtime;
using namespace nxdt::runtime::test;

namespace {

using Names = std::set<std::string>;

Names namesIn(const std::string &dir) {
  Names names;
  for (const auto &entry : fs::directory_iterator(dir))
    names.insert(entry.path().filename().string());
  return names;
}

CheckpointConfig configFor(const TempDir &dir) {
  CheckpointConfig config;
  config.dirpath = dir.path;
  config.filename = "x--{step}";
  config.monitor = "step";
  config.modeMax = true;
  config.saveTopK = 1;
  config.saveLast = false;
  config.everyNTrainSteps = 10;
  return config;
}

CheckpointData at(int64_t step, double valLoss) {
  CheckpointData data = sampleCheckpoint(step);
  data.metrics["val_loss"] = valLoss;
  return data;
}

std::string named(const std::string &pattern, bool insert = true) {
  return formatTagName(pattern, 10, 2,
                       {{"val_loss", 2.34567891}, {"consumed_samples", 1024}},
                       insert);
}

} // namespace

TEST(TagName, AsLightningFormats) {
  EXPECT_EQ(named("hf_llama--{step}-{consumed_samples}"),
            "hf_llama--step=10-consumed_samples=1024.0");
  EXPECT_EQ(named("m--{val_loss:.4f}-{epoch}"), "m--val_loss=2.3457-epoch=2");
  EXPECT_EQ(named("{step}-{val_loss}", false), "10-2.34567891");
  EXPECT_EQ(named("{epoch:02d}-{step:06d}"), "epoch=02-step=000010");
  EXPECT_EQ(named("{unknown}-{other:.2f}"), "unknown=0-other=0.00");
  EXPECT_EQ(named("{step:.1f}"), "step=10.0");
  EXPECT_EQ(named("{val_loss:.1%}"), "val_loss=234.6%");
  EXPECT_EQ(named("{val_loss:.3}"), "val_loss=2.35");
  EXPECT_EQ(named("plain"), "plain");
}

TEST(TagName, FloatsAsPythonPrintsThem) {
  auto text = [](double value) {
    return formatTagName("{x}", 0, 0, {{"x", value}}, false);
  };
  EXPECT_EQ(text(1e-5), "1e-05");
  EXPECT_EQ(text(0.0001), "0.0001");
  EXPECT_EQ(text(1e16), "1e+16");
  EXPECT_EQ(text(123456789012345680.0), "1.2345678901234568e+17");
  EXPECT_EQ(text(9007199254740993.0), "9007199254740992.0");
  EXPECT_EQ(text(0.1), "0.1");
  EXPECT_EQ(text(-0.0), "-0.0");
  EXPECT_EQ(text(std::nan("")), "nan");
}

TEST(TagName, Errors) {
  expectError([] { named("{step"); }, {"filename: '{step'", "without a '}'"});
  expectError([] { named("step}"); }, {"'}' without a '{'"});
  expectError([] { named("{}"); }, {"'{' without a name"});
  expectError([] { named("{val_loss:d}"); }, {"is for integers"});
  expectError([] { named("{step:.2d}"); }, {"a precision"});
  expectError([] { named("{step:>8}"); }, {"the format ':>8' of 'step'"});
  expectError([] { named("{step:x}"); }, {"the format ':x'"});
  expectError([] { named("{step:.f}"); }, {"has no precision"});
  expectError([] { named("a/{step}"); }, {"'a/step=10'", "no folder can have"});
}

TEST(CheckpointManager, KeepsTheNewest) {
  TempDir dir;
  CheckpointManager manager(configFor(dir), "x", 0);
  EXPECT_FALSE(manager.due(9));
  EXPECT_TRUE(manager.due(10));
  for (int64_t step : {10, 20, 30})
    EXPECT_EQ(manager.save(at(step, 1)).size(), 1u);
  EXPECT_FALSE(manager.due(30)); // saved already
  EXPECT_TRUE(manager.save(at(30, 1)).empty());
  EXPECT_EQ(namesIn(dir.path), Names{"x--step=30.ckpt"});
}

TEST(CheckpointManager, KeepsTheBest) {
  TempDir dir;
  CheckpointConfig config = configFor(dir);
  config.filename = "";
  config.monitor = "val_loss";
  config.modeMax = false;
  config.saveTopK = 2;
  CheckpointManager manager(config, "run", 0);
  EXPECT_EQ(manager.save(at(10, 3.0), 1).size(), 1u);
  EXPECT_EQ(manager.save(at(20, 2.0), 2).size(), 1u);
  EXPECT_EQ(manager.save(at(30, 4.0), 3).size(), 0u);
  EXPECT_EQ(manager.save(at(40, 3.0), 4).size(), 0u); // equal is not better
  EXPECT_EQ(manager.save(at(50, 1.0), 5).size(), 1u);
  EXPECT_EQ(namesIn(dir.path), (Names{"run--val_loss=2.0000-epoch=2.ckpt",
                                      "run--val_loss=1.0000-epoch=5.ckpt"}));
}

TEST(CheckpointManager, RanksSurviveARestart) {
  TempDir dir;
  CheckpointConfig config = configFor(dir);
  config.monitor = "val_loss";
  config.modeMax = false;
  config.saveTopK = 2;
  {
    CheckpointManager first(config, "x", 0);
    first.save(at(10, 1.0));
    first.save(at(20, 3.0));
  }
  CheckpointManager second(config, "x", 20);
  EXPECT_TRUE(second.strangers().empty());
  EXPECT_EQ(second.save(at(30, 4.0)).size(), 0u);
  EXPECT_EQ(second.save(at(40, 2.0)).size(), 1u);
  EXPECT_EQ(namesIn(dir.path), (Names{"x--step=10.ckpt", "x--step=40.ckpt"}));
}

TEST(CheckpointManager, PrunesWhatEarlierRunsLeft) {
  TempDir dir;
  CheckpointConfig config = configFor(dir);
  config.saveTopK = -1;
  {
    CheckpointManager all(config, "x", 0);
    for (int64_t step : {10, 20, 30})
      all.save(at(step, 1));
    EXPECT_EQ(namesIn(dir.path).size(), 3u);
  }
  config.saveTopK = 1;
  CheckpointManager one(config, "x", 30);
  EXPECT_EQ(namesIn(dir.path).size(), 3u); // nothing before the first save
  one.save(at(40, 1));
  EXPECT_EQ(namesIn(dir.path), Names{"x--step=40.ckpt"});
}

TEST(CheckpointManager, LeavesLaterRunsAlone) {
  TempDir dir;
  saveCheckpoint(dir.path, "other", sampleCheckpoint(100));
  CheckpointManager manager(configFor(dir), "x", 0);
  EXPECT_EQ(manager.strangers(), std::vector<std::string>{dir / "other.ckpt"});
  manager.save(at(10, 1));
  manager.save(at(20, 1));
  EXPECT_EQ(namesIn(dir.path), (Names{"other.ckpt", "x--step=20.ckpt"}));
}

TEST(CheckpointManager, SaveLast) {
  TempDir dir;
  CheckpointConfig config = configFor(dir);
  config.monitor = "val_loss";
  config.modeMax = false;
  config.saveLast = true;
  CheckpointManager manager(config, "x", 0);
  EXPECT_EQ(manager.save(at(10, 1.0)).size(), 2u);
  // The same bytes under two names, once on disk.
  EXPECT_EQ(fs::hard_link_count(dir / "x--step=10.ckpt/user_content.pt"), 2u);
  EXPECT_TRUE(readTagInfo(dir / "x--step=10-last.ckpt").last);
  EXPECT_FALSE(readTagInfo(dir / "x--step=10.ckpt").last);
  EXPECT_EQ(loadCheckpoint(dir / "x--step=10-last.ckpt").step, 10);
  EXPECT_EQ(manager.save(at(20, 2.0)).size(), 1u); // not better, but the last
  EXPECT_EQ(namesIn(dir.path),
            (Names{"x--step=10.ckpt", "x--step=20-last.ckpt"}));
  EXPECT_EQ(findLatest(dir.path)->step, 20);
  EXPECT_TRUE(manager.saveAtEnd(at(20, 2.0)).empty());
  EXPECT_EQ(manager.saveAtEnd(at(25, 2.0)).size(), 1u);
  EXPECT_EQ(namesIn(dir.path),
            (Names{"x--step=10.ckpt", "x--step=25-last.ckpt"}));

  // The next run takes the -last tag over.
  CheckpointManager next(config, "x", 25);
  next.save(at(30, 0.5));
  EXPECT_EQ(namesIn(dir.path),
            (Names{"x--step=30.ckpt", "x--step=30-last.ckpt"}));
}

TEST(CheckpointManager, NoFinalSaveWithoutSaveLast) {
  TempDir dir;
  CheckpointManager manager(configFor(dir), "x", 0);
  EXPECT_TRUE(manager.saveAtEnd(at(15, 1)).empty());
  CheckpointConfig off = configFor(dir);
  off.enabled = false;
  off.saveLast = true;
  CheckpointManager none(off, "x", 0);
  EXPECT_FALSE(none.due(10));
  EXPECT_TRUE(none.save(at(10, 1)).empty());
  EXPECT_TRUE(none.saveAtEnd(at(10, 1)).empty());
  EXPECT_TRUE(namesIn(dir.path).empty());
}

TEST(CheckpointManager, MonitorThatNobodyComputes) {
  TempDir dir;
  CheckpointConfig config = configFor(dir);
  config.monitor = "val_loss";
  config.modeMax = false;
  CheckpointManager manager(config, "x", 0);
  EXPECT_EQ(manager.save(sampleCheckpoint(10)).size(), 1u);
  auto warnings = manager.takeWarnings();
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_NE(warnings[0].find("no value of 'val_loss' at step 10"),
            std::string::npos);
  EXPECT_EQ(manager.save(sampleCheckpoint(20)).size(), 1u); // the newer stays
  EXPECT_TRUE(manager.takeWarnings().empty());
  EXPECT_EQ(manager.save(at(30, 9.0)).size(), 1u); // any value beats none
  EXPECT_EQ(manager.save(at(40, std::nan(""))).size(), 0u);
  EXPECT_EQ(namesIn(dir.path), Names{"x--step=30.ckpt"});
}

TEST(CheckpointManager, NameWithoutStep) {
  TempDir dir;
  CheckpointConfig config = configFor(dir);
  config.filename = "only";
  config.saveTopK = 3;
  CheckpointManager manager(config, "x", 0);
  for (int64_t step : {10, 20, 30, 40, 50})
    manager.save(at(step, 1));
  EXPECT_EQ(namesIn(dir.path), Names{"only.ckpt"});
  EXPECT_EQ(findLatest(dir.path)->step, 50);
}

TEST(CheckpointManager, ByTime) {
  TempDir dir;
  CheckpointConfig config = configFor(dir);
  config.everyNTrainSteps = 0;
  config.trainTimeIntervalS = 0.05;
  CheckpointManager manager(config, "x", 0);
  EXPECT_FALSE(manager.due(1));
  std::this_thread::sleep_for(std::chrono::milliseconds(60));
  EXPECT_TRUE(manager.due(2));
  manager.save(at(2, 1));
  EXPECT_FALSE(manager.due(3));
}

TEST(CheckpointManager, CleansUp) {
  TempDir dir;
  fs::create_directories(dir / ".x--step=5.ckpt.tmp/model");
  CheckpointManager manager(configFor(dir), "x", 0);
  manager.save(at(10, 1));
  EXPECT_EQ(namesIn(dir.path), Names{"x--step=10.ckpt"});
}
