//===- ExecutorErrorsTest.cpp - plans that do not fit libtorch -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "PlanBuilder.h"
#include "nxdt/Support/UserError.h"
#include "runtime/Executor/Device.h"
#include "runtime/Executor/Executor.h"

#include <functional>
#include <gtest/gtest.h>

namespace nxdt::runtime {
namespace {

using namespace plan;

/// The message of building a program with `build` and, if that works, running
/// it; "" if nothing fails. Buffers: a, b f32 [2,3], i i64 [2], s f32 [].
std::string messageOf(const std::function<void(PlanBuilder &)> &build) {
  PlanBuilder b;
  b.buffer("a", DType::F32, {2, 3});
  b.buffer("b", DType::F32, {2, 3});
  b.buffer("i", DType::I64, {2});
  b.program("p");
  build(b);
  try {
    Executor executor(b.take());
    executor.run("p");
  } catch (const UserError &e) {
    return e.what();
  }
  return "";
}

#define EXPECT_SAYS(part, ...)                                                 \
  do {                                                                         \
    std::string message = messageOf([](PlanBuilder &b) { __VA_ARGS__; });      \
    EXPECT_NE(message.find(part), std::string::npos) << "said: " << message;   \
  } while (false)

TEST(ExecutorErrors, Schema) {
  EXPECT_SAYS("plan: program 'p', instruction 0 (aten::no_such in test.0): no "
              "operator of this name",
              b.call("aten::no_such", {}));
  EXPECT_SAYS("no operator of this name",
              b.call("aten::add.NoOverload", {b.use("a")}));
  EXPECT_SAYS("has 1 arguments, the schema has 3",
              b.call("aten::add_.Tensor", {b.use("a")}));
  EXPECT_SAYS(
      "argument 1, 'other': expected Tensor, found an integer; the "
      "schema is aten::add_.Tensor(",
      b.call("aten::add_.Tensor", {b.use("a"), int64_t(1), int64_t(1)}));
  EXPECT_SAYS("argument 2, 'alpha': expected Scalar, found null",
              b.call("aten::add_.Tensor", {b.use("a"), b.use("b"), None{}}));
  EXPECT_SAYS(
      "'dtype': expected ScalarType?, found an integer",
      b.call("aten::_to_copy",
             {b.use("a"), int64_t(6), None{}, None{}, None{}, false, None{}},
             {b.temporary(DType::F32, {2, 3})}));
  EXPECT_SAYS("'dim': expected int, found a float",
              b.call("aten::softmax.int", {b.use("a"), 1.0, None{}},
                     {b.temporary(DType::F32, {2, 3})}));
  EXPECT_SAYS("an absent tensor in a list that has none",
              b.call("aten::cat",
                     {std::vector<ValueRef>{b.use("a"), {-1}}, int64_t(0)},
                     {b.temporary(DType::F32, {2, 3})}));
  EXPECT_SAYS("has 2 results, expected 1",
              b.call("aten::neg", {b.use("a")},
                     {b.temporary(DType::F32, {2, 3}),
                      b.temporary(DType::F32, {2, 3})}));
  EXPECT_SAYS("has 0 results, expected 1", b.call("aten::neg", {b.use("a")}));
  EXPECT_SAYS("has a result that is not a tensor",
              b.call("aten::item", {b.use("a")}, {{-1}}));
}

TEST(ExecutorErrors, Mutation) {
  EXPECT_SAYS("mutates its argument 'self', but the value 1 is not bound to a "
              "buffer",
              ValueRef a = b.use("a");
              ValueRef t = b.temporary(DType::F32, {2, 3});
              b.call("aten::neg", {a}, {t}); b.call("aten::zero_", {t}));
  EXPECT_SAYS("result 0 is the buffer that the operator mutates, but the value "
              "1 is not bound to it",
              ValueRef a = b.use("a");
              ValueRef t = b.temporary(DType::F32, {2, 3});
              b.call("aten::zero_", {a}, {t}));
  EXPECT_SAYS("aten_vjp of an operator that mutates",
              b.vjp("aten::zero_", {b.use("a")}, {{-1}}, {-1}));
  EXPECT_EQ(messageOf([](PlanBuilder &b) {
              b.call("aten::zero_", {b.use("a")}, {b.use("a")});
            }),
            "");
}

TEST(ExecutorErrors, Vjp) {
  EXPECT_SAYS("wants the gradient of an argument that has none",
              ValueRef g = b.temporary(DType::I64, {2});
              b.vjp("aten::index_select", {b.use("a"), int64_t(0), b.use("i")},
                    {{-1}, g}, {b.use("b").index}));
  EXPECT_SAYS("has not the type of its argument",
              ValueRef g = b.temporary(DType::F64, {2, 3});
              b.vjp("aten::neg", {b.use("a")}, {g}, {b.use("b").index}));
  EXPECT_SAYS("has gradients for 2 results, expected 1",
              ValueRef g = b.temporary(DType::F32, {2, 3});
              int32_t gy = b.use("b").index;
              b.vjp("aten::neg", {b.use("a")}, {g}, {gy, gy}));
  EXPECT_SAYS("draws random numbers",
              ValueRef g = b.temporary(DType::F32, {2, 3});
              b.vjp("aten::bernoulli.p", {b.use("a"), 0.5, None{}}, {g},
                    {b.use("b").index}));
}

TEST(ExecutorErrors, FailuresInsideAnOperatorAreToldInOneLine) {
  std::string message = messageOf([](PlanBuilder &b) {
    ValueRef t = b.temporary(DType::F32, {2, 2});
    b.call("aten::mm", {b.use("a"), b.use("b")}, {t});
  });
  EXPECT_EQ(message, "plan: program 'p', instruction 0 (aten::mm in test.0): "
                     "mat1 and mat2 shapes cannot be multiplied (2x3 and 2x3); "
                     "its tensors: Float[2, 3], Float[2, 3]");
}

TEST(ExecutorErrors, ResultsMustBeWhatThePlanSays) {
  EXPECT_SAYS(
      "result 0 is Float[2, 3] on cpu, the plan says Float[3, 2] on cpu",
      b.call("aten::neg", {b.use("a")}, {b.temporary(DType::F32, {3, 2})}));
  EXPECT_SAYS(
      "the plan says Double[2, 3]",
      b.call("aten::neg", {b.use("a")}, {b.temporary(DType::F64, {2, 3})}));
  EXPECT_SAYS(
      "gave 3 results, the plan has 2",
      b.call("aten::unbind.int", {b.use("a"), int64_t(1)},
             {b.temporary(DType::F32, {2}), b.temporary(DType::F32, {2})}));
}

TEST(ExecutorErrors, TheExecutorSurvivesAFailure) {
  PlanBuilder b;
  b.buffer("index", DType::I64, {1});
  b.buffer("out", DType::F32, {1});
  b.program("run");
  ValueRef ones = b.temporary(DType::F32, {4});
  b.call("aten::ones",
         {std::vector<int64_t>{4}, DType::F32, None{}, DeviceArg{}, None{}},
         {ones});
  ValueRef picked = b.temporary(DType::F32, {1});
  b.call("aten::index_select", {ones, int64_t(0), b.use("index")}, {picked});
  b.call("aten::copy_", {b.use("out"), picked, false});
  Executor executor(b.take());
  executor.buffer("index").fill_(4);
  EXPECT_THROW(executor.run("run"), UserError);
  executor.buffer("index").fill_(3);
  executor.run("run");
  EXPECT_EQ(executor.buffer("out").item<float>(), 1.0f);
}

TEST(ExecutorErrors, Plans) {
  PlanBuilder b;
  b.plan.libraries = {"/no/such/library.so"};
  EXPECT_THROW(Executor{b.take()}, UserError);
  b.plan.libraries = {};
  Executor executor(b.take());
  EXPECT_THROW(executor.run("none"), UserError);
  EXPECT_THROW(executor.buffer("none"), UserError);
  EXPECT_EQ(executor.findBuffer("none"), nullptr);
  b.plan.device = "cuda";
  if (findGpu().found)
    GTEST_SKIP() << "there is a GPU: " << findGpu().line;
  try {
    Executor executor(b.take());
    FAIL() << "ran on a GPU that is not there";
  } catch (const UserError &e) {
    std::string message = e.what();
    EXPECT_NE(message.find("was compiled for a GPU"), std::string::npos);
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }
}

} // namespace
} // namespace nxdt::runtime
