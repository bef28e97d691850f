//===- InitTest.cpp - initial values of parameters and buffers ------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Modules.h"

#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/normalization.h>

#include <map>

using namespace nxdt;
using namespace nxdt::capture;
using namespace nxdt::test;

//===----------------------------------------------------------------------===//
// Parameters
//===----------------------------------------------------------------------===//

static ParamInit initOf(const std::function<at::Tensor()> &make,
                        ElementType element = ElementType::F32,
                        bool toBFloat16 = false) {
  Captured captured = captureModel(
      [&] {
        return std::make_shared<Net>(Body(), [&](Net &net) {
          at::NoGradGuard noGrad;
          at::Tensor mine = net.register_parameter("mine", make());
          net.last = [mine, &net](at::Tensor x) {
            return at::matmul(x + mine.sum(), net.head);
          };
        });
      },
      toBFloat16);
  expectClean(captured);
  if (!captured.model)
    return {};
  for (const CapturedParam &param : captured.model->params)
    if (param.name == "mine") {
      EXPECT_EQ(param.type.element, element);
      return param.init.value_or(ParamInit());
    }
  ADD_FAILURE() << "no parameter";
  return {};
}

static void expectInit(const ParamInit &init, ParamInit::Kind kind, double a,
                       double b) {
  EXPECT_EQ(init.kind, kind);
  EXPECT_DOUBLE_EQ(init.a, a);
  EXPECT_DOUBLE_EQ(init.b, b);
}

TEST(CaptureInit, Kinds) {
  using Kind = ParamInit::Kind;
  expectInit(initOf([] { return at::zeros({4}); }), Kind::Constant, 0, 0);
  expectInit(initOf([] { return at::full({4}, 2.5); }), Kind::Constant, 2.5, 0);
  expectInit(initOf([] { return at::empty({4}).fill_(3); }), Kind::Constant, 3,
             0);
  expectInit(initOf([] { return at::empty({4}).normal_(1, 2); }), Kind::Normal,
             1, 2);
  expectInit(initOf([] { return at::randn({4}) * 0.02; }), Kind::Normal, 0,
             0.02);
  expectInit(initOf([] { return at::randn({4}).div_(-4).add_(1); }),
             Kind::Normal, 1, 0.25);
  expectInit(initOf([] { return at::rand({4}).mul(-2).sub(1, 3); }),
             Kind::Uniform, -5, -3);
  expectInit(initOf([] {
               return at::empty({2, 4}).uniform_(-1, 2).t();
             }),
             Kind::Uniform, -1, 2);
  expectInit(initOf([] {
               return at::randn({8}).reshape({2, 4}).clone();
             }),
             Kind::Normal, 0, 1);
  expectInit(initOf([] { return at::empty({4}).copy_(at::ones({4})); }),
             Kind::Constant, 1, 0);
  expectInit(initOf([] {
               at::Tensor x = at::zeros({4, 4});
               x.select(0, 1).zero_();
               return x;
             }),
             Kind::Constant, 0, 0);
  // The last one counts.
  expectInit(initOf([] { return at::randn({4}).fill_(7); }), Kind::Constant, 7,
             0);
}

TEST(CaptureInit, InBFloat16) {
  expectInit(initOf([] { return at::randn({4}) * 0.5; }, ElementType::BF16,
                    /*toBFloat16=*/true),
             ParamInit::Kind::Normal, 0, 0.5);
}

TEST(CaptureInit, TorchLayers) {
  Captured captured = captureModel([] {
    return std::make_shared<Net>(Body(), [](Net &net) {
      auto fc = net.block->register_module("fc", torch::nn::Linear(4, 4));
      auto norm = net.block->register_module(
          "norm", torch::nn::LayerNorm(torch::nn::LayerNormOptions({4})));
      net.block->body = [fc, norm](at::Tensor x) mutable {
        return norm->forward(fc->forward(x));
      };
    });
  });
  expectClean(captured);
  ASSERT_TRUE(captured.model);
  for (const CapturedParam &param : captured.model->params) {
    if (param.name == "block.fc.weight" || param.name == "block.fc.bias")
      expectInit(*param.init, ParamInit::Kind::Uniform, -0.5, 0.5);
    if (param.name == "block.norm.weight")
      expectInit(*param.init, ParamInit::Kind::Constant, 1, 0);
  }
}

TEST(CaptureInit, TiedParameters) {
  for (bool toBFloat16 : {false, true}) {
    Captured captured = captureModel(
        [] {
          return std::make_shared<Net>(Body(), [](Net &net) {
            at::Tensor tied = net.register_parameter("tied", net.table);
            net.last = [tied](at::Tensor x) { return at::matmul(x, tied.t()); };
            net.unregister_module("block");
            net.register_module("block", net.block);
          });
        },
        toBFloat16);
    ASSERT_TRUE(captured.model) << text(captured);
    EXPECT_EQ(captured.model->params[0].name, "table");
    EXPECT_EQ(captured.model->params[0].tied, std::vector<std::string>{"tied"});
  }
}

//===----------------------------------------------------------------------===//
// Buffers
//===----------------------------------------------------------------------===//

TEST(CaptureBuffers, ComputedInTheConstructor) {
  Captured captured = captureSetUp([](Net &net) {
    at::Tensor unrelated = at::ones({7}).cumsum(0);
    at::Tensor table = at::arange(kWidth, at::kFloat);
    table.select(0, 1).mul_(3);
    net.block->register_buffer("positions", table.view({1, kWidth}).cos());
    Net *root = &net;
    net.block->body = [root](at::Tensor x) {
      return x + root->block->named_buffers()["positions"];
    };
  });
  expectClean(captured);
  ASSERT_TRUE(captured.model);
  EXPECT_EQ(callees(captured.model->init),
            (std::vector<std::string>{"aten::arange", "aten::select.int",
                                      "aten::mul_.Scalar", "aten::view",
                                      "aten::cos"}));
  ASSERT_EQ(captured.model->buffers.size(), 1u);
  EXPECT_EQ(captured.model->buffers[0].name, "block.positions");
  EXPECT_EQ(captured.model->buffers[0].initValue,
            captured.model->init.ops.back().results[0]);
  EXPECT_FALSE(captured.model->buffers[0].isMutated);
}

TEST(CaptureBuffers, ChangedInForward) {
  Captured captured = captureSetUp([](Net &net) {
    at::Tensor calls = net.register_buffer("calls", at::zeros({}, at::kLong));
    net.block->body = [calls](at::Tensor x) mutable {
      calls.add_(1);
      return x * calls;
    };
  });
  expectClean(captured);
  ASSERT_TRUE(captured.model);
  EXPECT_TRUE(captured.model->buffers[0].isMutated);
}

TEST(CaptureBuffers, CastWithTheModule) {
  Captured captured = captureModel(
      [] {
        return std::make_shared<Net>(Body(), [](Net &net) {
          at::Tensor scale = at::zeros({kWidth});
          scale.select(0, 0).fill_(2);
          net.block->register_buffer("scale", scale);
          net.register_buffer("mask", at::ones({2}, at::kBool));
          net.register_buffer("count", at::zeros({2}, at::kLong));
          Net *root = &net;
          net.block->body = [root](at::Tensor x) {
            return x * root->block->named_buffers()["scale"];
          };
        });
      },
      /*toBFloat16=*/true);
  expectClean(captured);
  ASSERT_TRUE(captured.model);
  const Record &init = captured.model->init;
  std::map<std::string, ElementType> types;
  for (const CapturedBuffer &buffer : captured.model->buffers) {
    types[buffer.name] = buffer.type.element;
    EXPECT_EQ(init.values[buffer.initValue].element, buffer.type.element);
  }
  EXPECT_EQ(types["block.scale"], ElementType::BF16);
  EXPECT_EQ(types["mask"], ElementType::Bool);
  EXPECT_EQ(types["count"], ElementType::I64);
  // The write through a view is not lost.
  findOp(init, "aten::fill_.Scalar");
}
