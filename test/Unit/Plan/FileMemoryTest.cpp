//===- FileMemoryTest.cpp - bytes that loading and saving take ------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "nxdt/Plan/FileMemory.h"

#include "nxdt/Plan/Slice.h"

#include <gtest/gtest.h>

namespace nxdt::plan {
namespace {

Buffer weight(const Plan &plan, Role role, DType dtype,
              std::vector<int64_t> whole, std::vector<Axes> split,
              const std::string &param = "w") {
  Buffer buffer;
  buffer.role = role;
  buffer.param = param;
  buffer.name = param + "." + std::string(name(role));
  buffer.dtype = dtype;
  buffer.logicalShape = std::move(whole);
  buffer.split = std::move(split);
  buffer.shape = localShape(buffer, meshOf(plan));
  buffer.init.kind = Init::Kind::Normal;
  return buffer;
}

Plan planOn(int64_t pp, int64_t dp, int64_t tp) {
  Plan plan;
  plan.mesh = {{"pp", pp}, {"dp", dp}, {"cp", 1}, {"tp", tp}};
  return plan;
}

TEST(FileMemory, Fp32IsDrawnInPlace) {
  Plan plan = planOn(1, 1, 1);
  plan.buffers = {weight(plan, Role::Param, DType::F32, {6, 4}, {})};
  EXPECT_EQ(fileMemoryOf({{plan}}, 0), (FileMemory{0, 0, 6 * 4 * 4, 0, 0}));
}

TEST(FileMemory, OtherTypesAreDrawnInPieces) {
  Plan plan = planOn(1, 1, 1);
  plan.buffers = {weight(plan, Role::Param, DType::BF16, {6, 4}, {})};
  EXPECT_EQ(fileMemoryOf({{plan}}, 0)->drawBytes, 6 * 4 * 4);
  // 16 Mi elements: 8 rows of them at once, the last piece is smaller.
  plan.buffers = {
      weight(plan, Role::Param, DType::BF16, {20, int64_t(2) << 20}, {})};
  EXPECT_EQ(fileMemoryOf({{plan}}, 0)->drawBytes, int64_t(64) << 20);
  plan.buffers[0].init.kind = Init::Kind::None;
  EXPECT_EQ(fileMemoryOf({{plan}}, 0)->drawBytes, 0);
}

TEST(FileMemory, PartsWithoutTheirPaddingAreCopiedToBeSaved) {
  Plan plan = planOn(1, 1, 2);
  // Of 3 columns rank 1 has one of two: rows of it are apart. Of 3 rows it has
  // the first: in one piece.
  plan.buffers = {
      weight(plan, Role::Param, DType::BF16, {5, 3}, {{}, {"tp"}}),
      weight(plan, Role::Master, DType::F32, {5, 3}, {{}, {"tp"}}),
      weight(plan, Role::OptState, DType::F32, {5, 3}, {{}, {"tp"}}),
      weight(plan, Role::Grad, DType::F32, {5, 3}, {{}, {"tp"}}),
      weight(plan, Role::Param, DType::F32, {3, 5}, {{"tp"}, {}}, "v")};
  EXPECT_EQ(fileMemoryOf({{plan}}, 0)->saveBytes, 5 * 1 * (2 + 4 + 4));
}

TEST(FileMemory, OneOfEqualPartsIsSaved) {
  Plan plan = planOn(1, 2, 2);
  plan.buffers = {weight(plan, Role::Param, DType::F32, {5, 3}, {{}, {"tp"}})};
  EXPECT_EQ(fileMemoryOf({{plan}}, 0)->saveBytes, 5 * 4);
  // Only padding: nothing.
  plan.buffers = {weight(plan, Role::Param, DType::F32, {5, 1}, {{}, {"tp"}})};
  EXPECT_EQ(fileMemoryOf({{plan}}, 0)->saveBytes, 0);
}

TEST(FileMemory, TheOwnerOfATiedWeightSavesIt) {
  Plan first = planOn(2, 1, 2), last = first;
  first.buffers = {
      weight(first, Role::Param, DType::F32, {5, 3}, {{}, {"tp"}})};
  last.buffers = first.buffers;
  EXPECT_EQ(fileMemoryOf({{first, last}}, 0)->saveBytes, 5 * 4);
  EXPECT_EQ(fileMemoryOf({{first, last}}, 1)->saveBytes, 0);
  EXPECT_EQ(fileMemoryOf({{first, last}}, 1)->reshardBytes, 5 * 2 * 4);
}

TEST(FileMemory, RanksTellOfTheirFiles) {
  // What the second rank says of "w", f32 [5,3] at [0,2] of shape [5,1].
  const std::string entry = R"(  "w": [
   {
    "file": "model/dp_rank_00_tp_rank_01_pp_rank_00.pt",
    "dtype": "f32",
    "logical_shape": [
     5,
     3
    ],
    "slice_start": [
     0,
     2
    ],
    "shape": [
     5,
     1
    ]
   }
  ],
)";
  Plan plan = planOn(1, 1, 2);
  int64_t nothing = fileMemoryOf({{plan}}, 0)->tellBytes;
  EXPECT_GT(nothing, 0);
  plan.buffers = {weight(plan, Role::Param, DType::F32, {5, 3}, {{}, {"tp"}})};
  // Its own, and those of both. Numbers are taken to have a comma each.
  EXPECT_NEAR(fileMemoryOf({{plan}}, 0)->tellBytes - nothing,
              3 * int64_t(entry.size()), 3 * 4);
  // With dp the second rank has nothing to write of what both hold.
  Plan copies = planOn(1, 2, 1);
  copies.buffers = {weight(copies, Role::Param, DType::F32, {5, 3}, {})};
  EXPECT_EQ(fileMemoryOf({{copies}}, 0)->tellBytes, nothing);
}

TEST(FileMemory, IsKnownOnTheCpuOnly) {
  Plan plan = planOn(1, 1, 1);
  plan.device = "cuda";
  EXPECT_EQ(fileMemoryOf({{plan}}, 0), std::nullopt);
}

} // namespace
} // namespace nxdt::plan
