//===- PeakTest.cpp - what lives at the peak ------------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "nxdt/Analysis/Report.h"

#include <gtest/gtest.h>

using namespace nxdt;
using namespace nxdt::plan;

namespace {

Instruction make(std::string op, std::vector<int32_t> from, int32_t out,
                 std::vector<int32_t> frees, std::string module) {
  Instruction instruction;
  instruction.op = std::move(op);
  for (int32_t value : from)
    instruction.args.push_back(ValueRef{value});
  instruction.outs = {out};
  instruction.frees = std::move(frees);
  instruction.module = std::move(module);
  return instruction;
}

/// x is a buffer; a = exp(x) [4 KiB], b = view of a, c = exp(b) [4 KiB],
/// d = sum(c) [4 B]: b and c live at the peak, b in a's storage; what was
/// released right before does not.
Plan samplePlan() {
  Plan plan;
  Buffer x;
  x.name = "x";
  x.shape = {1024};
  plan.buffers = {x};
  Program program;
  program.name = "train_step";
  program.values = {{DType::F32, {1024}, 0},    {DType::F32, {1024}, -1},
                    {DType::F32, {32, 32}, -1}, {DType::F32, {32, 32}, -1},
                    {DType::F32, {}, -1},       {DType::F32, {16}, -1}};
  program.instructions = {make("aten::relu", {0}, 5, {}, "gone"),
                          make("aten::exp", {0}, 1, {}, "m.0"),
                          make("aten::view", {1}, 2, {1, 5}, "m.0"),
                          make("aten::exp", {2}, 3, {2}, "m.1"),
                          make("aten::sum", {3}, 4, {3, 4}, "m")};
  Program small;
  small.name = "update_step";
  small.values = {{DType::F32, {1024}, 0}, {DType::F32, {1024}, -1}};
  small.instructions = {make("aten::exp", {0}, 1, {1}, "")};
  plan.programs = {small, program};
  return plan;
}

TEST(Peak, NamesTheMomentAndWhatLives) {
  Plan plan = samplePlan();
  predictMemory(plan);
  Peak peak = peakOf(plan);
  EXPECT_EQ(peak.program, "train_step");
  EXPECT_EQ(peak.op, "aten::exp");
  EXPECT_EQ(peak.module, "m.1");
  EXPECT_EQ(peak.bytes, 8192);
  EXPECT_EQ(peak.bytes, plan.memory.peakActivationBytes);
  ASSERT_EQ(peak.tensors.size(), 2u);
  EXPECT_EQ(peak.tensors[0].module, "m.0");
  EXPECT_EQ(peak.tensors[0].shape, (std::vector<int64_t>{1024}));
  EXPECT_EQ(peak.tensors[1].module, "m.1");
  EXPECT_EQ(peak.tensors[0].bytes + peak.tensors[1].bytes, peak.bytes);
}

/// Bytes at the peak of `op` on x [2, 4, 8, 16], its result transposed
/// `transpositions` times over dims 1 and 2, then reshaped.
int64_t peakOfReshaped(std::string op, int transpositions) {
  std::vector<int64_t> shape = {2, 4, 8, 16};
  Plan plan;
  Buffer x;
  x.name = "x";
  x.shape = shape;
  plan.buffers = {x};
  Program program;
  program.values = {{DType::F32, shape, 0}, {DType::F32, shape, -1}};
  program.instructions = {make(std::move(op), {0}, 1, {}, "")};
  int32_t last = 1;
  for (int i = 0; i < transpositions; ++i) {
    std::swap(shape[1], shape[2]);
    program.values.push_back({DType::F32, shape, -1});
    Instruction transpose =
        make("aten::transpose.int", {last}, last + 1, {}, "");
    transpose.args.push_back(int64_t(1));
    transpose.args.push_back(int64_t(-2));
    program.instructions.push_back(transpose);
    ++last;
  }
  program.values.push_back({DType::F32, {2, 512}, -1});
  program.instructions.push_back(
      make("aten::reshape", {last}, last + 1, {}, ""));
  plan.programs = {program};
  predictMemory(plan);
  return plan.memory.peakActivationBytes;
}

TEST(Peak, ReshapesCopyWhatIsNotRowMajor) {
  constexpr int64_t kBytes = 2 * 4 * 8 * 16 * 4;
  EXPECT_EQ(peakOfReshaped("aten::exp", 0), kBytes);
  EXPECT_EQ(peakOfReshaped("aten::exp", 1), 2 * kBytes);
  EXPECT_EQ(peakOfReshaped("aten::exp", 2), kBytes);
  // This kernel's result lies transposed.
  std::string attention = "aten::_scaled_dot_product_flash_attention_for_cpu";
  EXPECT_EQ(peakOfReshaped(attention, 0), 2 * kBytes);
  EXPECT_EQ(peakOfReshaped(attention, 1), kBytes);
  EXPECT_EQ(peakOfReshaped(attention, 2), 2 * kBytes);
}

TEST(Peak, OfNothingIsNothing) {
  Peak peak = peakOf({});
  EXPECT_EQ(peak.program, "");
  EXPECT_EQ(peak.bytes, 0);
  EXPECT_TRUE(peak.tensors.empty());
}

TEST(Budget, IsKeptToTheByte) {
  RunConfig run;
  run.strategy.budgetAt = "a.yaml:1:2: budget_bytes = '1KiB'";
  StrategyReport report;
  report.memory.paramBytes = 1000;
  report.memory.peakActivationBytes = 25;
  report.totalBytes = 1025;
  EXPECT_EQ(budgetProblem(run, report), ""); // none is set
  run.strategy.budgetBytes = 1025;
  EXPECT_EQ(budgetProblem(run, report), "");
  run.strategy.budgetBytes = 1024;
  EXPECT_EQ(
      budgetProblem(run, report),
      "a.yaml:1:2: budget_bytes = '1KiB': a rank needs 1,000 + 0 + 0 + 0 "
      "+ 0 + 25 = 1,025 bytes (1.00 KiB), 1 B more than 1,024 (1.00 KiB)\n"
      "  largest categories: parameters 1000 B, activations at the peak "
      "25 B, fp32 masters 0 B");
}

} // namespace
