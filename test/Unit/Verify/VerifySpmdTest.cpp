//===- VerifySpmdTest.cpp - small plans, right and wrong ------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "nxdt/Verify/VerifySpmd.h"
#include "nxdt/Support/UserError.h"
#include "test/Unit/Executor/PlanBuilder.h"

#include <gtest/gtest.h>
#include <limits>
#include <optional>
#include <random>

namespace nxdt::plan {
namespace {

/// dp 2 x tp 4: x [8, 16] replicated, d [8/dp, 16], c [8, 16/tp], p a term over
/// tp, of all of them in the dtype f32.
PlanBuilder builder() {
  PlanBuilder b;
  b.plan.mesh = {{"pp", 1}, {"dp", 2}, {"cp", 1}, {"tp", 4}};
  b.shard("x", {8, 16}, {{}, {}});
  b.shard("d", {8, 16}, {{"dp"}, {}});
  b.shard("c", {8, 16}, {{}, {"tp"}});
  b.shard("p", {8, 16}, {{}, {}});
  b.plan.buffers.back().partial = {"tp"};
  b.shard("s", {}, {});
  b.program("f");
  return b;
}

std::string said(const PlanBuilder &b) {
  try {
    verifySpmd(b.plan, "plan");
  } catch (const UserError &error) {
    return error.what();
  }
  return "";
}

/// What is said of the last instruction, without its place.
std::string complaint(const PlanBuilder &b) {
  std::string text = said(b);
  size_t at = text.find("instruction");
  at = text.find(": ", at);
  return at == std::string::npos ? text : text.substr(at + 2);
}

void copy(PlanBuilder &b, const std::string &to, ValueRef from) {
  b.call("aten::copy_", {b.use(to), from, false}, {});
}

TEST(VerifySpmd, SplitsAndSumsAddUp) {
  PlanBuilder b = builder();
  // c * c over tp, summed over the split dimension: a term.
  ValueRef square = b.temporary(DType::F32, {8, 4});
  b.call("aten::mul.Tensor", {b.use("c"), b.use("c")}, {square});
  ValueRef sum = b.temporary(DType::F32, {});
  b.call("aten::sum", {square, None{}}, {sum});
  ValueRef whole = b.temporary(DType::F32, {});
  b.collective(Collective::AllReduce, sum, whole, {"tp"});
  copy(b, "s", whole);
  EXPECT_EQ(said(b), "");
}

TEST(VerifySpmd, ForgottenSum) {
  PlanBuilder b = builder();
  ValueRef sum = b.temporary(DType::F32, {});
  b.call("aten::sum", {b.use("c"), None{}}, {sum});
  copy(b, "s", sum);
  EXPECT_EQ(complaint(b),
            "writes what is a term of a sum over [tp] to buffer 's', which is "
            "whole on every rank");
}

TEST(VerifySpmd, SumsTwice) {
  PlanBuilder b = builder();
  ValueRef once = b.temporary(DType::F32, {8, 16});
  ValueRef twice = b.temporary(DType::F32, {8, 16});
  b.collective(Collective::AllReduce, b.use("p"), once, {"tp"});
  b.collective(Collective::AllReduce, once, twice, {"tp"});
  EXPECT_EQ(complaint(b),
            "sums values that are not terms of a sum over [tp]: counts them "
            "once for each rank (the operand is whole on every rank)");
}

TEST(VerifySpmd, SumOverOtherAxes) {
  PlanBuilder b = builder();
  ValueRef out = b.temporary(DType::F32, {8, 16});
  b.collective(Collective::AllReduce, b.use("p"), out, {"dp", "tp"});
  EXPECT_NE(complaint(b).find("not terms of a sum over [dp]"),
            std::string::npos);
}

TEST(VerifySpmd, SumOfParts) {
  PlanBuilder b = builder();
  ValueRef out = b.temporary(DType::F32, {8, 4});
  b.collective(Collective::AllReduce, b.use("c"), out, {"tp"});
  EXPECT_EQ(complaint(b), "takes the sum over [tp] of what is split over [tp] "
                          "in dimension 1");
}

TEST(VerifySpmd, PartOfASumThatSomeAxesHaveOnly) {
  // A sum over half of the axis leaves one over the other half.
  PlanBuilder b = builder();
  ValueRef half = b.temporary(DType::F32, {8, 16});
  b.collective(Collective::AllReduce, b.use("p"), half, {"tp:(1)2"});
  copy(b, "x", half);
  EXPECT_EQ(complaint(b), "writes what is a term of a sum over [tp:(2)2] to "
                          "buffer 'x', which is whole on every rank");
  PlanBuilder both = builder();
  ValueRef first = both.temporary(DType::F32, {8, 16});
  ValueRef second = both.temporary(DType::F32, {8, 16});
  both.collective(Collective::AllReduce, both.use("p"), first, {"tp:(1)2"});
  both.collective(Collective::AllReduce, first, second, {"tp:(2)2"});
  copy(both, "x", second);
  EXPECT_EQ(said(both), "");
}

TEST(VerifySpmd, GathersAlongTheDimensionThatIsSplit) {
  PlanBuilder b = builder();
  ValueRef out = b.temporary(DType::F32, {8, 16});
  b.collective(Collective::AllGather, b.use("c"), out, {"tp"}, 1);
  copy(b, "x", out);
  EXPECT_EQ(said(b), "");
  PlanBuilder wrong = builder();
  out = wrong.temporary(DType::F32, {32, 4});
  wrong.collective(Collective::AllGather, wrong.use("c"), out, {"tp"}, 0);
  EXPECT_EQ(complaint(wrong), "gathers over [tp] along dimension 0 what is "
                              "split over [tp] in dimension 1");
}

TEST(VerifySpmd, CutsWhatIsWholeOnly) {
  PlanBuilder b = builder();
  ValueRef out = b.temporary(DType::F32, {8, 4});
  b.collective(Collective::AllSlice, b.use("p"), out, {"tp"}, 1);
  EXPECT_EQ(complaint(b), "cuts over [tp] what is a term of a sum over [tp]: "
                          "ranks would take parts of different things");
}

TEST(VerifySpmd, TermsReachLinearOperatorsOnly) {
  PlanBuilder b = builder();
  ValueRef out = b.temporary(DType::F32, {8, 16});
  b.call("aten::exp", {b.use("p")}, {out});
  EXPECT_EQ(complaint(b), "is not linear in operand 0 (a term of a sum over "
                          "[tp]): reduce it first");
  PlanBuilder product = builder();
  out = product.temporary(DType::F32, {8, 16});
  product.call("aten::mul.Tensor", {product.use("p"), product.use("p")}, {out});
  EXPECT_EQ(complaint(product), "multiplies terms of sums: the product of sums "
                                "is not the sum of products");
  PlanBuilder added = builder();
  out = added.temporary(DType::F32, {8, 16});
  added.call("aten::add.Tensor", {added.use("p"), added.use("x"), int64_t(1)},
             {out});
  EXPECT_NE(complaint(added).find("it would count once for each rank"),
            std::string::npos);
  PlanBuilder unknown = builder();
  out = unknown.temporary(DType::F32, {8, 16});
  unknown.call("my::op", {unknown.use("p")}, {out});
  EXPECT_NE(complaint(unknown).find("not known to be linear"),
            std::string::npos);
}

TEST(VerifySpmd, LinearOperatorsKeepTerms) {
  PlanBuilder b = builder();
  ValueRef out = b.temporary(DType::F32, {8, 16});
  b.call("aten::mul.Scalar", {b.use("p"), 2.0}, {out});
  b.call("aten::add_.Tensor", {b.use("p"), out, int64_t(1)}, {});
  EXPECT_EQ(said(b), "");
}

TEST(VerifySpmd, MixesParts) {
  PlanBuilder b = builder();
  b.shard("r", {32, 16}, {{"tp"}, {}});
  ValueRef out = b.temporary(DType::F32, {8, 16});
  b.call("aten::add.Tensor", {b.use("x"), b.use("r"), int64_t(1)}, {out});
  EXPECT_EQ(complaint(b),
            "dimension 0 lies in two ways: 8, and 8 of 32 over [tp]");
}

TEST(VerifySpmd, DiagonalBlocks) {
  PlanBuilder b = builder();
  b.shard("rows", {32, 16}, {{"tp"}, {}});
  b.shard("columns", {16, 32}, {{}, {"tp"}});
  ValueRef out = b.temporary(DType::F32, {8, 8});
  b.call("aten::mm", {b.use("rows"), b.use("columns")}, {out});
  EXPECT_EQ(complaint(b), "would give each rank a diagonal block: [tp] splits "
                          "its operands twice");
}

TEST(VerifySpmd, ContractionsAreTerms) {
  PlanBuilder b = builder();
  b.shard("w", {16, 8}, {{"tp"}, {}});
  b.shard("y", {8, 8}, {{}, {}});
  ValueRef out = b.temporary(DType::F32, {8, 8});
  b.call("aten::mm", {b.use("c"), b.use("w")}, {out});
  copy(b, "y", out);
  EXPECT_NE(complaint(b).find("a term of a sum over [tp]"), std::string::npos);
}

TEST(VerifySpmd, NormOfAPart) {
  PlanBuilder b = builder();
  ValueRef norm = b.temporary(DType::F32, {});
  b.call("aten::linalg_vector_norm",
         {b.use("c"), int64_t(2), None{}, false, DType::F32}, {norm});
  ValueRef square = b.temporary(DType::F32, {});
  ValueRef whole = b.temporary(DType::F32, {});
  b.call("aten::pow.Tensor_Scalar", {norm, int64_t(2)}, {square});
  b.collective(Collective::AllReduce, square, whole, {"tp"});
  copy(b, "s", whole);
  EXPECT_EQ(said(b), "");
  // A sum of norms is not the norm of the sum.
  PlanBuilder wrong = builder();
  norm = wrong.temporary(DType::F32, {});
  wrong.call("aten::linalg_vector_norm",
             {wrong.use("c"), int64_t(2), None{}, false, DType::F32}, {norm});
  whole = wrong.temporary(DType::F32, {});
  wrong.collective(Collective::AllReduce, norm, whole, {"tp"});
  EXPECT_NE(said(wrong), "");
}

TEST(VerifySpmd, AnUnknownOperatorsResultGoesNowhere) {
  PlanBuilder b = builder();
  ValueRef out = b.temporary(DType::F32, {8, 4});
  b.call("my::op", {b.use("c")}, {out});
  copy(b, "c", out);
  EXPECT_EQ(complaint(b), "writes what is different over [tp] to buffer 'c', "
                          "which is split over [tp] in dimension 1");
  // Of what is whole it makes something whole.
  PlanBuilder whole = builder();
  out = whole.temporary(DType::F32, {8, 16});
  whole.call("my::op", {whole.use("x")}, {out});
  copy(whole, "x", out);
  EXPECT_EQ(said(whole), "");
}

TEST(VerifySpmd, ZerosAreATerm) {
  PlanBuilder b = builder();
  b.call("aten::fill_.Scalar", {b.use("p"), 0.0}, {});
  EXPECT_EQ(said(b), "");
  PlanBuilder ones = builder();
  ones.call("aten::fill_.Scalar", {ones.use("p"), 1.0}, {});
  EXPECT_NE(complaint(ones).find("to buffer 'p'"), std::string::npos);
}

//===----------------------------------------------------------------------===//
// Padding: 10 columns over tp 4 are 3, 3, 3 and 1
//===----------------------------------------------------------------------===//

/// Bools [3]: what of the rank's columns lies beyond the tenth (`columns`).
ValueRef outside(PlanBuilder &b, int64_t columns = 10) {
  ValueRef index = b.temporary(DType::I64, {3});
  ValueRef start = b.temporary(DType::I64, {});
  ValueRef place = b.temporary(DType::I64, {3});
  ValueRef mask = b.temporary(DType::Bool, {3});
  b.call("aten::arange", {int64_t(3), DType::I64, None{}, DeviceArg{}, None{}},
         {index});
  b.call("aten::mul.Scalar", {b.use("rank"), int64_t(3)}, {start});
  b.call("aten::add.Tensor", {index, start, int64_t(1)}, {place});
  b.call("aten::ge.Scalar", {place, columns}, {mask});
  return mask;
}

PlanBuilder padded() {
  PlanBuilder b;
  b.plan.mesh = {{"pp", 1}, {"dp", 1}, {"cp", 1}, {"tp", 4}};
  b.shard("u", {8, 10}, {{}, {"tp"}});
  b.shard("s", {}, {});
  b.buffer("rank", DType::I64, {}, Role::Coordinate);
  b.plan.buffers.back().coordinate = {"tp"};
  b.program("f");
  return b;
}

/// The sum of exp(u), and whether its padding is masked: by what.
std::string sumOfExp(std::optional<double> fill, int64_t columns = 10) {
  PlanBuilder b = padded();
  ValueRef value = b.temporary(DType::F32, {8, 3});
  b.call("aten::exp", {b.use("u")}, {value});
  if (fill) {
    ValueRef masked = b.temporary(DType::F32, {8, 3});
    b.call("aten::masked_fill.Scalar", {value, outside(b, columns), *fill},
           {masked});
    value = masked;
  }
  ValueRef sum = b.temporary(DType::F32, {});
  ValueRef whole = b.temporary(DType::F32, {});
  b.call("aten::sum", {value, None{}}, {sum});
  b.collective(Collective::AllReduce, sum, whole, {"tp"});
  copy(b, "s", whole);
  return complaint(b);
}

TEST(VerifySpmd, PaddingIsMaskedBeforeSums) {
  EXPECT_EQ(sumOfExp(0.0), "");
  EXPECT_NE(sumOfExp(std::nullopt).find("sums what lies in the padding"),
            std::string::npos);
  EXPECT_NE(sumOfExp(1.0).find("sums what lies in the padding"),
            std::string::npos);
  // A mask of another size is no mask of padding.
  EXPECT_NE(sumOfExp(0.0, 9), "");
}

/// 24 rows over tp are 6 for each, over dp then 2, 2, 2 and 0: the mask asks
/// for dp only. One for other rows is none.
TEST(VerifySpmd, PaddingOfAMinorAxis) {
  for (int64_t rows : {6, 5}) {
    PlanBuilder b;
    b.plan.mesh = {{"pp", 1}, {"dp", 4}, {"cp", 1}, {"tp", 4}};
    b.shard("w", {24}, {{"tp", "dp"}});
    b.buffer("dp", DType::I64, {}, Role::Coordinate);
    b.plan.buffers.back().coordinate = {"dp"};
    b.program("f");
    ValueRef index = b.temporary(DType::I64, {2});
    ValueRef start = b.temporary(DType::I64, {});
    ValueRef place = b.temporary(DType::I64, {2});
    ValueRef mask = b.temporary(DType::Bool, {2});
    ValueRef value = b.temporary(DType::F32, {2});
    ValueRef masked = b.temporary(DType::F32, {2});
    b.call("aten::arange",
           {int64_t(2), DType::I64, None{}, DeviceArg{}, None{}}, {index});
    b.call("aten::mul.Scalar", {b.use("dp"), int64_t(2)}, {start});
    b.call("aten::add.Tensor", {index, start, int64_t(1)}, {place});
    b.call("aten::ge.Scalar", {place, rows}, {mask});
    b.call("aten::exp", {b.use("w")}, {value});
    b.call("aten::masked_fill.Scalar", {value, mask, 0.0}, {masked});
    copy(b, "w", masked);
    EXPECT_EQ(said(b).empty(), rows == 6) << rows << ": " << said(b);
  }
}

TEST(VerifySpmd, PaddingOfBuffersIsZero) {
  PlanBuilder b = padded();
  ValueRef value = b.temporary(DType::F32, {8, 3});
  b.call("aten::exp", {b.use("u")}, {value});
  copy(b, "u", value);
  EXPECT_EQ(complaint(b), "writes to buffer 'u' what is not zero in the "
                          "padding of dimension 1: mask it first");
  // silu(0) = 0, and the padding of u is zero.
  PlanBuilder kept = padded();
  value = kept.temporary(DType::F32, {8, 3});
  kept.call("aten::silu", {kept.use("u")}, {value});
  copy(kept, "u", value);
  EXPECT_EQ(said(kept), "");
}

TEST(VerifySpmd, PaddingIsLowestForMaxima) {
  for (bool isLowest : {true, false}) {
    PlanBuilder b = padded();
    ValueRef masked = b.temporary(DType::F32, {8, 3});
    b.call("aten::masked_fill.Scalar",
           {b.use("u"), outside(b),
            isLowest ? -std::numeric_limits<double>::infinity() : 0.0},
           {masked});
    ValueRef highest = b.temporary(DType::F32, {});
    ValueRef whole = b.temporary(DType::F32, {});
    b.call("aten::amax", {masked, std::vector<int64_t>{0, 1}, false},
           {highest});
    b.collective(Collective::AllReduce, highest, whole, {"tp"}).reduction =
        Reduction::Max;
    copy(b, "s", whole);
    EXPECT_EQ(said(b).empty(), isLowest) << said(b);
  }
}

/// 10 columns with zeros behind them, cut for tp 4, are parts of 10; with ones
/// they are the model's own 12.
TEST(VerifySpmd, PaddingThatIsPutThere) {
  for (auto [fill, columns] : {std::pair{0.0, 10}, {1.0, 10}, {1.0, 12}}) {
    PlanBuilder b;
    b.plan.mesh = {{"pp", 1}, {"dp", 1}, {"cp", 1}, {"tp", 4}};
    b.shard("w", {8, 10}, {{}, {}});
    b.shard("s", {}, {});
    b.shard("u", {8, columns}, {{}, {"tp"}});
    b.program("f");
    ValueRef value = b.temporary(DType::F32, {8, 10});
    ValueRef padded = b.temporary(DType::F32, {8, 12});
    ValueRef part = b.temporary(DType::F32, {8, 3});
    ValueRef both = b.temporary(DType::F32, {8, 3});
    ValueRef sum = b.temporary(DType::F32, {});
    ValueRef whole = b.temporary(DType::F32, {});
    b.call("aten::exp", {b.use("w")}, {value});
    b.call("aten::constant_pad_nd", {value, std::vector<int64_t>{0, 2}, fill},
           {padded});
    b.collective(Collective::AllSlice, padded, part, {"tp"}).dim = 1;
    b.call("aten::add.Tensor", {part, b.use("u"), 1.0}, {both});
    b.call("aten::sum", {both, None{}}, {sum});
    b.collective(Collective::AllReduce, sum, whole, {"tp"});
    copy(b, "s", whole);
    EXPECT_EQ(said(b).empty(), (fill == 0.0) == (columns == 10))
        << fill << " " << columns << ": " << said(b);
  }
}

/// Nobody splits it: what is put behind x is the model's.
TEST(VerifySpmd, PaddingOfTheModel) {
  PlanBuilder b;
  b.plan.mesh = {{"pp", 1}, {"dp", 2}, {"cp", 1}, {"tp", 1}};
  b.shard("d", {8, 10}, {{"dp"}, {}});
  b.shard("e", {8}, {{"dp"}});
  b.program("f");
  ValueRef padded = b.temporary(DType::F32, {4, 12});
  ValueRef value = b.temporary(DType::F32, {4, 12});
  ValueRef sum = b.temporary(DType::F32, {4});
  b.call("aten::constant_pad_nd", {b.use("d"), std::vector<int64_t>{0, 2}, 0.0},
         {padded});
  b.call("aten::exp", {padded}, {value});
  b.call("aten::sum.dim_IntList",
         {value, std::vector<int64_t>{1}, false, None{}}, {sum});
  copy(b, "e", sum);
  EXPECT_EQ(said(b), "");
}

/// Arguments that fit no operand end in a message, not in a crash.
TEST(VerifySpmd, HostileArguments) {
  std::mt19937 random(1);
  const char *ops[] = {"aten::transpose.int",
                       "aten::unsqueeze",
                       "aten::squeeze.dim",
                       "aten::slice.Tensor",
                       "aten::sum.dim_IntList",
                       "aten::softmax.int",
                       "aten::permute",
                       "aten::cat",
                       "aten::select.int",
                       "aten::expand",
                       "aten::embedding",
                       "aten::view",
                       "aten::linear",
                       "aten::mm",
                       "aten::constant_pad_nd",
                       "aten::slice_backward",
                       "aten::embedding_dense_backward",
                       "aten::masked_fill.Scalar",
                       "aten::nll_loss_forward",
                       "aten::_scaled_dot_product_flash_attention_for_cpu",
                       "aten::_scaled_dot_product_flash_attention_for_cpu_"
                       "backward",
                       "aten::_fused_adamw_.tensor_lr",
                       "aten::linalg_vector_norm"};
  auto pick = [&](int n) { return int(random() % n); };
  int refused = 0;
  for (int i = 0; i < 20000; ++i) {
    PlanBuilder b = builder();
    b.shard("v", {0, 3, 5}, {{}, {"dp"}, {}});
    const char *names[] = {"x", "d", "c", "p", "s", "v"};
    std::vector<Arg> args;
    for (int n = pick(8); n >= 0; --n)
      switch (pick(4)) {
      case 0:
        args.push_back(int64_t(pick(9)) - 4);
        break;
      case 1:
        args.push_back(std::vector<int64_t>{pick(5) - 2, pick(5) - 2});
        break;
      case 2:
        args.push_back(std::vector<ValueRef>{b.use(names[pick(6)])});
        break;
      default:
        args.push_back(b.use(names[pick(6)]));
      }
    b.call(ops[pick(std::size(ops))], args,
           {b.temporary(DType::F32,
                        std::vector<int64_t>(pick(5), int64_t(pick(4))))});
    refused += !said(b).empty();
  }
  EXPECT_GT(refused, 1000);
}

} // namespace
} // namespace nxdt::plan
