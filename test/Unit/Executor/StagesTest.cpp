//===- StagesTest.cpp - pipelines in one process -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A model as stages on threads of this process, against the same model as one
// plan.
//
//===----------------------------------------------------------------------===//
#include "StagedModel.h"
#include "nxdt/Plan/Family.h"
#include "nxdt/Plan/PlanJson.h"
#include "nxdt/Support/UserError.h"
#include "runtime/Comm/Failure.h"
#include "runtime/Comm/Loopback.h"
#include "runtime/Executor/Collectives.h"
#include "runtime/Executor/Executor.h"

#include "ATen/ops/allclose.h"
#include "ATen/ops/arange.h"
#include "ATen/ops/equal.h"
#include "ATen/ops/full.h"

#include <gtest/gtest.h>
#include <map>
#include <mutex>

namespace nxdt::runtime {
namespace {

using namespace plan;

std::string messageOf(const std::function<void()> &body) {
  try {
    body();
  } catch (const UserError &e) {
    return e.what();
  } catch (const comm::CommError &e) {
    return std::string("comm: ") + e.what();
  }
  return "";
}

void onAllRanks(const PlanFamily &family,
                const std::function<void(Executor &)> &body) {
  verifyFamily(family, "plan");
  comm::LoopbackWorld world(meshOf(family.stages[0]), groupSpecs(family), {},
                            channelSpecs(family));
  world.run([&](comm::RankView &rank) {
    ExecutorOptions options;
    options.alwaysCheckTypes = true;
    options.world = &rank;
    int64_t stage = stageOf(rank.mesh(), rank.rank());
    Executor executor(family.stages[size_t(stage)], options);
    body(executor);
  });
}

/// What is the same whatever the stages: weights, their state, the loss.
using Results = std::map<std::string, at::Tensor>;

void setInputs(Executor &executor, int64_t step, int64_t microBatch) {
  int64_t dp = executor.rank() % executor.mesh().axes[1].size;
  for (const char *name : {"input_ids", "targets"})
    if (const at::Tensor *tensor = executor.findBuffer(name)) {
      int64_t first = 3 * step + 5 * microBatch + 7 * dp + (name[0] == 't');
      tensor->copy_(at::arange(first, first + tensor->numel())
                        .reshape(tensor->sizes())
                        .remainder(11));
    }
}

/// Two steps and an evaluation of each stage's executor.
void trainTwoSteps(Executor &executor, const ModelShape &shape) {
  for (size_t i = 0; i < executor.buffers().size(); ++i) {
    const Buffer &buffer = executor.plan().buffers[i];
    if (buffer.role == Role::Param)
      executor.buffers()[i].copy_(at::arange(executor.buffers()[i].numel())
                                      .reshape(buffer.shape)
                                      .mul(0.037)
                                      .add(double(buffer.param[1] - '0') * 0.11)
                                      .sin());
  }
  auto all = [&](const char *name, int64_t step) {
    if (executor.hasSchedule(name))
      return executor.runSchedule(name, [&](int, int64_t microBatch) {
        setInputs(executor, step, microBatch);
      });
    for (int64_t m = 0; m < shape.microBatches; ++m) {
      setInputs(executor, step, m);
      executor.run(name);
    }
  };
  executor.buffer("lr").fill_(0.01);
  for (int64_t step = 0; step < 2; ++step) {
    executor.run("begin_step");
    all("train_step", step);
    executor.run("finish_step");
    if (executor.hasSchedule("update_step"))
      executor.runSchedule("update_step");
    else
      executor.run("update_step");
    EXPECT_EQ(executor.carriedTensors(), 0);
  }
  executor.run("begin_eval");
  all("eval_step", 9);
  executor.run("finish_eval");
}

Results train(const ModelShape &shape) {
  Results results;
  std::mutex mutex;
  onAllRanks(stagedModel(shape), [&](Executor &executor) {
    trainTwoSteps(executor, shape);
    std::lock_guard<std::mutex> lock(mutex);
    for (size_t i = 0; i < executor.buffers().size(); ++i) {
      const Buffer &buffer = executor.plan().buffers[i];
      bool isResult = buffer.role == Role::Param ||
                      buffer.role == Role::OptState || buffer.name == "loss" ||
                      buffer.name == "val_loss" || buffer.name == "grad_norm";
      if (!isResult)
        continue;
      auto [it, isNew] =
          results.emplace(buffer.name, executor.buffers()[i].clone());
      if (!isNew) {
        EXPECT_TRUE(at::equal(it->second, executor.buffers()[i]))
            << buffer.name << " differs on rank " << executor.rank();
      }
    }
  });
  return results;
}

/// The norm is summed in another order, gradients of tied weights are too.
void expectSame(const Results &found, const Results &expected, bool isTied,
                const std::string &what) {
  ASSERT_EQ(found.size(), expected.size()) << what;
  for (const auto &[name, tensor] : expected) {
    const at::Tensor &other = found.at(name);
    bool isClose = isTied || name == "grad_norm";
    EXPECT_TRUE(isClose ? at::allclose(other, tensor, 1e-5, 1e-7)
                        : at::equal(other, tensor))
        << what << ": " << name << "\n"
        << other << "\n"
        << tensor;
  }
}

TEST(Stages, EqualOnePlan) {
  struct Case {
    int64_t layers, stages, dp, microBatches;
    bool isTied, isOneFOneB;
  };
  const Case cases[] = {{2, 2, 1, 1, false, false}, {2, 2, 1, 5, false, true},
                        {4, 4, 1, 3, false, true},  {4, 4, 1, 2, false, false},
                        {4, 2, 1, 4, false, false}, {8, 4, 1, 5, false, false},
                        {6, 2, 1, 3, true, false},  {4, 4, 1, 6, true, true},
                        {4, 2, 2, 3, true, false},  {2, 2, 4, 2, false, true}};
  for (const Case &c : cases) {
    ModelShape shape;
    shape.layers = c.layers;
    shape.dp = c.dp;
    shape.microBatches = c.microBatches;
    shape.isTied = c.isTied;
    Results expected = train(shape);
    EXPECT_NE(expected.at("loss").item<double>(), 0);
    shape.stages = c.stages;
    shape.isOneFOneB = c.isOneFOneB;
    expectSame(train(shape), expected, c.isTied,
               std::to_string(c.layers) + " layers on " +
                   std::to_string(c.stages) + " stages");
  }
}

/// Stages of one step, one after the other in one thread: what is there when.
TEST(Stages, CarriesAreThereAsLongAsTheScheduleSays) {
  PlanBuilder b;
  b.plan.mesh = {{"pp", 1}};
  b.plan.microBatchSize = 2;
  b.plan.sequenceLength = 2;
  b.buffer("input_ids", DType::I64, {2, 2}, Role::Input);
  b.buffer("kept", DType::I64, {2, 2}, Role::Carry);
  b.buffer("sum", DType::I64, {2, 2});
  b.program("make");
  ValueRef kept = b.use("kept");
  // A view of a buffer that the next micro-batch overwrites.
  b.call("aten::view", {b.use("input_ids"), std::vector<int64_t>{2, 2}},
         {kept});
  b.program("use");
  kept = b.use("kept");
  b.call("aten::add_.Tensor", {b.use("sum"), kept, 1}).frees = {kept.index};
  b.plan.schedules.push_back({"train_step", 3, {}});
  for (int64_t m : {2, 0, 1})
    b.act(ActionKind::Run, "make", m);
  for (int64_t m : {0, 1, 2})
    b.act(ActionKind::Run, "use", m);
  Executor executor(b.take());
  EXPECT_FALSE(executor.hasSchedule("eval_step"));
  EXPECT_FALSE(executor.buffer("kept").defined());
  std::string order;
  executor.runSchedule("train_step", [&](int program, int64_t microBatch) {
    order += executor.plan().programs[size_t(program)].name +
             std::to_string(microBatch) + ":" +
             std::to_string(executor.carriedTensors()) + " ";
    if (program == 0)
      executor.buffer("input_ids").fill_(1 << (4 * microBatch));
  });
  EXPECT_EQ(order, "make2:0 make0:1 make1:2 use0:3 use1:2 use2:1 ");
  EXPECT_EQ(executor.carriedTensors(), 0);
  EXPECT_TRUE(at::equal(executor.buffer("sum"), at::full({2, 2}, 0x111)));
  // After a failure nothing is left, and the next time it works.
  EXPECT_EQ(messageOf([&] {
              executor.runSchedule("train_step", [&](int program, int64_t) {
                if (program == 1)
                  throw UserError("enough");
              });
            }),
            "enough");
  EXPECT_EQ(executor.carriedTensors(), 0);
  executor.runSchedule("train_step");
  EXPECT_EQ(messageOf([&] { executor.runSchedule("eval_step"); }),
            "plan: has no schedule 'eval_step'");
}

TEST(Stages, ACarryIsNeverMutated) {
  ModelShape shape;
  shape.stages = 2;
  PlanFamily family = stagedModel(shape);
  Plan &plan = family.stages[1];
  for (Program &program : plan.programs)
    if (program.name == "forward.1") {
      Instruction add;
      add.op = "aten::mul_.Scalar";
      add.args = {ValueRef{0}, 2.0};
      add.module = "test";
      program.instructions.insert(program.instructions.begin(), add);
    }
  std::string message =
      messageOf([&] { onAllRanks(family, [](Executor &) {}); });
  EXPECT_NE(message.find("(aten::mul_.Scalar in test): mutates its argument "
                         "'self', the carry 'h1'"),
            std::string::npos)
      << message;
}

/// Ends that do not agree, found when the first tensor moves.
TEST(Stages, DisagreementNamesTheChannel) {
  ModelShape shape;
  shape.stages = 2;
  PlanFamily family = stagedModel(shape);
  comm::LoopbackWorld world(meshOf(family.stages[0]), groupSpecs(family), {},
                            channelSpecs(family));
  std::string message = messageOf([&] {
    world.run([&](comm::RankView &rank) {
      // Another size of micro-batches.
      ModelShape other = shape;
      other.rows = rank.rank() == 1 ? 3 : shape.rows;
      Plan own = StageBuilder(other, rank.rank()).take();
      ExecutorOptions options;
      options.world = &rank;
      Executor executor(own, options);
      rank.status().setStep(7);
      executor.runSchedule("train_step");
    });
  });
  EXPECT_EQ(message.find("comm: ranks disagree"), 0u) << message;
  for (const char *part :
       {"step 7", "channel h.1 {0,1}", "test, micro-batch 0"})
    EXPECT_NE(message.find(part), std::string::npos) << part << ": " << message;
}

/// A stage that never sends: the others do not wait for ever.
TEST(Stages, WaitingInVainNamesTheChannel) {
  ModelShape shape;
  shape.stages = 2;
  PlanFamily family = stagedModel(shape);
  std::string message = messageOf([&] {
    onAllRanks(family, [&](Executor &executor) {
      if (executor.rank() == 1)
        executor.runSchedule("train_step");
    });
  });
  EXPECT_NE(message.find("channel h.1 {0,1}"), std::string::npos) << message;
}

TEST(Stages, TheWorldMustHaveTheChannels) {
  ModelShape shape;
  shape.stages = 2;
  PlanFamily family = stagedModel(shape);
  auto refusal = [&](std::vector<comm::ChannelSpec> channels) {
    return messageOf([&] {
      comm::LoopbackWorld world(meshOf(family.stages[0]), groupSpecs(family),
                                {}, channels);
      world.run([&](comm::RankView &rank) {
        ExecutorOptions options;
        options.world = &rank;
        Executor executor(family.stages[size_t(rank.rank())], options);
      });
    });
  };
  EXPECT_EQ(refusal({}).find("no channel 'h.1' of this rank"), 0u)
      << refusal({});
  std::vector<comm::ChannelSpec> specs = channelSpecs(family);
  ASSERT_EQ(specs.size(), 3u);
  for (comm::ChannelSpec &spec : specs)
    std::swap(spec.from, spec.to);
  EXPECT_EQ(refusal(specs),
            "the channel 'h.1' does not go from stage 0 to stage 1 as in this "
            "plan");
}

} // namespace
} // namespace nxdt::runtime
