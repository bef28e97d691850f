//===- FuseAttentionTest.cpp - fused is what was written out --------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Attention with random masks, scales and heads runs written out and through
// the pass. Where the pass fuses, both must agree; where the mask is causal,
// it must fuse.
//
//===----------------------------------------------------------------------===//
#include "PassCompiler.h"
#include "RandomMask.h"
#include "runtime/Executor/Executor.h"

#include <ATen/ops/allclose.h>
#include <ATen/ops/arange.h>

#include <gtest/gtest.h>

using namespace nxdt::test;

namespace {

constexpr int64_t kSize = 6;

struct Attention {
  std::string text;
  bool isMasked = false, isCausal = false;
};

/// k and v with 2 heads become 4, in one of the ways to say so.
std::string repeat(const std::string &name, int64_t way) {
  std::string in = "tensor<1x2x6x4xf32>", out = "tensor<1x4x6x4xf32>";
  auto op = [](const std::string &result, const std::string &call,
               const std::string &from, const std::string &to) {
    return "  " + result + " = nxdt.aten \"aten::" + call + " : (" + from +
           ") -> " + to + "\n";
  };
  std::string r = name + "r", one = r + "1", two = r + "2";
  if (way == 0)
    return op(r, "repeat_interleave.self_int\"(" + name + ", 2, 1, none)", in,
              out);
  bool isNatural = way == 1;
  std::string narrow =
      isNatural ? "tensor<1x2x1x6x4xf32>" : "tensor<1x1x2x6x4xf32>";
  return op(one, "unsqueeze\"(" + name + (isNatural ? ", 2)" : ", 1)"), in,
            narrow) +
         op(two, "expand\"(" + one + ", array<i64: 1, 2, 2, 6, 4>, false)",
            narrow, "tensor<1x2x2x6x4xf32>") +
         op(r, "reshape\"(" + two + ", array<i64: 1, 4, 6, 4>)",
            "tensor<1x2x2x6x4xf32>", out);
}

Attention randomAttention(uint64_t seed) {
  Dice dice(seed);
  Attention attention;
  std::string q = "tensor<1x4x6x4xf32>", k = "tensor<1x2x6x4xf32>",
              s = "tensor<1x4x6x6xf32>";
  std::string text =
      "nxdt.buffer @q {role = \"buffer\"} : " + q +
      "\nnxdt.buffer @k {role = \"buffer\"} : " + k +
      "\nnxdt.buffer @v {role = \"buffer\"} : " + k +
      "\nfunc.func @forward(%q: " + q + " {nxdt.buffer = @q}, %k: " + k +
      " {nxdt.buffer = @k}, %v: " + k + " {nxdt.buffer = @v}) -> " + q + " {\n";
  int64_t way = dice.roll(3);
  text += repeat("%k", way) + repeat("%v", dice.roll(4) ? way : dice.roll(3));
  std::string scores = "%q";
  auto scale = [&](const std::string &type) {
    static const char *const calls[] = {"mul.Scalar\"(", "div.Scalar\"("};
    static const char *const factors[] = {"0.5", "2.0", "0.7", "1.25"};
    std::string result = scores + "s";
    text += "  " + result + " = nxdt.aten \"aten::" + calls[dice.roll(2)] +
            scores + ", " + factors[dice.roll(4)] + ") : (" + type + ") -> " +
            type + "\n";
    scores = result;
  };
  if (dice.roll(2))
    scale(q);
  text += "  %kt = nxdt.aten \"aten::transpose.int\"(%kr, -2, -1) : (" + q +
          ") -> tensor<1x4x4x6xf32>\n  %p = nxdt.aten \"aten::matmul\"(" +
          scores + ", %kt) : (" + q + ", tensor<1x4x4x6xf32>) -> " + s + "\n";
  scores = "%p";
  if (dice.roll(2))
    scale(s);
  auto mask = [&](const std::string &name, const std::string &type) {
    std::string result = scores + "m";
    text += "  " + result + " = nxdt.aten \"aten::masked_fill.Scalar\"(" +
            scores + ", " + name + ", -1.0e+30) : (" + s + ", " + type +
            ") -> " + s + "\n";
    scores = result;
    attention.isMasked = true;
  };
  if (dice.roll(3)) {
    attention.isCausal = true;
    text += "  %ones = nxdt.aten \"aten::ones\"(array<i64: 6, 6>, i1, none, "
            "device, none) : () -> tensor<6x6xi1>\n  %up = nxdt.aten "
            "\"aten::triu\"(%ones, 1) : (tensor<6x6xi1>) -> tensor<6x6xi1>\n";
    mask("%up", "tensor<6x6xi1>");
  }
  if (dice.roll(2)) {
    RandomMask random = RandomMask::ofBools(dice, kSize, "%m");
    text += random.body();
    mask(random.name(), random.type());
    attention.isCausal = false;
  }
  if (dice.roll(3) == 0)
    scale(s);
  text += "  %w = nxdt.aten \"aten::softmax.int\"(" + scores +
          ", -1, none) : (" + s + ") -> " + s +
          "\n  %o = nxdt.aten \"aten::matmul\"(%w, %vr) : (" + s + ", " + q +
          ") -> " + q + "\n  return %o : " + q + "\n}\n";
  attention.text = text;
  return attention;
}

at::Tensor run(nxdt::plan::Plan plan) {
  nxdt::runtime::Executor executor(std::move(plan));
  int64_t salt = 0;
  for (const char *name : {"q", "k", "v"}) {
    const at::Tensor &buffer = executor.buffer(name);
    buffer.copy_(at::arange(buffer.numel(), at::kFloat)
                     .mul(0.37 + 0.21 * static_cast<double>(salt++))
                     .sin()
                     .view(buffer.sizes()));
  }
  executor.run("forward");
  return executor.buffer("out0").clone();
}

TEST(FuseAttention, ComputesWhatWasWrittenOut) {
  int fused = 0, fusedMasks = 0;
  constexpr int kPrograms = 300;
  for (uint64_t seed = 0; seed < kPrograms; ++seed) {
    Attention attention = randomAttention(seed);
    SCOPED_TRACE("seed " + std::to_string(seed) + "\n" + attention.text);
    Compiled compiled;
    ASSERT_NO_THROW(compiled = compile(attention.text, "fuse-attention"));
    bool isFused = compiled.ir.find("nxdt.sdpa") != std::string::npos;
    EXPECT_TRUE(isFused || !compiled.remarks.empty());
    if (attention.isCausal || !attention.isMasked) {
      EXPECT_TRUE(isFused) << compiled.remarks;
      EXPECT_EQ(compiled.ir.find("causal = true") != std::string::npos,
                attention.isCausal);
    }
    if (!isFused)
      continue;
    ++fused;
    fusedMasks += attention.isMasked && !attention.isCausal;
    at::Tensor wanted = run(compile(attention.text, "verify-capture").plan);
    at::Tensor found = run(std::move(compiled.plan));
    EXPECT_TRUE(at::allclose(found, wanted, 1e-5, 1e-6))
        << found.sub(wanted).abs().max().item<float>() << "\n"
        << compiled.ir;
  }
  EXPECT_GT(fused, kPrograms / 3);
  // Some of the random masks are causal, or mask nothing.
  EXPECT_GT(fusedMasks, 5);
}

} // namespace
