//===- TrainingPlanTest.cpp - a whole training step by hand -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// logits = x W^T, mean cross entropy, backward by aten operators, AdamW in
// place: three steps equal to the same calls made directly, and to autograd.
//
//===----------------------------------------------------------------------===//
#include "PlanBuilder.h"
#include "runtime/Executor/Executor.h"

#include "ATen/ops/_fused_adamw.h"
#include "ATen/ops/allclose.h"
#include "ATen/ops/cross_entropy_loss.h"
#include "ATen/ops/equal.h"
#include "ATen/ops/linear.h"
#include "ATen/ops/mm.h"
#include "ATen/ops/randint.h"
#include "ATen/ops/randn.h"
#include "ATen/ops/zeros.h"
#include "ATen/ops/zeros_like.h"

#include <gtest/gtest.h>

namespace nxdt::runtime {
namespace {

using namespace plan;

constexpr int64_t kRows = 6, kIn = 5, kOut = 7;

Plan trainingPlan() {
  PlanBuilder b;
  b.buffer("x", DType::F32, {kRows, kIn});
  b.buffer("y", DType::I64, {kRows});
  b.buffer("w", DType::F32, {kOut, kIn});
  b.buffer("m", DType::F32, {kOut, kIn});
  b.buffer("v", DType::F32, {kOut, kIn});
  b.buffer("g", DType::F32, {kOut, kIn});
  b.buffer("lr", DType::F64, {}, Role::Input);
  b.buffer("step", DType::F32, {}, Role::Input);
  b.buffer("loss", DType::F64, {});
  b.program("begin_step");
  b.call("aten::zero_", {b.use("g")});
  b.program("forward_backward");
  auto f32 = [&](std::vector<int64_t> shape) {
    return b.temporary(DType::F32, std::move(shape));
  };
  ValueRef x = b.use("x"), y = b.use("y"), w = b.use("w");
  ValueRef logits = f32({kRows, kOut}), logp = f32({kRows, kOut});
  b.call("aten::linear", {x, w, None{}}, {logits});
  b.call("aten::_log_softmax", {logits, int64_t(1), false}, {logp});
  ValueRef loss = f32({}), weight = f32({});
  b.call("aten::nll_loss_forward", {logp, y, None{}, int64_t(1), int64_t(-100)},
         {loss, weight});
  b.call("aten::copy_", {b.use("loss"), loss, false});
  ValueRef one = f32({}), gLogp = f32({kRows, kOut}),
           gLogits = f32({kRows, kOut});
  b.call("aten::ones_like", {loss, None{}, None{}, None{}, None{}, None{}},
         {one});
  b.call("aten::nll_loss_backward",
         {one, logp, y, None{}, int64_t(1), int64_t(-100), weight}, {gLogp});
  b.call("aten::_log_softmax_backward_data",
         {gLogp, logp, int64_t(1), DType::F32}, {gLogits});
  ValueRef turned = f32({kOut, kRows}), gw = f32({kOut, kIn});
  b.call("aten::t", {gLogits}, {turned});
  b.call("aten::mm", {turned, x}, {gw});
  b.call("aten::add_.Tensor", {b.use("g"), gw, int64_t(1)});
  b.program("update_step");
  auto list = [&](const char *name) {
    return std::vector<ValueRef>{b.use(name)};
  };
  b.call("aten::_fused_adamw_.tensor_lr",
         {list("w"), list("g"), list("m"), list("v"), std::vector<ValueRef>{},
          list("step"), b.use("lr"), 0.9, 0.95, 0.5, 1e-2, false, false, None{},
          None{}});
  return b.take();
}

TEST(TrainingPlan, EqualsDirectCallsAndAutograd) {
  Executor executor(trainingPlan(), {"plan", /*alwaysCheckTypes=*/true});
  at::Tensor w = at::randn({kOut, kIn});
  at::Tensor m = at::zeros_like(w), v = at::zeros_like(w);
  executor.buffer("w").copy_(w);
  for (int64_t step = 1; step <= 3; ++step) {
    at::Tensor x = at::randn({kRows, kIn});
    at::Tensor y = at::randint(kOut, {kRows}, at::kLong);
    executor.buffer("x").copy_(x);
    executor.buffer("y").copy_(y);
    executor.buffer("lr").fill_(0.1 / double(step));
    executor.buffer("step").fill_(double(step));
    for (const char *program :
         {"begin_step", "forward_backward", "update_step"})
      executor.run(program);

    at::Tensor leaf = w.clone().requires_grad_(true);
    at::Tensor loss = at::cross_entropy_loss(at::linear(x, leaf), y);
    loss.backward();
    EXPECT_NEAR(executor.buffer("loss").item<double>(), loss.item<float>(),
                1e-6);
    EXPECT_TRUE(at::allclose(executor.buffer("g"), leaf.grad(), 1e-6, 1e-7));
    // The optimizer exactly as called directly on the same gradient.
    std::vector<at::Tensor> ws = {w}, gs = {executor.buffer("g").clone()},
                            ms = {m}, vs = {v},
                            steps = {at::zeros({}).fill_(double(step))};
    at::Tensor lr = at::zeros({}, at::kDouble).fill_(0.1 / double(step));
    at::_fused_adamw_(ws, gs, ms, vs, {}, steps, lr, 0.9, 0.95, 0.5, 1e-2,
                      false, false);
    EXPECT_TRUE(at::equal(executor.buffer("w"), w)) << step;
    EXPECT_TRUE(at::equal(executor.buffer("m"), m)) << step;
    EXPECT_TRUE(at::equal(executor.buffer("v"), v)) << step;
  }
}

} // namespace
} // namespace nxdt::runtime
