//===- RankFilesTest.cpp - weights of many ranks, in files and back -*- C++
//-*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Ranks as threads of this process: every element has the value that one rank
// would give it, however the tensors are cut and whoever wrote the files.
//
//===----------------------------------------------------------------------===//
#include "PlanBuilder.h"
#include "nxdt/Plan/Family.h"
#include "nxdt/Support/UserError.h"
#include "runtime/Checkpoint/CheckpointReader.h"
#include "runtime/Checkpoint/RankParts.h"
#include "runtime/Checkpoint/Reshard.h"
#include "runtime/Comm/Loopback.h"
#include "runtime/Executor/Collectives.h"
#include "runtime/Executor/InitWeights.h"
#include "runtime/Train/ModelState.h"
#include "runtime/Train/Ranks.h"

#include "ATen/ops/equal.h"

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <gtest/gtest.h>

namespace nxdt::runtime {
namespace {

using namespace plan;
namespace fs = std::filesystem;

struct Folder {
  std::string path = (fs::temp_directory_path() / "nxdt-ranks-XXXXXX").string();
  Folder() { EXPECT_NE(mkdtemp(path.data()), nullptr); }
  ~Folder() { fs::remove_all(path); }
};

struct Strategy {
  int64_t dp, tp;
  bool zero1;
  int64_t pp = 1;
  std::string text() const {
    return "dp " + std::to_string(dp) + " tp " + std::to_string(tp) + " pp " +
           std::to_string(pp) + (zero1 ? " zero1" : "");
  }
};

/// Sizes that nothing divides: padding at every cut, empty parts at some.
/// bf16 with masters, or fp32 without. The last stage has a copy of `embed`.
Plan shardStage(const Strategy &strategy, int64_t stage, bool mixed) {
  PlanBuilder b;
  b.plan.mesh = {
      {"pp", strategy.pp}, {"dp", strategy.dp}, {"cp", 1}, {"tp", strategy.tp}};
  b.plan.tied = {{"alias", "embed"}};
  // Two heads on four ranks: neighbours hold the same one.
  std::string heads = strategy.tp == 4 ? "tp:(1)2" : "tp";
  struct Param {
    const char *name;
    std::vector<int64_t> shape;
    std::vector<Axes> split;
  };
  const Param params[] = {{"embed", {7, 5}, {{"tp"}, {}}},
                          {"row", {3, 9}, {{}, {"tp"}}},
                          {"kv", {2, 3}, {{heads}, {}}},
                          {"norm", {5}, {{}}}};
  for (int64_t i = 0; i < 4; ++i) {
    const Param &param = params[i];
    bool isMine = i % strategy.pp == stage;
    bool isCopy = i == 0 && !isMine && stage == strategy.pp - 1;
    if (!isMine && !isCopy)
      continue;
    b.shard(param.name, param.shape, param.split, Role::Param,
            mixed ? DType::BF16 : DType::F32, param.name);
    b.plan.buffers.back().init = {Init::Kind::Normal, 0.0, 1.0};
    b.shard(std::string(param.name) + ".grad", param.shape, param.split,
            Role::Grad, DType::F32, param.name);
    if (isCopy)
      continue;
    std::vector<Axes> split = param.split;
    if (strategy.zero1)
      split[0].push_back("dp");
    if (mixed)
      b.shard(std::string(param.name) + ".master", param.shape, split,
              Role::Master, DType::F32, param.name);
    for (const char *state : {"exp_avg", "exp_avg_sq"})
      b.shard(std::string(param.name) + "." + state, param.shape, split,
              Role::OptState, DType::F32, param.name, state);
  }
  b.program("train_step");
  return b.take();
}

PlanFamily shardPlan(const Strategy &strategy, bool mixed = true) {
  PlanFamily family;
  for (int64_t stage = 0; stage < strategy.pp; ++stage)
    family.stages.push_back(shardStage(strategy, stage, mixed));
  verifyFamily(family, "plan");
  return family;
}

/// A rank's buffers, all of them with the values of their logical indices.
void fill(Executor &executor, ModelState &state) {
  state.initialize(/*seed=*/5);
  for (size_t i = 0; i < executor.buffers().size(); ++i) {
    Buffer buffer = executor.plan().buffers[i];
    if (buffer.role != Role::OptState)
      continue;
    auto place = sliceOf(buffer, executor.mesh(), executor.rank());
    buffer.param = buffer.name;
    initWeights(executor.buffers()[i], buffer, place,
                {Init::Kind::Normal, 0.0, 1.0}, /*seed=*/6);
  }
}

void onAllRanks(const PlanFamily &family,
                const std::function<void(Executor &, Ranks &)> &body) {
  comm::LoopbackWorld world(meshOf(family.stages[0]), groupSpecs(family));
  world.run([&](comm::RankView &view) {
    ExecutorOptions options;
    options.world = &view;
    Executor executor(family.stages[size_t(stageOf(view.mesh(), view.rank()))],
                      options);
    Ranks ranks(&view);
    body(executor, ranks);
  });
}

/// All ranks save what they have; returns the tag.
std::string save(const std::string &dir, ModelState &state, Ranks &ranks) {
  CheckpointData data;
  data.step = 1;
  state.store(data);
  RankPeers peers(ranks);
  std::string tag = dir + "/x.ckpt";
  if (!ranks.isFirst()) {
    peers.serve(data);
  } else {
    saveCheckpoint(dir, "x", data, /*last=*/false,
                   ranks.size() > 1 ? &peers : nullptr);
    peers.end();
  }
  return tag;
}

std::string saved(const std::string &dir, const PlanFamily &family) {
  onAllRanks(family, [&](Executor &executor, Ranks &ranks) {
    ModelState state(executor, buffersOf(family));
    EXPECT_EQ(state.numParameters(), 7 * 5 + 3 * 9 + 2 * 3 + 5);
    fill(executor, state);
    save(dir, state, ranks);
  });
  return dir + "/x.ckpt";
}

void expectSame(const TensorMap &a, const TensorMap &b,
                const std::string &what) {
  ASSERT_EQ(a.size(), b.size()) << what;
  for (const auto &[name, tensor] : a) {
    const HostTensor &other = b.at(name);
    EXPECT_EQ(tensor.dtype, other.dtype) << what << name;
    ASSERT_EQ(tensor.shape, other.shape) << what << name;
    EXPECT_EQ(std::memcmp(tensor.data.get(), other.data.get(),
                          size_t(tensor.sizeBytes())),
              0)
        << what << name;
  }
}

void expectSame(const CheckpointData &a, const CheckpointData &b,
                const std::string &what) {
  expectSame(a.model, b.model, what + " ");
  ASSERT_EQ(a.optimizer.size(), b.optimizer.size()) << what;
  for (const auto &[state, tensors] : a.optimizer)
    expectSame(tensors, b.optimizer.at(state), what + " " + state + " ");
}

const Strategy kStrategies[] = {
    {1, 1, false},    {1, 2, false},   {2, 1, true},     {2, 2, true},
    {2, 2, false},    {1, 4, true},    {4, 2, true},     {3, 2, true},
    {1, 1, false, 2}, {2, 2, true, 2}, {1, 2, false, 4}, {2, 1, true, 3}};

TEST(RankFiles, EveryStrategyWritesTheSameWhole) {
  for (bool mixed : {true, false}) {
    Folder one;
    CheckpointData expected =
        loadCheckpoint(saved(one.path, shardPlan({1, 1, false}, mixed)));
    EXPECT_EQ(expected.optimizer.count("master"), size_t(mixed));
    for (const Strategy &s : kStrategies) {
      Folder dir;
      CheckpointData found =
          loadCheckpoint(saved(dir.path, shardPlan(s, mixed)));
      expectSame(found, expected, s.text());
    }
  }
}

TEST(RankFiles, FilesAreThoseOfDistinctParts) {
  auto count = [](const PlanFamily &plan, const char *folder) {
    Folder dir;
    fs::path tag = saved(dir.path, plan);
    return std::distance(fs::directory_iterator(tag / folder), {});
  };
  EXPECT_EQ(count(shardPlan({2, 2, false}), "model"), 2);
  EXPECT_EQ(count(shardPlan({2, 2, false}), "optim"), 2);
  EXPECT_EQ(count(shardPlan({2, 2, true}), "model"), 2);
  EXPECT_EQ(count(shardPlan({2, 2, true}), "optim"), 4);
  EXPECT_EQ(count(shardPlan({2, 2, false, 2}), "model"), 4);
}

/// A tied parameter lies on two stages, and is written by the one that keeps
/// it.
TEST(RankFiles, ATiedParameterIsWrittenOnce) {
  Folder dir;
  std::string tag = saved(dir.path, shardPlan({2, 1, true, 3}));
  CheckpointReader reader(saved(dir.path + "/one", shardPlan({1, 1, false})));
  std::string resharded =
      reshard(reader, shardPlan({2, 1, true, 3}), dir.path, "resharded");
  for (const std::string &path : {tag, resharded}) {
    Manifest manifest = readManifest(path);
    ASSERT_EQ(manifest.model.at("embed").size(), 1u) << path;
    EXPECT_EQ(manifest.model.at("embed")[0].file,
              "model/dp_rank_00_tp_rank_00_pp_rank_00.pt");
    ASSERT_EQ(manifest.model.at("kv").size(), 1u) << path;
    EXPECT_EQ(manifest.model.at("kv")[0].file,
              "model/dp_rank_00_tp_rank_00_pp_rank_02.pt");
    EXPECT_EQ(manifest.info.mesh, "pp 3 x dp 2 x cp 1 x tp 1");
  }
}

/// From any strategy to any other, through the loader of a run: padding is
/// zero, everything else as if it had been drawn there.
TEST(RankFiles, AnyStrategyContinuesAnyOther) {
  for (const Strategy &from : kStrategies) {
    Folder dir;
    std::string tag = saved(dir.path, shardPlan(from));
    for (const Strategy &to : kStrategies) {
      PlanFamily plan = shardPlan(to);
      onAllRanks(plan, [&](Executor &executor, Ranks &) {
        ModelState state(executor, plan);
        fill(executor, state);
        std::vector<at::Tensor> expected;
        for (const at::Tensor &buffer : executor.buffers()) {
          expected.push_back(buffer.clone());
          buffer.fill_(-1);
        }
        CheckpointReader reader(tag);
        state.loadAll(reader);
        for (size_t i = 0; i < expected.size(); ++i)
          if (executor.plan().buffers[i].role != Role::Grad) {
            EXPECT_TRUE(at::equal(executor.buffers()[i], expected[i]))
                << from.text() << " to " << to.text() << " rank "
                << executor.rank() << ": " << executor.plan().buffers[i].name;
          }
      });
    }
  }
}

TEST(RankFiles, LayoutTellsStrategiesApart) {
  EXPECT_NE(layoutOf(shardPlan({1, 2, true})),
            layoutOf(shardPlan({1, 1, true, 2})));
  EXPECT_EQ(layoutOf(shardPlan({2, 2, true})),
            layoutOf(shardPlan({2, 2, true})));
  EXPECT_NE(layoutOf(shardPlan({2, 2, true})),
            layoutOf(shardPlan({2, 2, false})));
  EXPECT_NE(layoutOf(shardPlan({2, 1, true})),
            layoutOf(shardPlan({1, 2, true})));
}

/// tp 2 x dp 2 -> tp 4 -> one rank: the bytes are those of one rank.
TEST(RankFiles, ReshardingRoundTrip) {
  for (bool mixed : {true, false}) {
    Folder one, dir;
    CheckpointData expected =
        loadCheckpoint(saved(one.path, shardPlan({1, 1, false}, mixed)));
    std::string tag = saved(dir.path, shardPlan({2, 2, true}, mixed));
    int64_t i = 0;
    for (const Strategy &to :
         {Strategy{1, 4, true}, Strategy{2, 1, true, 4}, Strategy{2, 2, false},
          Strategy{1, 2, false, 2}, Strategy{1, 1, false}}) {
      PlanFamily plan = shardPlan(to, mixed);
      CheckpointReader reader(tag);
      tag = reshard(reader, plan, dir.path, "step" + std::to_string(i++));
      CheckpointReader again(tag);
      EXPECT_EQ(again.head().layout, layoutOf(plan));
      expectSame(loadCheckpoint(tag), expected, to.text());
    }
    // The last one: the same files as if one rank had trained.
    EXPECT_EQ(std::distance(fs::directory_iterator(tag + "/optim"), {}), 1);
  }
}

/// Masters appear and vanish with the precision.
TEST(RankFiles, ReshardingToAnotherPrecision) {
  Folder dir;
  std::string tag = saved(dir.path, shardPlan({2, 2, true}, /*mixed=*/true));
  CheckpointData mixed = loadCheckpoint(tag);
  CheckpointReader reader(tag);
  std::string fp32 =
      reshard(reader, shardPlan({1, 2, true}, /*mixed=*/false), dir.path, "f");
  CheckpointData data = loadCheckpoint(fp32);
  EXPECT_EQ(data.optimizer.count("master"), 0u);
  expectSame(data.model, mixed.optimizer.at("master"), "fp32");
  CheckpointReader back(fp32);
  expectSame(
      loadCheckpoint(reshard(back, shardPlan({2, 1, true}), dir.path, "b")),
      mixed, "back");
}

TEST(RankFiles, ReshardingWhatDoesNotFit) {
  Folder dir;
  std::string tag = saved(dir.path, shardPlan({2, 1, true}));
  auto messageOf = [&](const std::function<void(Plan &)> &change) {
    PlanFamily plan = shardPlan({1, 2, true});
    change(plan.stages[0]);
    CheckpointReader reader(tag);
    try {
      reshard(reader, plan, dir.path, "y");
    } catch (const UserError &e) {
      return std::string(e.what());
    }
    return std::string();
  };
  auto rename = [](const char *state) {
    return [state](Plan &plan) {
      for (Buffer &buffer : plan.buffers)
        if (buffer.state == "exp_avg")
          buffer.state = state;
    };
  };
  EXPECT_NE(messageOf(rename("momentum")).find("'momentum'"),
            std::string::npos);
  EXPECT_NE(messageOf([](Plan &plan) {
              for (Buffer &buffer : plan.buffers)
                if (buffer.param == "norm")
                  buffer.logicalShape = buffer.shape = {6};
            }).find("has the shape [5], the model has [6]"),
            std::string::npos);
  EXPECT_NE(messageOf([](Plan &plan) {
              for (Buffer &buffer : plan.buffers)
                if (buffer.param == "norm")
                  buffer.param = "norm2";
            }).find("is of another model, it lacks norm2"),
            std::string::npos);
  EXPECT_FALSE(fs::exists(dir.path + "/y.ckpt"));
}

} // namespace
} // namespace nxdt::runtime
