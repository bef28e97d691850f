//===- SimulateTest.cpp - what a comparison sees -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "runtime/Simulate/Findings.h"
#include "runtime/Simulate/Tensors.h"

#include "ATen/ops/arange.h"
#include "ATen/ops/zeros.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>

namespace nxdt::runtime {
namespace {

const plan::Mesh kMesh{{{"dp", 2}, {"tp", 2}}};

/// [5, 4] over tp in its rows (parts of 3, the last with a row of padding),
/// one term of a sum on each dp rank.
Layout layoutOf(plan::Reduction reduction = plan::Reduction::Sum) {
  plan::Origin origin;
  origin.name = "x";
  origin.logicalShape = {5, 4};
  origin.split = {{"tp"}, {}};
  origin.partial = {"dp"};
  origin.reduction = reduction;
  return Layout(origin);
}

at::Tensor whole() { return at::arange(20, at::kFloat).view({5, 4}).add(1); }

/// What each rank holds: dp 0 has 1.5 times the part, dp 1 -0.5 times.
std::vector<at::Tensor> parts(double first = 1.5, double second = -0.5) {
  std::vector<at::Tensor> out;
  for (double factor : {first, second}) {
    out.push_back(whole().narrow(0, 0, 3).mul(factor));
    at::Tensor last = at::zeros({3, 4});
    last.narrow(0, 0, 2).copy_(whole().narrow(0, 3, 2).mul(factor));
    out.push_back(last);
  }
  return out;
}

TensorOf from(const std::vector<at::Tensor> &tensors) {
  return [&tensors](int64_t rank) { return tensors[size_t(rank)]; };
}

Apart compare(const std::vector<at::Tensor> &tensors,
              Layout layout = layoutOf(), Tolerance allowed = 1e-5) {
  return compareWithWhole(layout, kMesh, from(tensors), whole(), allowed);
}

TEST(Simulate, TermsAddUpAndPaddingDoesNotCount) {
  std::vector<at::Tensor> tensors = parts();
  EXPECT_EQ(compare(tensors).relative, 0.0);
  tensors[1][2].fill_(7); // padding
  EXPECT_EQ(compare(tensors).relative, 0.0);
  // 2 of 20, the largest element.
  tensors[3][0][1] += 2;
  Apart apart = compare(tensors);
  EXPECT_DOUBLE_EQ(apart.relative, 0.1);
  EXPECT_EQ(apart.rank, 1);
  EXPECT_EQ(apart.beyond, 1);
  EXPECT_EQ(layoutOf().text(), "[[tp], []], partial [dp]");
}

TEST(Simulate, AMaximumIsNoSum) {
  std::vector<at::Tensor> tensors = parts(1.0, 0.5);
  EXPECT_GT(compare(tensors).relative, 0.4);
  EXPECT_EQ(compare(tensors, layoutOf(plan::Reduction::Max)).relative, 0.0);
}

TEST(Simulate, InfinitiesAndNaNs) {
  constexpr float inf = std::numeric_limits<float>::infinity();
  Layout scalar{plan::Buffer()};
  auto apart = [&](float a, float b) {
    at::Tensor part = at::zeros({}).fill_(a), all = at::zeros({}).fill_(b);
    return compareWithWhole(
               scalar, kMesh, [&](int64_t) { return part; }, all, 1e-5)
        .relative;
  };
  EXPECT_EQ(apart(inf, inf), 0.0);
  EXPECT_EQ(apart(NAN, NAN), 0.0);
  EXPECT_EQ(apart(inf, -inf), inf);
  EXPECT_EQ(apart(NAN, 1), inf);
  EXPECT_EQ(apart(1, NAN), inf);
  EXPECT_EQ(apart(1e-30f, 0), inf); // nothing to be relative to
  EXPECT_EQ(apart(0, 0), 0.0);
}

TEST(Simulate, AnotherShapeIsApart) {
  std::vector<at::Tensor> tensors = parts();
  for (at::Tensor &tensor : tensors)
    tensor = tensor.view({12});
  EXPECT_TRUE(std::isinf(compare(tensors).relative));
}

TEST(Simulate, AFewElementsMayBeFurtherApart) {
  Tolerance allowed(1e-5, 1e-3);
  EXPECT_TRUE(allowed.holds({9e-4, 0, Tolerance::kFew}));
  EXPECT_FALSE(allowed.holds({9e-4, 0, Tolerance::kFew + 1}));
  EXPECT_FALSE(allowed.holds({2e-3, 0, 1}));
  EXPECT_TRUE(allowed.holds({1e-5, 0, 0}));
  EXPECT_FALSE(Tolerance(1e-5).holds({2e-5, 0, 1}));
}

TEST(Simulate, ReplicasHaveTheSameBits) {
  Layout layout = layoutOf();
  layout.buffer.partial = {};
  std::vector<at::Tensor> tensors = parts(1.0, 1.0);
  using Pair = std::pair<int64_t, int64_t>;
  EXPECT_EQ(replicasApart(layout, kMesh, from(tensors)), Pair(-1, -1));
  tensors[3][1][2] += 1e-6;
  EXPECT_EQ(replicasApart(layout, kMesh, from(tensors)), Pair(1, 3));
  // Terms of a sum are no replicas.
  EXPECT_EQ(replicasApart(layoutOf(), kMesh, from(tensors)), Pair(-1, -1));
}

TEST(Simulate, PaddingIsZero) {
  std::vector<at::Tensor> tensors = parts();
  EXPECT_EQ(paddingNotZero(layoutOf(), kMesh, from(tensors)), -1);
  tensors[1][1].fill_(3); // a row that counts
  EXPECT_EQ(paddingNotZero(layoutOf(), kMesh, from(tensors)), -1);
  tensors[3][2][3] = 1e-30;
  EXPECT_EQ(paddingNotZero(layoutOf(), kMesh, from(tensors)), 3);
}

TEST(Simulate, FindingsKeepTheLargestAndTheFirst) {
  Findings found;
  found.setStep(1);
  EXPECT_FALSE(found.note("gradients", "a", {2e-6, 1, 0}, 1e-5));
  EXPECT_FALSE(found.first());
  EXPECT_TRUE(found.note("gradients", "b", {2e-5, 2, 1}, 1e-5));
  found.setStep(2);
  EXPECT_FALSE(found.note("gradients", "c", {0.5, 3, 1}, 1e-5));
  EXPECT_FALSE(found.noteExact("replicas", "d", 1, false));
  EXPECT_EQ(found.first()->text,
            "gradients of b in step 1, rank 2: apart by 2.0e-05 of the largest "
            "element (allowed are 1.0e-05)");
  EXPECT_EQ(found.table(),
            "  gradients          5.0e-01       3 compared, 2 too far apart; "
            "largest c, step 2, rank 3\n"
            "  replicas           apart         1 compared, 1 too far apart; "
            "first d, step 2, rank 1\n");
}

} // namespace
} // namespace nxdt::runtime
