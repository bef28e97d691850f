//===- ExecutorTest.cpp - programs do what libtorch does -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "runtime/Executor/Executor.h"
#include "PlanBuilder.h"
#include "nxdt/Plan/PlanJson.h"

#include "ATen/TensorOperators.h"
#include "ATen/core/Tensor.h"
#include "ATen/ops/arange.h"
#include "ATen/ops/cat.h"
#include "ATen/ops/equal.h"
#include "ATen/ops/full.h"
#include "ATen/ops/gelu.h"
#include "ATen/ops/layer_norm.h"
#include "ATen/ops/narrow.h"
#include "ATen/ops/rand.h"
#include "ATen/ops/randn.h"
#include "ATen/ops/tensor.h"

#include <fstream>
#include <gtest/gtest.h>
#include <iterator>

namespace nxdt::runtime {
namespace {

using namespace plan;

TEST(Executor, AddsBuffersInPlace) {
  PlanBuilder b;
  b.buffer("a", DType::F32, {2, 3});
  b.buffer("b", DType::F32, {2, 3});
  b.program("run");
  b.call("aten::add_.Tensor", {b.use("a"), b.use("b"), int64_t(2)});
  Executor executor(b.take());
  executor.buffer("b").fill_(1.5);
  executor.run("run");
  executor.run("run");
  EXPECT_TRUE(at::equal(executor.buffer("a"), at::full({2, 3}, 6.0f)));
  EXPECT_EQ(executor.find("none"), -1);
  EXPECT_EQ(executor.writtenBy(0), std::vector<int32_t>{0});
}

TEST(Executor, ResultsMayGoIntoABuffer) {
  PlanBuilder b;
  b.buffer("a", DType::F32, {4});
  b.program("run");
  b.call("aten::exp", {b.use("a")}, {b.use("a")});
  Executor executor(b.take());
  at::Tensor before = executor.buffer("a");
  executor.run("run");
  EXPECT_TRUE(at::equal(before, at::full({4}, 1.0f)));
  EXPECT_EQ(executor.writtenBy(0), std::vector<int32_t>{0});
}

/// One program with an instruction for each kind of argument.
TEST(Executor, EveryKindOfArgument) {
  PlanBuilder b;
  b.buffer("x", DType::F32, {4, 6});
  b.buffer("index", DType::I64, {2});
  b.buffer("cat", DType::F32, {4, 12});
  b.buffer("arange", DType::I64, {5});
  b.buffer("picked", DType::F32, {4, 2});
  b.buffer("halves", DType::F32, {4, 6});
  b.buffer("double", DType::F64, {6, 4});
  b.buffer("gelu", DType::F32, {4, 6});
  b.buffer("flip", DType::F32, {4, 6});
  b.buffer("grid", DType::F32, {1, 1, 2, 2});
  b.buffer("clamped", DType::F32, {4, 6});
  b.buffer("norms", DType::F32, {});
  b.program("run");
  ValueRef x = b.use("x");
  // Tensor[] with a temporary; int
  ValueRef t = b.temporary(DType::F32, {4, 6});
  b.call("aten::mul.Scalar", {x, 2.0}, {t});
  ValueRef cat = b.temporary(DType::F32, {4, 12});
  b.call("aten::cat", {std::vector<ValueRef>{x, t}, int64_t(1)}, {cat});
  b.call("aten::copy_", {b.use("cat"), cat, false});
  // Scalar, ScalarType?, Layout?, Device?, bool?
  ValueRef range = b.temporary(DType::I64, {5});
  b.call("aten::arange", {int64_t(5), DType::I64, None{}, DeviceArg{}, false},
         {range});
  b.call("aten::copy_", {b.use("arange"), range, false});
  // Tensor?[] with an absent one: x[:, index]
  ValueRef picked = b.temporary(DType::F32, {4, 2});
  b.call("aten::index.Tensor", {x, std::vector<ValueRef>{{-1}, b.use("index")}},
         {picked});
  b.call("aten::copy_", {b.use("picked"), picked, false});
  // Tensor[] result
  ValueRef left = b.temporary(DType::F32, {4, 3});
  ValueRef right = b.temporary(DType::F32, {4, 3});
  b.call("aten::split.Tensor", {x, int64_t(3), int64_t(1)}, {left, right});
  ValueRef swapped = b.temporary(DType::F32, {4, 6});
  b.call("aten::cat", {std::vector<ValueRef>{right, left}, int64_t(-1)},
         {swapped});
  b.call("aten::copy_", {b.use("halves"), swapped, false});
  // int[], MemoryFormat?
  ValueRef turned = b.temporary(DType::F32, {6, 4});
  b.call("aten::permute", {x, std::vector<int64_t>{1, 0}}, {turned});
  ValueRef dense = b.temporary(DType::F64, {6, 4});
  b.call("aten::_to_copy",
         {turned, DType::F64, None{}, DeviceArg{}, None{}, false, int64_t(0)},
         {dense});
  b.call("aten::copy_", {b.use("double"), dense, false});
  // str
  ValueRef gelu = b.temporary(DType::F32, {4, 6});
  b.call("aten::gelu", {x, std::string("tanh")}, {gelu});
  b.call("aten::copy_", {b.use("gelu"), gelu, false});
  // float[]? and SymInt[]?
  ValueRef four = b.temporary(DType::F32, {1, 1, 4, 6});
  b.call("aten::view", {x, std::vector<int64_t>{1, 1, 4, 6}}, {four});
  ValueRef grid = b.temporary(DType::F32, {1, 1, 2, 2});
  b.call("aten::upsample_nearest2d.vec",
         {four, None{}, std::vector<double>{0.5, 0.4}}, {grid});
  b.call("aten::copy_", {b.use("grid"), grid, false});
  // Scalar?
  ValueRef clamped = b.temporary(DType::F32, {4, 6});
  b.call("aten::clamp", {x, None{}, 0.25}, {clamped});
  b.call("aten::copy_", {b.use("clamped"), clamped, false});

  Executor executor(b.take());
  at::Tensor value = at::rand({4, 6});
  executor.buffer("x").copy_(value);
  executor.buffer("index").copy_(at::tensor({3, 1}, at::kLong));
  for (int i = 0; i < 2; ++i)
    executor.run("run");
  auto expect = [&](const char *name, const at::Tensor &expected) {
    EXPECT_TRUE(at::equal(executor.buffer(name), expected)) << name;
  };
  expect("cat", at::cat({value, value * 2.0}, 1));
  expect("arange", at::arange(5));
  expect("picked", value.index_select(1, at::tensor({3, 1}, at::kLong)));
  expect("halves", at::cat({value.narrow(1, 3, 3), value.narrow(1, 0, 3)}, 1));
  expect("double", value.t().to(at::kDouble));
  expect("gelu", at::gelu(value, "tanh"));
  expect("clamped", value.clamp_max(0.25));
  EXPECT_GT(executor.buffer("grid").sum().item<float>(), 0.0f);
}

TEST(Executor, VjpIsAutograd) {
  // y = layer_norm(x) * w + b with a cotangent; and a list argument.
  PlanBuilder b;
  for (const char *name : {"x", "gy", "gx"})
    b.buffer(name, DType::F32, {5, 8});
  for (const char *name : {"w", "b", "gw"})
    b.buffer(name, DType::F32, {8});
  b.buffer("g2", DType::F32, {10, 8});
  b.buffer("ga", DType::F32, {5, 8});
  b.program("run");
  ValueRef gx = b.temporary(DType::F32, {5, 8});
  ValueRef gw = b.temporary(DType::F32, {8});
  b.vjp("aten::layer_norm",
        {b.use("x"), std::vector<int64_t>{8}, b.use("w"), b.use("b"), 1e-5,
         false},
        {gx, gw, {-1}}, {b.use("gy").index});
  b.call("aten::copy_", {b.use("gx"), gx, false});
  b.call("aten::copy_", {b.use("gw"), gw, false});
  // The list holds a temporary; only the second gradient is wanted, and it does
  // not depend on anything in a result whose gradient is absent.
  ValueRef a = b.temporary(DType::F32, {5, 8});
  b.call("aten::neg", {b.use("x")}, {a});
  ValueRef ga = b.temporary(DType::F32, {5, 8});
  b.vjp("aten::cat", {std::vector<ValueRef>{b.use("x"), a}, int64_t(0)},
        {{-1}, ga}, {b.use("g2").index});
  b.call("aten::copy_", {b.use("ga"), ga, false});
  ValueRef zero = b.temporary(DType::F32, {5, 8});
  b.vjp("aten::mul.Tensor", {a, b.use("gy")}, {zero, {-1}}, {-1});
  b.call("aten::add_.Tensor", {b.use("ga"), zero, int64_t(1)});

  Executor executor(b.take());
  for (const char *name : {"x", "gy", "w", "b", "g2"})
    executor.buffer(name).copy_(at::randn(executor.buffer(name).sizes()));
  executor.run("run");
  at::Tensor x = executor.buffer("x").detach().clone().requires_grad_(true);
  at::Tensor w = executor.buffer("w").detach().clone().requires_grad_(true);
  at::Tensor y = at::layer_norm(x, {8}, w, executor.buffer("b"), 1e-5, false);
  y.backward(executor.buffer("gy"));
  EXPECT_TRUE(at::equal(executor.buffer("gx"), x.grad()));
  EXPECT_TRUE(at::equal(executor.buffer("gw"), w.grad()));
  EXPECT_TRUE(
      at::equal(executor.buffer("ga"), executor.buffer("g2").narrow(0, 5, 5)));
  // Nothing of autograd is left behind.
  EXPECT_FALSE(executor.buffer("gx").requires_grad());
  EXPECT_FALSE(executor.buffer("x").requires_grad());
}

/// docs/Plan.md shows a plan: it is what toJson writes, and it runs.
TEST(Executor, TheDocumentedExampleRuns) {
  std::ifstream file(NXDT_PLAN_DOC);
  ASSERT_TRUE(file) << NXDT_PLAN_DOC;
  std::string text((std::istreambuf_iterator<char>(file)), {});
  size_t begin = text.find("```json\n") + 8;
  text = text.substr(begin, text.find("```", begin) - begin);
  Plan plan = fromJson(text, "docs/Plan.md");
  EXPECT_EQ(toJson(plan), text);
  Executor executor(plan);
  executor.buffer("x").fill_(0.5);
  executor.run("example");
  EXPECT_TRUE(at::equal(executor.buffer("sum"), at::full({4}, 1.0f).exp_()));
}

} // namespace
} // namespace nxdt::runtime
