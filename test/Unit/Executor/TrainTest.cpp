//===- TrainTest.cpp - weights and overrides of a run -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "PlanBuilder.h"
#include "nxdt/Support/UserError.h"
#include "runtime/Checkpoint/TorchTensor.h"
#include "runtime/Train/ModelState.h"
#include "runtime/Train/PlanFolder.h"

#include "ATen/ops/equal.h"
#include "ATen/ops/randn.h"
#include "ATen/ops/zeros.h"

#include <cstdlib>
#include <filesystem>
#include <gtest/gtest.h>

namespace nxdt::runtime {
namespace {

using namespace plan;

/// A bf16 parameter [3,4], its master and one moment, and a
/// module buffer that train_step changes.
Plan statePlan(const std::string &moment = "exp_avg") {
  PlanBuilder b;
  auto owned = [&](const std::string &name, Role role, DType dtype) {
    b.buffer(name, dtype, {3, 4}, role);
    Buffer &buffer = b.plan.buffers.back();
    buffer.param = "w";
    buffer.logicalShape = {3, 4};
    buffer.split = {{}, {}};
  };
  owned("w", Role::Param, DType::BF16);
  b.plan.buffers.back().init = {Init::Kind::Normal, 0.0, 1.0};
  owned("w.master", Role::Master, DType::F32);
  owned("w.grad", Role::Grad, DType::F32);
  owned("w.m", Role::OptState, DType::F32);
  b.plan.buffers.back().state = moment;
  b.buffer("running", DType::F32, {2}, Role::Buffer);
  b.buffer("constant", DType::F32, {2}, Role::Buffer);
  b.program("init");
  b.call("aten::zero_", {b.use("running")});
  b.call("aten::zero_", {b.use("constant")});
  b.program("train_step");
  b.call("aten::add_.Scalar", {b.use("running"), 1.0, 1.0});
  return b.take();
}

/// A folder that is gone afterwards.
struct Folder {
  std::string path =
      (std::filesystem::temp_directory_path() / "nxdt-train-XXXXXX").string();
  Folder() { EXPECT_NE(mkdtemp(path.data()), nullptr); }
  ~Folder() { std::filesystem::remove_all(path); }
};

/// Through a file, as in a run.
std::string messageOf(ModelState &state, const CheckpointData &data,
                      bool weightsOnly = false) {
  Folder folder;
  std::string tag = saveCheckpoint(folder.path, "x", data);
  try {
    CheckpointReader reader(tag);
    weightsOnly ? state.loadWeights(reader) : state.loadAll(reader);
  } catch (const UserError &e) {
    std::string text = e.what();
    size_t at = text.find(tag);
    return at == std::string::npos ? text
                                   : text.replace(at, tag.size(), "x.ckpt");
  }
  return "";
}

TEST(ModelState, StoresAndLoadsAllOfIt) {
  Executor first(statePlan());
  ModelState state(first);
  EXPECT_EQ(state.numParameters(), 12);
  state.initialize(/*seed=*/3);
  EXPECT_TRUE(
      at::equal(first.buffer("w"), first.buffer("w.master").to(at::kBFloat16)));
  first.buffer("w.m").copy_(at::randn({3, 4}));
  first.buffer("running").fill_(5);
  CheckpointData data;
  state.store(data);
  EXPECT_EQ(data.model.at("w").shape, (std::vector<int64_t>{3, 4}));
  EXPECT_EQ(data.model.at("w").dtype, DType::BF16);
  EXPECT_EQ(data.optimizer.at("master").at("w").dtype, DType::F32);

  Executor second(statePlan());
  ModelState other(second);
  other.initialize(/*seed=*/4);
  EXPECT_FALSE(at::equal(first.buffer("w"), second.buffer("w")));
  EXPECT_EQ(messageOf(other, data), "");
  for (const char *name : {"w", "w.master", "w.m", "running"})
    EXPECT_TRUE(at::equal(first.buffer(name), second.buffer(name))) << name;

  // Weights only: the optimizer's state stays.
  Executor third(statePlan());
  ModelState weights(third);
  EXPECT_EQ(messageOf(weights, data, /*weightsOnly=*/true), "");
  EXPECT_TRUE(at::equal(third.buffer("w"), first.buffer("w")));
  EXPECT_TRUE(at::equal(third.buffer("w.m"), at::zeros({3, 4})));
}

TEST(ModelState, RefusesWhatIsOfAnotherModelOrOptimizer) {
  Executor executor(statePlan());
  ModelState state(executor);
  state.initialize(3);
  CheckpointData data;
  state.store(data);
  Executor other(statePlan("momentum"));
  ModelState sgd(other);
  EXPECT_NE(messageOf(sgd, data).find("has no optimizer state 'momentum'"),
            std::string::npos);
  CheckpointData changed = data;
  changed.optimizer["extra"] = {};
  EXPECT_NE(messageOf(state, changed).find("optimizer state 'extra'"),
            std::string::npos);
  changed = data;
  changed.extra.clear();
  EXPECT_EQ(messageOf(state, changed),
            "x.ckpt: has no module buffer 'running'");
  changed = data;
  changed.model["v"] = changed.model["w"];
  changed.optimizer["master"]["v"] = changed.optimizer["master"]["w"];
  EXPECT_EQ(messageOf(state, changed),
            "x.ckpt: is of another model, which has v too");
  changed = data;
  changed.model.clear();
  changed.optimizer["master"].clear();
  EXPECT_EQ(messageOf(state, changed),
            "x.ckpt: is of another model, it lacks w");
  changed = data;
  changed.optimizer["exp_avg"]["w"] = toHost(at::zeros({4, 3}));
  EXPECT_EQ(messageOf(state, changed),
            "x.ckpt: 'exp_avg' of 'w': has the shape [4,3], the model has "
            "[3,4]");
}

TEST(PlanFolder, OnlyWhatTheRuntimeReadsMayDiffer) {
  auto differ = [](const char *before, const char *after) {
    return compiledKeysThatDiffer(before, after);
  };
  using Keys = std::vector<std::string>;
  EXPECT_EQ(differ(R"({"trainer":{"max_steps":1},"model":{"optim":{"lr":1}}})",
                   R"({"trainer":{"max_steps":2},"model":{"optim":{"lr":2}},
                       "exp_manager":{"a":{"b":1}}})"),
            Keys());
  EXPECT_EQ(differ(R"({"model":{"optim":{"eps":1,"lr":1}}})",
                   R"({"model":{"optim":{"lr":2}}})"),
            Keys{"model.optim.eps"});
  EXPECT_EQ(differ(R"({"model":{}})", R"({"model":{"hidden_size":8}})"),
            (Keys{"model", "model.hidden_size"}));
  EXPECT_EQ(differ(R"({"trainer":{"gradient_clip_val":1}})",
                   R"({"trainer":{"gradient_clip_val":null}})"),
            Keys{"trainer.gradient_clip_val"});
}

} // namespace
} // namespace nxdt::runtime
