//===- ErrorsTest.cpp - what cannot be captured ---------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Modules.h"

#include "nxdt/Support/UserError.h"

#include <torch/csrc/autograd/custom_function.h>

using namespace nxdt;
using namespace nxdt::test;

namespace {
/// Doubles, with a gradient that its body does not have.
struct Doubled : torch::autograd::Function<Doubled> {
  static at::Tensor forward(torch::autograd::AutogradContext *, at::Tensor x) {
    return x * 2;
  }
  static torch::autograd::variable_list
  backward(torch::autograd::AutogradContext *,
           torch::autograd::variable_list grads) {
    return {grads[0] * 7};
  }
};
} // namespace

//===----------------------------------------------------------------------===//
// Gradients that would be lost
//===----------------------------------------------------------------------===//

TEST(CaptureErrors, CustomFunction) {
  expectError(captureBody([](at::Tensor x) { return Doubled::apply(x); }),
              "block", "custom torch::autograd::Function");
}

TEST(CaptureErrors, CustomFunctionAsResult) {
  Captured captured = captureSetUp([](Net &net) {
    net.last = [&net](at::Tensor x) {
      return Doubled::apply(at::matmul(x, net.head));
    };
  });
  expectError(captured, "", "Doubled");
}

TEST(CaptureErrors, GradientHook) {
  Captured captured = captureBody([](at::Tensor x) {
    x.register_hook([](at::Tensor grad) { return grad * 2; });
    return x;
  });
  expectError(captured, "block", "gradient hook");
}

TEST(CaptureErrors, Data) {
  expectError(captureBody([](at::Tensor x) { return x + x.data(); }), "block",
              "use x.detach()");
}

TEST(CaptureErrors, SetData) {
  Captured captured = captureBody([](at::Tensor x) {
    at::Tensor y = x * 2;
    y.set_data(x.detach() * 3);
    return x + y;
  });
  expectError(captured, "block", "exchanged in place");
}

TEST(CaptureErrors, ResizedInPlace) {
  Captured captured = captureBody([](at::Tensor x) {
    at::Tensor y = x.detach().clone();
    y.squeeze_();
    y.unsqueeze_(0);
    return x + y;
  });
  expectError(captured, "block", "exchanged in place");
}

//===----------------------------------------------------------------------===//
// Tensors of unknown origin
//===----------------------------------------------------------------------===//

TEST(CaptureErrors, TensorOfTheConstructor) {
  auto shift = std::make_shared<at::Tensor>();
  Captured captured = captureModel([&] {
    return std::make_shared<Net>(
        [shift](at::Tensor x) { return x + *shift; },
        [shift](Net &) { *shift = at::ones({kWidth}); });
  });
  expectError(captured, "block", "neither a parameter nor a buffer");
}

TEST(CaptureErrors, TensorFromElsewhere) {
  at::Tensor shift = at::ones({kWidth});
  Captured captured =
      captureBody([shift](at::Tensor x) { return x + shift + shift; });
  expectError(captured, "block", "register_buffer");
}

//===----------------------------------------------------------------------===//
// Contents of tensors
//===----------------------------------------------------------------------===//

TEST(CaptureErrors, Item) {
  expectError(
      captureBody([](at::Tensor x) { return x * x.sum().item<double>(); }),
      "block", "reads the contents of a tensor");
}

TEST(CaptureErrors, Condition) {
  Captured captured = captureBody(
      [](at::Tensor x) { return x.sum().gt(0).is_nonzero() ? x * 2 : x; });
  expectError(captured, "block", "reads the contents of a tensor");
}

TEST(CaptureErrors, EndlessCondition) {
  Captured captured = captureBody([](at::Tensor x) {
    while (x.sum().item<double>() > 0)
      x = x - 1;
    return x;
  });
  expectError(captured, "block", "reads the contents of a tensor");
}

TEST(CaptureErrors, DataPointer) {
  Captured captured = captureBody([](at::Tensor x) {
    at::Tensor y = at::zeros({4});
    y.data_ptr<float>()[0] = 1;
    return x + y;
  });
  expectError(captured, "block", "have no data");
}

TEST(CaptureErrors, ConstDataPointer) {
  Captured captured = captureBody(
      [](at::Tensor x) { return x * x.const_data_ptr<float>()[0]; });
  expectError(captured, "block", "have no data");
}

class DynamicShape
    : public testing::TestWithParam<std::pair<const char *, Body>> {};

TEST_P(DynamicShape, IsRefused) {
  expectError(captureBody(GetParam().second), "block",
              "depends on the contents of a tensor");
}

INSTANTIATE_TEST_SUITE_P(
    CaptureErrors, DynamicShape,
    testing::Values(std::make_pair("nonzero", Body([](at::Tensor x) {
                                     return x + at::nonzero(x).sum();
                                   })),
                    std::make_pair("masked_select", Body([](at::Tensor x) {
                                     return x +
                                            at::masked_select(x, x.gt(0)).sum();
                                   })),
                    std::make_pair("mask_index", Body([](at::Tensor x) {
                                     return x + x.index({x.gt(0)}).sum();
                                   })),
                    std::make_pair("unique", Body([](at::Tensor x) {
                                     return x +
                                            std::get<0>(at::_unique2(x)).sum();
                                   })),
                    std::make_pair("one_hot", Body([](at::Tensor x) {
                                     at::Tensor ids = x.detach().to(at::kLong);
                                     return x + at::one_hot(ids).sum();
                                   }))),
    [](const auto &info) { return std::string(info.param.first); });

//===----------------------------------------------------------------------===//
// Randomness, mutation, layouts
//===----------------------------------------------------------------------===//

TEST(CaptureErrors, Dropout) {
  expectError(captureBody([](at::Tensor x) {
                return at::dropout(x, 0.5, /*train=*/true);
              }),
              "block", "aten::dropout draws random numbers");
}

TEST(CaptureErrors, Random) {
  expectError(captureBody([](at::Tensor x) { return x + at::rand_like(x); }),
              "block", "aten::rand_like draws random numbers");
}

TEST(CaptureErrors, OutArgument) {
  Captured captured = captureBody([](at::Tensor x) {
    at::Tensor y = at::zeros({kBatch, kSequence, kWidth});
    at::NoGradGuard noGrad;
    at::add_out(y, x.detach(), x.detach());
    return y;
  });
  ASSERT_EQ(captured.problems.size(), 1u) << text(captured);
  EXPECT_NE(text(captured).find("block: aten::add.out writes into an argument"),
            std::string::npos)
      << text(captured);
}

TEST(CaptureErrors, ParameterChanged) {
  Captured captured = captureSetUp([](Net &net) {
    at::Tensor weight = net.block->weight;
    net.block->body = [weight](at::Tensor x) {
      at::NoGradGuard noGrad;
      weight.select(0, 0).mul_(0.5);
      return x;
    };
  });
  ASSERT_EQ(captured.problems.size(), 1u) << text(captured);
  EXPECT_NE(
      text(captured).find(
          "block: aten::mul_.Scalar changes the parameter 'block.weight'"),
      std::string::npos)
      << text(captured);
}

TEST(CaptureErrors, Sparse) {
  expectError(
      captureBody([](at::Tensor x) { return x + x.detach().to_sparse(); }),
      "block", "layout other than strided");
}

TEST(CaptureErrors, Complex) {
  expectError(
      captureBody([](at::Tensor x) { return at::real(at::complex(x, x)); }),
      "block", "a tensor of ComplexFloat");
}

TEST(CaptureErrors, Quantized) {
  Captured captured = captureBody([](at::Tensor x) {
    at::Tensor q = at::quantize_per_tensor(x.detach(), 0.1, 0, at::kQInt8);
    return x + q.dequantize();
  });
  EXPECT_FALSE(captured.model);
  EXPECT_NE(text(captured).find("argument 'dtype' is QInt8: not supported"),
            std::string::npos)
      << text(captured);
}

//===----------------------------------------------------------------------===//
// The result, exceptions
//===----------------------------------------------------------------------===//

TEST(CaptureErrors, ShapeOfResult) {
  Captured captured = captureSetUp(
      [](Net &net) { net.last = [](at::Tensor x) { return x.sum(-1); }; });
  EXPECT_FALSE(captured.model);
  EXPECT_NE(text(captured).find("[2, 3, vocabulary]; it returned Float of "
                                "shape [2, 3]"),
            std::string::npos)
      << text(captured);
}

TEST(CaptureErrors, TypeOfResult) {
  Captured captured = captureSetUp([](Net &net) {
    net.last = [](at::Tensor x) { return x.to(at::kLong); };
  });
  EXPECT_NE(text(captured).find("it returned Long"), std::string::npos)
      << text(captured);
}

TEST(CaptureErrors, NoResult) {
  Captured captured = captureSetUp(
      [](Net &net) { net.last = [](at::Tensor) { return at::Tensor(); }; });
  EXPECT_NE(text(captured).find("it returned no tensor"), std::string::npos);
}

TEST(CaptureErrors, NothingToTrain) {
  Captured captured = captureSetUp([](Net &net) {
    net.last = [&net](at::Tensor x) {
      return at::matmul(x, net.head).detach();
    };
  });
  expectError(captured, "", "nothing to train");
}

TEST(CaptureErrors, ShapesDoNotFit) {
  Captured captured = captureBody([](at::Tensor x) {
    return at::matmul(x, at::ones({9, 9}));
  });
  expectError(captured, "block", "forward failed: ");
  EXPECT_EQ(text(captured).find("frame #"), std::string::npos);
  EXPECT_EQ(text(captured).find("Exception raised"), std::string::npos);
}

TEST(CaptureErrors, ForwardThrows) {
  Captured captured = captureBody([](at::Tensor x) {
    TORCH_CHECK(x.dim() == 2, "wanted a matrix");
    return x;
  });
  expectError(captured, "block", "forward failed: wanted a matrix");
  EXPECT_EQ(text(captured).find("frame #"), std::string::npos);
}

TEST(CaptureErrors, ForwardThrowsAnything) {
  expectError(captureBody([](at::Tensor x) -> at::Tensor { throw 3; }), "block",
              "unknown exception");
}

TEST(CaptureErrors, ConstructorThrows) {
  Captured captured = captureSetUp(
      [](Net &) { throw std::runtime_error("width must be even"); });
  expectError(captured, "", "the constructor failed: width must be even");
}

TEST(CaptureErrors, UserErrorStaysAsItIs) {
  Captured captured =
      captureSetUp([](Net &) { throw UserError("config.yaml:3:4: no"); });
  ASSERT_EQ(captured.problems.size(), 1u);
  EXPECT_EQ(captured.problems[0].message, "config.yaml:3:4: no");
}

TEST(CaptureErrors, NoModule) {
  expectError(captureModel([] { return std::shared_ptr<Model>(); }), "",
              "returned no module");
}

//===----------------------------------------------------------------------===//
// Parameters and buffers
//===----------------------------------------------------------------------===//

TEST(CaptureErrors, FrozenParameter) {
  expectError(captureSetUp(
                  [](Net &net) { net.block->weight.set_requires_grad(false); }),
              "block", "frozen parameters are not supported yet");
}

TEST(CaptureErrors, OverlappingParameters) {
  Captured captured = captureSetUp([](Net &net) {
    at::NoGradGuard noGrad;
    net.register_parameter("half", net.head.slice(0, 0, 2).detach());
  });
  EXPECT_NE(text(captured).find("'half' shares memory with 'head'"),
            std::string::npos)
      << text(captured);
}

static Captured captureInit(const std::function<at::Tensor()> &init) {
  return captureModel([&] {
    return std::make_shared<Net>(Body(), [&](Net &net) {
      at::Tensor mine = net.register_parameter("mine", init());
      net.last = [mine, &net](at::Tensor x) {
        return at::matmul(x * mine, net.head);
      };
    });
  });
}

TEST(CaptureErrors, UninitialisedParameter) {
  expectError(captureInit([] { return at::empty({kWidth}); }), "",
              "'mine' is not initialised by a constant, a normal or a uniform "
              "distribution: its elements are never set");
}

TEST(CaptureErrors, InexpressibleInit) {
  expectError(captureInit([] { return at::arange(kWidth, at::kFloat); }), "",
              "its last operator is aten::arange");
  expectError(captureInit([] {
                at::Tensor x = at::randn({kWidth});
                x.select(0, 0).zero_();
                return x;
              }),
              "", "aten::zero_ on a part of it");
  expectError(captureInit([] { return at::randn({1}).expand({4}).clone(); }),
              "", "aten::clone");
}

TEST(CaptureErrors, OneDrawTwice) {
  at::Tensor first;
  Captured captured = captureSetUp([](Net &net) {
    at::NoGradGuard noGrad;
    net.head.normal_();
    at::Tensor copy = net.register_parameter("copy", net.head.detach().clone());
    net.last = [copy, &net](at::Tensor x) {
      return at::matmul(x, net.head + copy);
    };
  });
  expectError(captured, "", "its random numbers are those of 'head'");
}

TEST(CaptureErrors, RandomBuffer) {
  Captured captured = captureSetUp([](Net &net) {
    net.block->register_buffer("noise", at::randn({kWidth}) + 1);
  });
  expectError(captured, "block", "'block.noise' depends on random numbers");
}

TEST(CaptureErrors, EmptyBuffer) {
  Captured captured = captureSetUp([](Net &net) {
    net.block->register_buffer("cache", at::empty({kWidth}));
  });
  expectError(captured, "block", "'block.cache' is never filled");
}

TEST(CaptureErrors, UnusedParameterIsAWarning) {
  Captured captured = captureSetUp([](Net &net) {
    net.block->register_parameter("idle", at::arange(3, at::kFloat));
  });
  ASSERT_TRUE(captured.model);
  ASSERT_EQ(captured.problems.size(), 1u) << text(captured);
  EXPECT_TRUE(captured.problems[0].isWarning);
  EXPECT_EQ(captured.problems[0].path, "block");
  EXPECT_NE(text(captured).find("'block.idle' is never used"),
            std::string::npos);
  for (const capture::CapturedParam &param : captured.model->params)
    EXPECT_EQ(param.init.has_value(), param.name != "block.idle");
}

//===----------------------------------------------------------------------===//
// All at once
//===----------------------------------------------------------------------===//

TEST(CaptureErrors, AllAtOnce) {
  at::Tensor foreign = at::ones({kWidth});
  Captured captured = captureBody([foreign](at::Tensor x) {
    x = at::dropout(x, 0.5, true) + foreign;
    x = Doubled::apply(x);
    x = at::dropout(x, 0.5, true);
    return x * x.sum().item<double>();
  });
  ASSERT_EQ(captured.problems.size(), 4u) << text(captured);
  for (const char *part : {"dropout", "register_buffer", "Doubled", "contents"})
    EXPECT_NE(text(captured).find(part), std::string::npos) << part;
}

TEST(CaptureErrors, TheSameInManyModules) {
  Captured captured = captureModel([] {
    return std::make_shared<Net>(Body(), [](Net &net) {
      std::vector<std::shared_ptr<Block>> blocks;
      for (int i = 0; i < 3; ++i)
        blocks.push_back(net.register_module(
            "b" + std::to_string(i), std::make_shared<Block>([](at::Tensor x) {
              return at::dropout(x, 0.1, true);
            })));
      net.last = [blocks, &net](at::Tensor x) {
        for (const auto &block : blocks) {
          ModuleScope scope(*block);
          x = block->forward(x);
        }
        return at::matmul(x, net.head);
      };
    });
  });
  expectError(captured, "b0", "and the same in 2 more places, the next is b1");
}
