//===- InitWeightsTest.cpp - draws depend on what they are for only -*- C++
//-*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "runtime/Executor/InitWeights.h"
#include "runtime/Executor/Philox.h"

#include "ATen/Parallel.h"
#include "ATen/TensorOperators.h"
#include "ATen/core/PhiloxRNGEngine.h"
#include "ATen/ops/empty.h"
#include "ATen/ops/equal.h"
#include "ATen/ops/full.h"
#include "ATen/ops/zeros.h"

#include <cmath>
#include <gtest/gtest.h>

namespace nxdt::runtime {
namespace {

plan::Buffer whole(std::vector<int64_t> shape, std::string param = "w") {
  plan::Buffer out;
  out.param = std::move(param);
  out.shape = out.logicalShape = shape;
  return out;
}

using Slices = std::vector<plan::DimSlice>;

const plan::Init kNormal = {plan::Init::Kind::Normal, 0.5, 2.0};

at::Tensor drawn(const plan::Buffer &buffer, const Slices &place,
                 const plan::Init &init, int64_t seed, at::ScalarType type) {
  std::vector<int64_t> shape;
  for (const plan::DimSlice &dim : place)
    shape.push_back(dim.size);
  at::Tensor out = at::full(shape, -7.0, type);
  initWeights(out, buffer, place, init, seed);
  return out;
}

at::Tensor drawn(const plan::Buffer &buffer, const plan::Init &init = kNormal,
                 int64_t seed = 1, at::ScalarType type = at::kFloat) {
  return drawn(buffer, plan::sliceOf(buffer, plan::Mesh::nxd(1, 1, 1, 1), 0),
               init, seed, type);
}

at::Tensor drawn(const plan::Buffer &buffer, const Slices &place) {
  return drawn(buffer, place, kNormal, 1, at::kFloat);
}

TEST(Philox, KnownVectors) {
  // Of the paper's authors (Random123, kat_vectors).
  EXPECT_EQ(philox({0, 0, 0, 0}, {0, 0}),
            (PhiloxCounter{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
                   {0xffffffff, 0xffffffff}),
            (PhiloxCounter{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
                   {0xa4093822, 0x299f31d0}),
            (PhiloxCounter{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, EqualsLibtorchs) {
  at::philox_engine engine(/*seed=*/0x123456789abcdef0, /*subsequence=*/77,
                           /*offset=*/5);
  PhiloxCounter bits = philox({5, 0, 77, 0}, {0x9abcdef0, 0x12345678});
  for (uint32_t expected : bits)
    EXPECT_EQ(engine(), expected);
}

TEST(InitWeights, SlicesEqualTheWhole) {
  at::Tensor all = drawn(whole({7, 5, 6}));
  for (int64_t a : {0, 3})
    for (int64_t b : {0, 2})
      for (int64_t c : {0, 1, 3}) {
        EXPECT_TRUE(at::equal(
            drawn(whole({7, 5, 6}), {{a, 4, 4}, {b, 3, 3}, {c, 3, 3}}),
            all.narrow(0, a, 4).narrow(1, b, 3).narrow(2, c, 3)))
            << a << b << c;
      }
}

TEST(InitWeights, PaddingIsZeroAndChangesNothing) {
  at::Tensor all = drawn(whole({5, 6}));
  at::Tensor out = drawn(whole({5, 6}), {{0, 8, 5}, {0, 9, 6}});
  EXPECT_TRUE(at::equal(out.narrow(0, 0, 5).narrow(1, 0, 6), all));
  EXPECT_TRUE(at::equal(out.narrow(0, 5, 3), at::zeros({3, 9})));
  EXPECT_TRUE(at::equal(out.narrow(1, 6, 3), at::zeros({8, 3})));
  EXPECT_TRUE(at::equal(drawn(whole({5, 6}), {{5, 8, 0}, {0, 9, 6}}),
                        at::zeros({8, 9})));
}

TEST(InitWeights, NestedSplitsTogetherAreTheWhole) {
  // 7 rows over tp 2 and then dp 3: 4 and 3 rows, each in parts of 2.
  plan::Mesh mesh = plan::Mesh::nxd(1, 3, 1, 2);
  plan::Buffer part = whole({7, 5});
  part.split = {{"tp", "dp"}, {}};
  at::Tensor all = drawn(whole({7, 5}));
  at::Tensor seen = at::zeros({7, 5});
  for (int64_t rank = 0; rank < 6; ++rank) {
    Slices place = plan::sliceOf(part, mesh, rank);
    at::Tensor local = drawn(part, place);
    ASSERT_EQ(local.size(0), 2);
    const plan::DimSlice &rows = place[0];
    EXPECT_TRUE(at::equal(local.narrow(0, rows.valid, 2 - rows.valid),
                          at::zeros({2 - rows.valid, 5})));
    seen.narrow(0, rows.start, rows.valid).add_(local.narrow(0, 0, rows.valid));
  }
  EXPECT_TRUE(at::equal(seen, all));
}

TEST(InitWeights, ThreadsChangeNothing) {
  int threads = at::get_num_threads();
  at::set_num_threads(1);
  at::Tensor one = drawn(whole({300, 400}));
  at::set_num_threads(3);
  at::Tensor three = drawn(whole({300, 400}));
  at::set_num_threads(threads);
  EXPECT_TRUE(at::equal(one, three));
}

TEST(InitWeights, SeedAndNameMatter) {
  at::Tensor base = drawn(whole({64}));
  EXPECT_TRUE(at::equal(base, drawn(whole({64}))));
  for (const at::Tensor &other :
       {drawn(whole({64}), kNormal, 2), drawn(whole({64}, "v"))})
    EXPECT_EQ((base == other).sum().item<int64_t>(), 0);
}

TEST(InitWeights, NormalMoments) {
  at::Tensor z = (drawn(whole({1000, 1000})).to(at::kDouble) - 0.5) / 2.0;
  double n = 1e6;
  EXPECT_NEAR(z.mean().item<double>(), 0.0, 5 / std::sqrt(n));
  EXPECT_NEAR(z.pow(2).mean().item<double>(), 1.0, 5 * std::sqrt(2 / n));
  EXPECT_NEAR(z.pow(3).mean().item<double>(), 0.0, 5 * std::sqrt(15 / n));
  EXPECT_NEAR(z.pow(4).mean().item<double>(), 3.0, 5 * std::sqrt(96 / n));
  // Neighbours, and the two of a Box-Muller pair, are not correlated.
  for (int64_t shift : {1, 2, 3, 4})
    EXPECT_NEAR(
        (z.view(-1).narrow(0, 0, 999996) * z.view(-1).narrow(0, shift, 999996))
            .mean()
            .item<double>(),
        0.0, 5 / std::sqrt(n));
}

TEST(InitWeights, UniformAndConstant) {
  plan::Init uniform = {plan::Init::Kind::Uniform, -1.0, 3.0};
  at::Tensor u = drawn(whole({1000, 100}), uniform);
  EXPECT_GE(u.min().item<float>(), -1.0f);
  EXPECT_LE(u.max().item<float>(), 3.0f);
  EXPECT_NEAR(u.mean().item<float>(), 1.0, 0.02);
  EXPECT_NEAR(u.var().item<float>(), 16.0 / 12, 0.03);
  plan::Init constant = {plan::Init::Kind::Constant, 0.25, 0.0};
  EXPECT_TRUE(
      at::equal(drawn(whole({3, 4}), constant), at::full({3, 4}, 0.25f)));
  EXPECT_TRUE(at::equal(drawn(whole({3, 4}), plan::Init()), at::zeros({3, 4})));
  EXPECT_EQ(drawn(whole({}), constant).item<float>(), 0.25f);
}

TEST(InitWeights, OtherTypesAreRoundedFromFp32) {
  at::Tensor full = drawn(whole({40, 50}));
  for (at::ScalarType type : {at::kBFloat16, at::kHalf, at::kDouble})
    EXPECT_TRUE(
        at::equal(drawn(whole({40, 50}), kNormal, 1, type), full.to(type)));
}

} // namespace
} // namespace nxdt::runtime
