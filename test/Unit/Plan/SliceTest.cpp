//===- SliceTest.cpp - which part of a tensor a rank holds ------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "nxdt/Plan/Slice.h"
#include "nxdt/Support/UserError.h"

#include <gtest/gtest.h>

namespace nxdt::plan {
namespace {

TEST(Slice, CeilOnOneAxis) {
  Mesh mesh = Mesh::nxd(1, 1, 1, 4);
  // 5 in parts of 2: 2, 2, 1, 0.
  EXPECT_EQ(sliceDim(5, {"tp"}, mesh, 0), (DimSlice{0, 2, 2}));
  EXPECT_EQ(sliceDim(5, {"tp"}, mesh, 1), (DimSlice{2, 2, 2}));
  EXPECT_EQ(sliceDim(5, {"tp"}, mesh, 2), (DimSlice{4, 2, 1}));
  EXPECT_EQ(sliceDim(5, {"tp"}, mesh, 3), (DimSlice{5, 2, 0}));
  EXPECT_EQ(sliceDim(5, {}, mesh, 3), (DimSlice{0, 5, 5}));
  EXPECT_EQ(sliceDim(0, {"tp"}, mesh, 1), (DimSlice{0, 0, 0}));
}

TEST(Slice, NestedAxesAreMajorToMinor) {
  // 5 over tp 2 = 3 and 2; then over dp 4: parts of 1, the last ones empty.
  Mesh mesh = Mesh::nxd(1, 4, 1, 2);
  std::vector<DimSlice> expected = {{0, 1, 1}, {3, 1, 1}, {1, 1, 1}, {4, 1, 1},
                                    {2, 1, 1}, {5, 1, 0}, {5, 1, 0}, {5, 1, 0}};
  for (int64_t rank = 0; rank < 8; ++rank)
    EXPECT_EQ(sliceDim(5, {"tp", "dp"}, mesh, rank), expected[rank]) << rank;
}

TEST(Slice, PartsOfAnAxis) {
  // Two kv heads on tp 4: neighbours share one.
  Mesh mesh = Mesh::nxd(1, 1, 1, 4);
  for (int64_t rank = 0; rank < 4; ++rank)
    EXPECT_EQ(sliceDim(2, {"tp:(1)2"}, mesh, rank), (DimSlice{rank / 2, 1, 1}));
}

TEST(Slice, EveryElementLiesInExactlyOnePart) {
  for (int64_t dp : {1, 2, 3})
    for (int64_t tp : {1, 2, 4})
      for (int64_t size = 0; size < 30; ++size)
        for (const Axes &axes :
             {Axes{"tp"}, Axes{"tp", "dp"}, Axes{"dp", "tp"}}) {
          Mesh mesh = Mesh::nxd(1, dp, 1, tp);
          std::vector<int> holders(size);
          for (int64_t rank = 0; rank < mesh.size(); ++rank) {
            DimSlice slice = sliceDim(size, axes, mesh, rank);
            ASSERT_LE(slice.valid, slice.size);
            ASSERT_LE(slice.start + slice.valid, size);
            for (int64_t i = 0; i < slice.valid; ++i)
              ++holders[slice.start + i];
          }
          // Ranks along an axis that splits nothing hold the same.
          int copies = axes.size() == 1 ? int(dp) : 1;
          EXPECT_EQ(holders, std::vector<int>(size, copies))
              << size << " dp " << dp << " tp " << tp;
        }
}

TEST(Slice, UnknownAxes) {
  Mesh mesh = Mesh::nxd(1, 1, 1, 4);
  EXPECT_THROW(sliceDim(5, {"ep"}, mesh, 0), UserError);
  EXPECT_THROW(sliceDim(5, {"dp,tp"}, mesh, 0), UserError);
}

TEST(Mesh, IndexInAGroup) {
  Mesh mesh = Mesh::nxd(1, 2, 1, 8);
  for (const char *text : {"tp", "dp", "dp,tp", "tp,dp", "tp:(2)4", "tp:(1)2",
                           "tp:(4)2,dp,tp:(1)2"}) {
    GroupSpec spec = parseGroupSpec(text);
    for (int64_t rank = 0; rank < mesh.size(); ++rank) {
      std::vector<int64_t> ranks = groupRanks(mesh, spec, rank);
      EXPECT_EQ(int64_t(ranks.size()), groupSize(mesh, spec)) << text;
      EXPECT_EQ(ranks.at(groupIndex(mesh, spec, rank)), rank) << text;
    }
  }
}

} // namespace
} // namespace nxdt::plan
