//===- PendingTest.cpp - collectives under way -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "OnAllRanks.h"
#include "PlanBuilder.h"
#include "nxdt/Support/UserError.h"
#include "runtime/Comm/Loopback.h"
#include "runtime/Executor/Collectives.h"
#include "runtime/Executor/Executor.h"

#include "ATen/ops/equal.h"
#include "ATen/ops/randn.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace nxdt::runtime {
namespace {

using namespace plan;

std::vector<int64_t> resultShape(Collective kind, std::vector<int64_t> shape,
                                 int64_t dim, int64_t ranks) {
  if (kind == Collective::AllGather)
    shape[size_t(dim)] *= ranks;
  if (kind == Collective::ReduceScatter)
    shape[size_t(dim)] /= ranks;
  return shape;
}

/// Tensors of several shapes, each alone and all together, over 3 ranks.
Plan bothWays(Collective kind, int64_t dim) {
  PlanBuilder b;
  b.plan.mesh = {{"dp", 3}};
  std::vector<std::vector<int64_t>> shapes = {
      {3, 6}, {6, 3, 2}, {9, 3}, {3, 3, 1, 2}};
  for (size_t i = 0; i < shapes.size(); ++i) {
    std::vector<int64_t> result = resultShape(kind, shapes[i], dim, 3);
    std::vector<Axes> whole(shapes[i].size()), split = whole;
    split[size_t(dim)] = {"dp"};
    bool gathers = kind == Collective::AllGather;
    bool scatters = kind == Collective::ReduceScatter;
    std::string number = std::to_string(i);
    b.shard("in" + number, gathers ? result : shapes[i],
            gathers ? split : whole);
    if (!gathers)
      b.plan.buffers.back().partial = {"dp"};
    for (std::string name : {"alone", "together"})
      b.shard(name + number, scatters ? shapes[i] : result,
              scatters ? split : whole);
  }
  b.program("p");
  std::vector<ValueRef> ins, outs;
  for (size_t i = 0; i < shapes.size(); ++i) {
    ins.push_back(b.use("in" + std::to_string(i)));
    outs.push_back(
        b.temporary(DType::F32, resultShape(kind, shapes[i], dim, 3)));
  }
  b.start(kind, ins, outs, {"dp"}, dim);
  for (size_t i = 0; i < shapes.size(); ++i)
    b.collective(kind, ins[i], b.use("alone" + std::to_string(i)), {"dp"}, dim);
  b.wait(0);
  for (size_t i = 0; i < shapes.size(); ++i)
    b.call("aten::copy_",
           {b.use("together" + std::to_string(i)), outs[i], false});
  return b.take();
}

/// Bit for bit, with other collectives of the group under way.
TEST(Pending, TogetherIsAsAlone) {
  for (Collective kind : {Collective::AllReduce, Collective::AllGather,
                          Collective::ReduceScatter})
    for (int64_t dim : {0, 1}) {
      if (kind == Collective::AllReduce && dim)
        continue;
      Plan plan = bothWays(kind, dim);
      onAllRanks(plan, [&](Executor &executor) {
        for (int64_t run = 0; run < 2; ++run) {
          for (size_t i = 0; i < 4; ++i) {
            at::Tensor in = executor.buffer("in" + std::to_string(i));
            in.copy_(at::randn(in.sizes()));
          }
          executor.run("p");
          for (size_t i = 0; i < 4; ++i)
            EXPECT_TRUE(
                at::equal(executor.buffer("alone" + std::to_string(i)),
                          executor.buffer("together" + std::to_string(i))))
                << name(kind) << " along " << dim << ", tensor " << i;
        }
      });
    }
}

/// What the plan's checks cannot see: a view of what is being sent changes.
TEST(Pending, RefusesToChangeWhatIsUnderWay) {
  PlanBuilder b;
  b.plan.mesh = {{"dp", 2}};
  b.shard("w", {4}, {{}});
  b.plan.buffers.back().partial = {"dp"};
  b.program("p");
  ValueRef view = b.temporary(DType::F32, {2, 2}),
           sum = b.temporary(DType::F32, {2, 2});
  ValueRef w = b.use("w");
  b.call("aten::view", {w, std::vector<int64_t>{2, 2}}, {view});
  b.start(Collective::AllReduce, {view}, {sum}, {"dp"});
  b.call("aten::zero_", {w});
  b.wait(1);
  Plan plan = b.take();
  try {
    onAllRanks(plan, [&](Executor &executor) { executor.run("p"); });
    FAIL() << "ran";
  } catch (const UserError &e) {
    EXPECT_THAT(e.what(), testing::HasSubstr("changes 'w' while "));
    EXPECT_THAT(e.what(), testing::HasSubstr("(instruction 1) reads it"));
  }
}

/// One rank: the result is there, and no alias of the buffer.
TEST(Pending, AGroupOfOne) {
  PlanBuilder b;
  b.plan.mesh = {{"dp", 1}};
  b.buffer("w", DType::F32, {4});
  b.buffer("y", DType::F32, {4});
  b.program("p");
  ValueRef sum = b.temporary(DType::F32, {4});
  b.start(Collective::AllReduce, {b.use("w")}, {sum}, {"dp"});
  b.wait(0);
  b.call("aten::zero_", {b.use("w")});
  b.call("aten::copy_", {b.use("y"), sum, false});
  Plan plan = b.take();
  onAllRanks(plan, [&](Executor &executor) {
    at::Tensor w = at::randn({4});
    executor.buffer("w").copy_(w);
    executor.run("p");
    EXPECT_TRUE(at::equal(executor.buffer("y"), w));
  });
}

} // namespace
} // namespace nxdt::runtime
