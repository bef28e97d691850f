//===- RanksTest.cpp - plans of several ranks -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Small plans by hand, all ranks as threads of this process, against plain
// arithmetic on the whole tensors.
//
//===----------------------------------------------------------------------===//
#include "OnAllRanks.h"
#include "PlanBuilder.h"
#include "nxdt/Support/UserError.h"
#include "runtime/Comm/Failure.h"
#include "runtime/Comm/Loopback.h"
#include "runtime/Executor/Collectives.h"
#include "runtime/Executor/Executor.h"

#include "ATen/TensorOperators.h"
#include "ATen/ops/arange.h"
#include "ATen/ops/equal.h"
#include "ATen/ops/full.h"
#include "ATen/ops/linear.h"
#include "ATen/ops/randint.h"

#include <gtest/gtest.h>

namespace nxdt::runtime {
namespace {

using namespace plan;

/// Small integers: sums are exact, whatever their order.
at::Tensor integers(std::vector<int64_t> shape) {
  return at::randint(-8, 9, shape, at::kFloat);
}

at::Tensor sliced(const at::Tensor &whole, const std::vector<DimSlice> &place) {
  at::Tensor out = whole;
  for (size_t dim = 0; dim < place.size(); ++dim)
    out = out.narrow(int64_t(dim), place[dim].start, place[dim].valid);
  return out;
}

PlanBuilder on(int64_t dp, int64_t tp) {
  PlanBuilder b;
  b.plan.mesh = {{"pp", 1}, {"dp", dp}, {"cp", 1}, {"tp", tp}};
  return b;
}

/// Column-parallel, then row-parallel: one all_reduce at the end.
TEST(Ranks, TwoLinearsOverTp) {
  PlanBuilder b = on(1, 2);
  b.buffer("x", DType::F32, {3, 4});
  b.shard("w1", {6, 4}, {{"tp"}, {}});
  b.shard("w2", {5, 6}, {{}, {"tp"}});
  b.buffer("y", DType::F32, {3, 5});
  b.program("forward");
  ValueRef h = b.temporary(DType::F32, {3, 3}),
           partial = b.temporary(DType::F32, {3, 5});
  b.call("aten::linear", {b.use("x"), b.use("w1"), None{}}, {h});
  b.call("aten::linear", {h, b.use("w2"), None{}}, {partial});
  b.collective(Collective::AllReduce, partial, b.use("y"), {"tp"});
  Plan plan = b.take();
  at::Tensor x = integers({3, 4}), w1 = integers({6, 4}), w2 = integers({5, 6});
  at::Tensor expected = at::linear(at::linear(x, w1), w2);
  onAllRanks(plan, [&](Executor &executor) {
    executor.buffer("x").copy_(x);
    for (auto &[name, whole] : {std::pair("w1", w1), std::pair("w2", w2)})
      for (const Buffer &buffer : executor.plan().buffers)
        if (buffer.name == name)
          executor.buffer(name).copy_(
              sliced(whole, sliceOf(buffer, executor.mesh(), executor.rank())));
    for (int step = 0; step < 3; ++step)
      executor.run("forward");
    EXPECT_TRUE(at::equal(executor.buffer("y"), expected));
  });
}

/// ZeRO-1's way of a step: gradients are summed and cut over dp, each rank
/// updates its rows, all_gather gives the rows to all.
Plan zeroPlan(int64_t dp, int64_t tp) {
  PlanBuilder b = on(dp, tp);
  b.shard("w", {8, 2}, {{"tp"}, {}});
  b.shard("g", {8, 2}, {{"tp"}, {}});
  b.plan.buffers.back().partial = {"dp"};
  b.shard("reduced", {8, 2}, {{"tp", "dp"}, {}});
  b.program("update");
  std::vector<int64_t> part = {8 / dp / tp, 2};
  ValueRef own = b.temporary(DType::F32, part),
           updated = b.temporary(DType::F32, part);
  b.collective(Collective::ReduceScatter, b.use("g"), b.use("reduced"), {"dp"});
  b.collective(Collective::AllSlice, b.use("w"), own, {"dp"});
  b.call("aten::sub.Tensor", {own, b.use("reduced"), 1.0}, {updated});
  b.collective(Collective::AllGather, updated, b.use("w"), {"dp"});
  return b.take();
}

TEST(Ranks, ReduceScatterUpdateAllGather) {
  for (auto [dp, tp] : {std::pair<int64_t, int64_t>{2, 1}, {4, 1}, {2, 2}}) {
    Plan plan = zeroPlan(dp, tp);
    at::Tensor w = integers({8, 2});
    std::vector<at::Tensor> gradients;
    at::Tensor sum = at::full({8, 2}, 0.0f);
    for (int64_t i = 0; i < dp; ++i)
      sum += gradients.emplace_back(integers({8, 2}));
    onAllRanks(plan, [&](Executor &executor) {
      auto place = sliceOf(plan.buffers[0], executor.mesh(), executor.rank());
      int64_t at = executor.rank() / tp;
      executor.buffer("w").copy_(sliced(w, place));
      executor.buffer("g").copy_(sliced(gradients[at], place));
      executor.run("update");
      EXPECT_TRUE(at::equal(executor.buffer("w"), sliced(w - sum, place)));
      EXPECT_TRUE(
          at::equal(executor.buffer("reduced"),
                    sliced(sum, sliceOf(plan.buffers[2], executor.mesh(),
                                        executor.rank()))));
    });
  }
}

/// The result overlaps its input in memory: a view of the buffer that the
/// all_gather writes.
TEST(Ranks, GathersIntoTheBufferThatItReads) {
  PlanBuilder b = on(4, 1);
  b.buffer("w", DType::F32, {8});
  b.program("update");
  ValueRef own = b.temporary(DType::F32, {2});
  b.collective(Collective::AllSlice, b.use("w"), own, {"dp"});
  b.collective(Collective::AllGather, own, b.use("w"), {"dp"});
  onAllRanks(b.take(), [&](Executor &executor) {
    // Each rank has the right values in its own part only.
    at::Tensor w = at::full({8}, -1.0f);
    int64_t first = executor.rank() * 2;
    w.narrow(0, first, 2).copy_(at::arange(first, first + 2));
    executor.buffer("w").copy_(w);
    executor.run("update");
    EXPECT_TRUE(at::equal(executor.buffer("w"), at::arange(8).to(at::kFloat)));
  });
}

TEST(Ranks, CoordinatesAndPartsOfAxes) {
  PlanBuilder b = on(2, 4);
  auto coordinate = [&](const char *name, Axes axes) {
    b.buffer(name, DType::I64, {}, Role::Coordinate);
    b.plan.buffers.back().coordinate = std::move(axes);
  };
  coordinate("tp", {"tp"});
  coordinate("both", {"tp", "dp"});
  coordinate("half", {"tp:(1)2"});
  b.shard("term", {}, {}, Role::Scalar, DType::I64);
  b.plan.buffers.back().partial = {"tp:(2)2"};
  b.shard("sum", {}, {}, Role::Scalar, DType::I64);
  b.shard("parts", {8}, {{"tp", "dp"}}, Role::Scalar, DType::I64);
  b.shard("highest", {}, {}, Role::Scalar, DType::I64);
  b.program("add");
  b.collective(Collective::AllReduce, b.use("term"), b.use("sum"), {"tp:(2)2"});
  ValueRef own = b.temporary(DType::I64, {});
  b.call("aten::amax", {b.use("parts"), std::vector<int64_t>{0}, false}, {own});
  b.collective(Collective::AllReduce, own, b.use("highest"), {"dp", "tp"})
      .reduction = Reduction::Max;
  onAllRanks(b.take(), [&](Executor &executor) {
    int64_t tp = executor.rank() % 4, dp = executor.rank() / 4;
    EXPECT_EQ(executor.buffer("tp").item<int64_t>(), tp);
    EXPECT_EQ(executor.buffer("both").item<int64_t>(), tp * 2 + dp);
    EXPECT_EQ(executor.buffer("half").item<int64_t>(), tp / 2);
    executor.buffer("term").copy_(executor.buffer("tp"));
    executor.buffer("parts").fill_(executor.buffer("both"));
    executor.run("add");
    // Ranks 0 and 1 of the axis, and 2 and 3.
    EXPECT_EQ(executor.buffer("sum").item<int64_t>(), tp < 2 ? 1 : 5);
    EXPECT_EQ(executor.buffer("highest").item<int64_t>(), 7);
  });
}

TEST(Ranks, AGroupOfOneGivesACopy) {
  PlanBuilder b = on(1, 1);
  b.buffer("a", DType::F32, {2});
  b.buffer("b", DType::F32, {2});
  b.program("p");
  ValueRef same = b.temporary(DType::F32, {2});
  b.collective(Collective::AllReduce, b.use("a"), same, {"tp"});
  b.call("aten::zero_", {b.use("a")});
  b.call("aten::copy_", {b.use("b"), same, false});
  Executor executor(b.take());
  executor.buffer("a").fill_(3);
  executor.run("p");
  EXPECT_TRUE(at::equal(executor.buffer("b"), at::full({2}, 3.0f)));
}

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

TEST(Ranks, MeshAndWorldMustBeTheSame) {
  Plan plan = zeroPlan(2, 2);
  EXPECT_EQ(messageOf([&] { Executor executor(plan); }),
            "plan: is for 4 ranks (pp 1 x dp 2 x cp 1 x tp 2), but this is one "
            "process");
  comm::LoopbackWorld world(Mesh::nxd(1, 4, 1, 1), {"dp"});
  std::string message = messageOf([&] {
    world.run([&](comm::RankView &rank) {
      ExecutorOptions options;
      options.world = &rank;
      Executor executor(plan, options);
    });
  });
  EXPECT_NE(message.find("is for the mesh pp 1 x dp 2 x cp 1 x tp 2, the "
                         "processes are pp 1 x dp 4 x cp 1 x tp 1"),
            std::string::npos)
      << message;
}

/// The sum or the maximum of a vector that dp splits.
Plan reducedPlan(Reduction reduction) {
  PlanBuilder b = on(2, 1);
  b.shard("x", {8}, {{"dp"}});
  b.shard("y", {}, {});
  b.program("reduce");
  ValueRef own = b.temporary(DType::F32, {});
  b.call(reduction == Reduction::Max ? "aten::amax" : "aten::sum.dim_IntList",
         {b.use("x"), std::vector<int64_t>{0}, false}, {own});
  if (reduction == Reduction::Sum)
    b.plan.programs[0].instructions[0].args.push_back(None{});
  b.collective(Collective::AllReduce, own, b.use("y"), {"dp"}).reduction =
      reduction;
  return b.take();
}

/// Ranks that do not run the same: the message is the world's own, with the
/// module, the reason and the step.
TEST(Ranks, DisagreementNamesTheCollective) {
  Plan plan = reducedPlan(Reduction::Sum);
  comm::LoopbackWorld world(meshOf(plan), groupSpecs(plan));
  std::string message = messageOf([&] {
    world.run([&](comm::RankView &rank) {
      ExecutorOptions options;
      options.world = &rank;
      Executor executor(rank.rank() ? reducedPlan(Reduction::Max) : plan,
                        options);
      rank.status().setStep(7);
      executor.run("reduce");
    });
  });
  EXPECT_EQ(message.find("comm: ranks disagree"), 0u) << message;
  for (const char *part : {"step 7", "test.1: test", "all_reduce(max)"})
    EXPECT_NE(message.find(part), std::string::npos) << part << ": " << message;
}

} // namespace
} // namespace nxdt::runtime
