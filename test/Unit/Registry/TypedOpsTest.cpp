//===- TypedOpsTest.cpp - attention and loss against libtorch -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Compiler.h"
#include "Oracle.h"

#include "ATen/core/grad_mode.h"
#include "ATen/ops/cross_entropy_loss.h"
#include "ATen/ops/matmul.h"
#include "ATen/ops/ones.h"
#include "ATen/ops/softmax.h"

#include <gtest/gtest.h>

#include <cmath>

using namespace nxdt::test;
using nxdt::plan::DType;

namespace {

//===----------------------------------------------------------------------===//
// nxdt.sdpa
//===----------------------------------------------------------------------===//

struct Attention {
  std::string name;
  int64_t batch, heads, kvHeads, queries, keys, size;
  bool causal;
  DType dtype = DType::F32;
  double tolerance = 2e-6;
};

class Sdpa : public testing::TestWithParam<std::tuple<Attention, std::string>> {
};

/// softmax(scale q k^T, masked) v, written out, in f64.
at::Tensor attend(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v,
                  double scale, bool causal) {
  int64_t repeats = q.size(1) / k.size(1);
  at::Tensor keys = k.to(at::kDouble).repeat_interleave(repeats, 1);
  at::Tensor values = v.to(at::kDouble).repeat_interleave(repeats, 1);
  at::Tensor scores =
      at::matmul(q.to(at::kDouble), keys.transpose(-2, -1)).mul(scale);
  if (causal) {
    at::Tensor later = at::ones({q.size(2), k.size(2)}, at::kBool).triu(1);
    scores = scores.masked_fill(later, -INFINITY);
  }
  return at::matmul(at::softmax(scores, -1), values);
}

TEST_P(Sdpa, IsAttentionWrittenOut) {
  const auto &[a, device] = GetParam();
  double scale = 0.7 / std::sqrt(a.size);
  TensorType q{a.dtype, {a.batch, a.heads, a.queries, a.size}};
  TensorType k{a.dtype, {a.batch, a.kvHeads, a.keys, a.size}};
  TensorType lse{DType::F32, {a.batch, a.heads, a.queries}};
  std::string types = toString(q) + ", " + toString(k) + ", " + toString(k) +
                      " -> " + toString(q) + ", " + toString(lse);
  std::string call = "    %r0, %lse = nxdt.sdpa %t0, %t1, %t2 {causal = " +
                     std::string(a.causal ? "true" : "false") +
                     ", scale = " + std::to_string(scale) +
                     " : f64} : " + types + "\n";
  scale = std::stod(std::to_string(scale));

  Sample tensors;
  for (const TensorType &type : {q, k, k})
    tensors.tensors.push_back({'f', 0, type.shape, false, true, {}});
  std::vector<at::Tensor> inputs =
      makeBases(tensors, {a.dtype, a.dtype, a.dtype}, 3);
  Function function = [&](const std::vector<at::Tensor> &x) {
    return std::vector<at::Tensor>{attend(x[0], x[1], x[2], scale, a.causal)};
  };
  std::vector<at::Tensor> results;
  {
    at::AutoGradMode mode(false);
    results = function(inputs);
  }
  std::vector<at::Tensor> cotangents = makeCotangents(results, 4);
  std::vector<at::Tensor> doubles;
  for (const at::Tensor &input : inputs)
    doubles.push_back(input.to(at::kDouble));
  std::vector<at::Tensor> expected =
      autogradOf(function, doubles, {true, true, true}, cotangents);

  Compiled compiled = compileGradients(
      lossModule({{q, true}, {k, true}, {k, true}}, call, {q}), device);
  EXPECT_NE(compiled.ir.find("nxdt.sdpa_backward"), std::string::npos);
  PlanRun run(std::move(compiled.plan), {{"t0", inputs[0]},
                                         {"t1", inputs[1]},
                                         {"t2", inputs[2]},
                                         {"c0", cotangents[0]}});
  run.run("probe");
  EXPECT_LE(difference(run.buffer("loss_value"), lossOf(results, cotangents)),
            a.tolerance * 10);
  for (int i = 0; i < 3; ++i)
    EXPECT_LE(difference(run.buffer("t" + std::to_string(i) + ".gradient"),
                         expected[i]),
              a.tolerance)
        << "operand " << i;
}

INSTANTIATE_TEST_SUITE_P(
    Typed, Sdpa,
    testing::Combine(
        testing::Values(
            Attention{"causal", 2, 3, 3, 5, 5, 8, true},
            Attention{"full", 2, 3, 3, 5, 5, 8, false},
            Attention{"cross", 2, 2, 2, 5, 7, 8, false},
            Attention{"grouped_causal", 2, 6, 2, 5, 5, 8, true},
            Attention{"grouped_full", 1, 4, 1, 5, 5, 8, false},
            Attention{"several_blocks", 1, 2, 1, 150, 150, 16, true},
            Attention{"bf16", 2, 4, 2, 9, 9, 8, true, DType::BF16, 3e-2}),
        testing::Values("cpu", "cuda")),
    [](const auto &info) {
      return std::get<0>(info.param).name + "_as_on_" + std::get<1>(info.param);
    });

//===----------------------------------------------------------------------===//
// nxdt.cross_entropy
//===----------------------------------------------------------------------===//

class CrossEntropy : public testing::TestWithParam<
                         std::tuple<std::vector<int64_t>, DType, std::string>> {
};

TEST_P(CrossEntropy, IsTheSumAndTheCountOfLibtorch) {
  const auto &[targets, dtype, device] = GetParam();
  double tolerance = dtype == DType::F64 ? 1e-12 : 1e-6;
  TensorType logits{dtype, {2, 3, 7}}, ids{DType::I64, {2, 3}},
      scalar{dtype, {}};
  std::string types = toString(logits) + ", " + toString(ids) + " -> " +
                      toString(scalar) + ", tensor<i64>, " + toString(logits) +
                      "\n";
  std::string call =
      "    %r0, %r1, %lp = nxdt.cross_entropy %t0, %t1 {ignore_index = -100 : "
      "i64} : " +
      types;

  Sample tensors;
  tensors.tensors.push_back({'f', 0, logits.shape, false, true, {}});
  at::Tensor x = makeBases(tensors, {dtype}, 5)[0].mul(3);
  at::Tensor y = at::ones({2, 3}, at::kLong);
  std::copy(targets.begin(), targets.end(), y.data_ptr<int64_t>());
  Function function = [&](const std::vector<at::Tensor> &inputs) {
    return std::vector<at::Tensor>{at::cross_entropy_loss(
        inputs[0].reshape({-1, 7}), y.reshape({-1}), {}, /*Sum=*/2, -100)};
  };
  std::vector<at::Tensor> cotangent = {at::ones({}, at::kDouble).mul(1.7)};
  std::vector<at::Tensor> expected =
      autogradOf(function, {x.to(at::kDouble)}, {true}, cotangent);

  Compiled compiled = compileGradients(
      lossModule({{logits, true}, {ids, false}}, call, {scalar}), device);
  PlanRun run(std::move(compiled.plan),
              {{"t0", x}, {"t1", y}, {"c0", cotangent[0]}});
  run.run("probe");
  EXPECT_LE(difference(run.buffer("t0.gradient"), expected[0]), tolerance);

  std::string forward =
      "nxdt.buffer @t0 {role = \"buffer\"} : " + toString(logits) +
      "\nnxdt.buffer @t1 {role = \"buffer\"} : " + toString(ids) +
      "\nfunc.func @forward(%t0: " + toString(logits) +
      " {nxdt.buffer = @t0}, %t1: " + toString(ids) +
      " {nxdt.buffer = @t1}) -> (" + toString(scalar) + ", tensor<i64>) {\n" +
      call + "    return %r0, %r1 : " + toString(scalar) + ", tensor<i64>\n}\n";
  PlanRun values(compileForward(forward, device).plan, {{"t0", x}, {"t1", y}});
  values.run("probe");
  int64_t count =
      targets.size() - std::count(targets.begin(), targets.end(), -100);
  EXPECT_EQ(values.buffer("out1").item<int64_t>(), count);
  EXPECT_LE(difference(values.buffer("out0"), function({x.to(at::kDouble)})[0]),
            tolerance);
}

INSTANTIATE_TEST_SUITE_P(
    Typed, CrossEntropy,
    testing::Combine(testing::Values(std::vector<int64_t>{0, 1, 2, 3, 4, 6},
                                     std::vector<int64_t>{-100, 1, -100, 3, 6,
                                                          -100},
                                     std::vector<int64_t>(6, -100)),
                     testing::Values(DType::F64, DType::F32),
                     testing::Values("cpu", "cuda")));

} // namespace
