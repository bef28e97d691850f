//===- RecordTest.cpp - what capture records ------------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Modules.h"

#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>
#include <torch/nn/modules/dropout.h>
#include <torch/nn/modules/linear.h>

using namespace nxdt;
using namespace nxdt::capture;
using namespace nxdt::test;

//===----------------------------------------------------------------------===//
// An operator of a user's: CPU kernel, gradient, no meta kernel
//===----------------------------------------------------------------------===//

static at::Tensor tripleKernel(const at::Tensor &x) {
  at::Tensor y = at::empty({x.numel()});
  const float *in = x.contiguous().const_data_ptr<float>();
  for (int64_t i = 0; i < x.numel(); ++i)
    y.data_ptr<float>()[i] = 3 * in[i];
  // Reads its data, which is its own business.
  if (y.sum().item<double>() < 0)
    y.neg_();
  return y.view(x.sizes());
}

namespace {
struct TripleFunction : torch::autograd::Function<TripleFunction> {
  static at::Tensor forward(torch::autograd::AutogradContext *,
                            const at::Tensor &x) {
    at::AutoDispatchBelowADInplaceOrView below;
    return c10::Dispatcher::singleton()
        .findSchemaOrThrow("nxdt_test::triple", "")
        .typed<at::Tensor(const at::Tensor &)>()
        .call(x);
  }
  static torch::autograd::variable_list
  backward(torch::autograd::AutogradContext *,
           torch::autograd::variable_list grads) {
    return {grads[0] * 3};
  }
};
} // namespace

TORCH_LIBRARY(nxdt_test, m) { m.def("triple(Tensor x) -> Tensor"); }
TORCH_LIBRARY_IMPL(nxdt_test, CPU, m) { m.impl("triple", tripleKernel); }
TORCH_LIBRARY_IMPL(nxdt_test, Autograd, m) {
  m.impl("triple",
         [](const at::Tensor &x) { return TripleFunction::apply(x); });
}

static at::Tensor triple(const at::Tensor &x) {
  return c10::Dispatcher::singleton()
      .findSchemaOrThrow("nxdt_test::triple", "")
      .typed<at::Tensor(const at::Tensor &)>()
      .call(x);
}

TEST(CaptureRecord, OwnOperatorIsWhole) {
  Captured captured = captureBody([](at::Tensor x) { return triple(x) + x; });
  expectClean(captured);
  ASSERT_TRUE(captured.model);
  const Record &record = captured.model->forward;
  const RecordedOp &op = findOp(record, "nxdt_test::triple");
  EXPECT_EQ(record.values[op.results[0]].shape,
            (std::vector<int64_t>{kBatch, kSequence, kWidth}));
  EXPECT_EQ(callees(record),
            (std::vector<std::string>{"aten::embedding", "aten::matmul",
                                      "nxdt_test::triple", "aten::add.Tensor",
                                      "aten::matmul"}));
}

//===----------------------------------------------------------------------===//
// Operators without C++ meta kernel
//===----------------------------------------------------------------------===//

class NoMetaKernel
    : public testing::TestWithParam<std::pair<const char *, Body>> {};

TEST_P(NoMetaKernel, HasTheShapeOfTheCpu) {
  Body body = GetParam().second;
  Captured captured = captureBody([&](at::Tensor x) {
    at::Tensor y = body(x);
    at::Tensor real = body(at::zeros(x.sizes(), at::kCPU));
    EXPECT_EQ(y.sizes(), real.sizes());
    EXPECT_EQ(y.scalar_type(), real.scalar_type());
    EXPECT_TRUE(y.is_meta());
    EXPECT_TRUE(y.requires_grad());
    // In-place operators must find no leaf.
    y.mul_(2);
    return x + y.sum();
  });
  EXPECT_EQ(text(captured), "");
}

INSTANTIATE_TEST_SUITE_P(
    CaptureRecord, NoMetaKernel,
    testing::Values(
        std::make_pair("hardswish",
                       Body([](at::Tensor x) { return at::hardswish(x); })),
        std::make_pair("index_select", Body([](at::Tensor x) {
                         at::Tensor i =
                             at::arange(2, x.options().dtype(at::kLong));
                         return at::index_select(x, 1, i);
                       })),
        std::make_pair("roll", Body([](at::Tensor x) { return x.roll(1, 1); })),
        std::make_pair("flip", Body([](at::Tensor x) { return x.flip(1); })),
        std::make_pair(
            "conv1d", Body([](at::Tensor x) {
              return at::conv1d(x, at::ones({2, kSequence, 3}, x.options()));
            })),
        std::make_pair("layer_norm", Body([](at::Tensor x) {
                         return at::layer_norm(x, {kWidth});
                       })),
        std::make_pair("where", Body([](at::Tensor x) {
                         return at::where(x.gt(0), x,
                                          x.sum(-1, true).to(at::kDouble));
                       })),
        std::make_pair("sdpa", Body([](at::Tensor x) {
                         at::Tensor q = x.unsqueeze(1);
                         return at::scaled_dot_product_attention(
                             q, q, at::cat({q, q}, -1), {}, 0.0, true);
                       })),
        std::make_pair("gather", Body([](at::Tensor x) {
                         return x.gather(
                             1, at::zeros({kBatch, 1, 2},
                                          x.options().dtype(at::kLong)));
                       })),
        std::make_pair("cumsum",
                       Body([](at::Tensor x) { return x.cumsum(1); }))),
    [](const auto &info) { return std::string(info.param.first); });

TEST(CaptureRecord, TooLargeForZeros) {
  Captured captured = captureBody([](at::Tensor x) {
    at::Tensor huge = at::zeros({1 << 16, 1 << 16});
    return x + at::hardswish(huge).sum();
  });
  expectError(captured, "block", "register a kernel for the dispatch key Meta");
}

//===----------------------------------------------------------------------===//
// What is recorded, and how
//===----------------------------------------------------------------------===//

TEST(CaptureRecord, NothingDoneIsNothingRecorded) {
  Captured captured = captureBody([](at::Tensor x) {
    torch::nn::Dropout dropout(torch::nn::DropoutOptions(0.0));
    EXPECT_TRUE(dropout->is_training());
    return dropout->forward(x).to(at::kFloat).contiguous();
  });
  expectClean(captured);
  ASSERT_TRUE(captured.model);
  EXPECT_EQ(callees(captured.model->forward),
            (std::vector<std::string>{"aten::embedding", "aten::matmul",
                                      "aten::matmul"}));
}

TEST(CaptureRecord, DropoutInEvaluation) {
  expectClean(captureBody(
      [](at::Tensor x) { return at::dropout(x, 0.5, /*train=*/false); }));
}

TEST(CaptureRecord, ViewsAndMutations) {
  Captured captured = captureBody([](at::Tensor x) {
    at::Tensor y = x * 1;
    y.select(1, 0).add_(1);
    return y;
  });
  expectClean(captured);
  ASSERT_TRUE(captured.model);
  const Record &record = captured.model->forward;
  const RecordedOp &product = findOp(record, "aten::mul.Scalar");
  const RecordedOp &select = findOp(record, "aten::select.int");
  const RecordedOp &add = findOp(record, "aten::add_.Scalar");
  EXPECT_EQ(product.views, (std::vector<int32_t>{-1}));
  EXPECT_EQ(select.views, (std::vector<int32_t>{0}));
  EXPECT_EQ(select.operands, product.results);
  EXPECT_EQ(add.mutates, (std::vector<int32_t>{0}));
  EXPECT_EQ(add.operands, select.results);
  // The changed object keeps its number.
  EXPECT_EQ(record.ops.back().operands[0], product.results[0]);
}

TEST(CaptureRecord, ReshapeIsAViewOnlyWhereItIs) {
  Captured captured = captureBody([](at::Tensor x) {
    at::Tensor view = x.reshape({-1});
    at::Tensor copy = x.transpose(0, 1).reshape({-1});
    return x + view.sum() + copy.sum();
  });
  expectClean(captured);
  ASSERT_TRUE(captured.model);
  std::vector<int32_t> views;
  for (const RecordedOp &op : captured.model->forward.ops)
    if (op.callee == "aten::reshape")
      views.push_back(op.views[0]);
  EXPECT_EQ(views, (std::vector<int32_t>{0, -1}));
}

TEST(CaptureRecord, SeveralResults) {
  Captured captured = captureBody([](at::Tensor x) {
    std::vector<at::Tensor> parts = x.split(1, -1);
    auto [values, indices] = x.max(-1, true);
    return at::cat(parts, -1) + values;
  });
  expectClean(captured);
  const RecordedOp &split =
      findOp(captured.model->forward, "aten::split.Tensor");
  EXPECT_EQ(split.results.size(), static_cast<size_t>(kWidth));
  EXPECT_EQ(split.views, (std::vector<int32_t>{0, 0, 0, 0}));
  const RecordedOp &max = findOp(captured.model->forward, "aten::max.dim");
  EXPECT_EQ(captured.model->forward.values[max.results[1]].element,
            ElementType::I64);
  const RecordedOp &cat = findOp(captured.model->forward, "aten::cat");
  EXPECT_EQ(std::get<OperandListArg>(cat.args[0]).present.size(), 4u);
}

TEST(CaptureRecord, OptionalTensors) {
  Captured captured = captureBody([](at::Tensor x) {
    using namespace at::indexing;
    at::Tensor i = at::arange(2);
    return x + x.index({Slice(), i}).sum();
  });
  expectClean(captured);
  const RecordedOp &index =
      findOp(captured.model->forward, "aten::index.Tensor");
  EXPECT_EQ(std::get<OperandListArg>(index.args[1]).present,
            (std::vector<bool>{false, true}));
  EXPECT_EQ(index.operands.size(), 2u);
}

TEST(CaptureRecord, ArgumentsOfEachKind) {
  Captured captured = captureBody([](at::Tensor x) {
    at::Tensor ones = at::ones({3}, at::device(at::kCPU).dtype(at::kInt));
    at::Tensor y = at::gelu(x, "tanh").add(1, 2).clamp(-0.5, {});
    return y.sum(at::IntArrayRef({0, 1}), true) + x + ones.sum();
  });
  expectClean(captured);
  ASSERT_TRUE(captured.model);
  const Record &record = captured.model->forward;
  const RecordedOp &ones = findOp(record, "aten::ones");
  ASSERT_EQ(ones.args.size(), 5u);
  EXPECT_EQ(std::get<std::vector<int64_t>>(ones.args[0]),
            std::vector<int64_t>{3});
  EXPECT_EQ(std::get<ElementType>(ones.args[1]), ElementType::I32);
  EXPECT_TRUE(std::holds_alternative<NoneArg>(ones.args[2]));
  EXPECT_TRUE(std::holds_alternative<DeviceArg>(ones.args[3]));
  EXPECT_EQ(std::get<std::string>(findOp(record, "aten::gelu").args[1]),
            "tanh");
  const RecordedOp &add = findOp(record, "aten::add.Scalar");
  EXPECT_EQ(std::get<int64_t>(add.args[1]), 1);
  EXPECT_EQ(std::get<int64_t>(add.args[2]), 2);
  const RecordedOp &clamp = findOp(record, "aten::clamp");
  EXPECT_EQ(std::get<double>(clamp.args[1]), -0.5);
  EXPECT_TRUE(std::holds_alternative<NoneArg>(clamp.args[2]));
  const RecordedOp &sum = findOp(record, "aten::sum.dim_IntList");
  EXPECT_TRUE(std::get<bool>(sum.args[2]));
}

TEST(CaptureRecord, FactoriesSayTheirType) {
  Captured captured =
      captureBody([](at::Tensor x) { return x + at::arange(kWidth).sum(); });
  expectClean(captured);
  ASSERT_TRUE(captured.model);
  const RecordedOp &arange = findOp(captured.model->forward, "aten::arange");
  EXPECT_EQ(std::get<ElementType>(arange.args[1]), ElementType::I64);
  EXPECT_TRUE(std::holds_alternative<DeviceArg>(arange.args[3]));
}

TEST(CaptureRecord, NumbersThatBecomeTensors) {
  Captured captured =
      captureBody([](at::Tensor x) { return 1.5 / x + (2 - x); });
  expectClean(captured);
  ASSERT_TRUE(captured.model);
  EXPECT_TRUE(captured.model->forward.values.back().element ==
              ElementType::F32);
}

TEST(CaptureRecord, ConstantsMadeInForward) {
  Captured captured =
      captureBody([](at::Tensor x) { return x * at::scalar_tensor(2.0); });
  expectClean(captured);
}

TEST(CaptureRecord, GradMode) {
  Captured captured = captureBody([](at::Tensor x) {
    at::Tensor y;
    {
      at::NoGradGuard noGrad;
      y = x * 2;
    }
    return x + y;
  });
  expectClean(captured);
  ASSERT_TRUE(captured.model);
  EXPECT_TRUE(findOp(captured.model->forward, "aten::mul.Scalar").noGrad);
  EXPECT_FALSE(findOp(captured.model->forward, "aten::add.Tensor").noGrad);
}

TEST(CaptureRecord, BelowAutograd) {
  Captured captured = captureBody([](at::Tensor x) {
    at::Tensor y;
    {
      at::AutoDispatchBelowAutograd below;
      y = x * 2;
    }
    return x + y;
  });
  expectClean(captured);
  ASSERT_TRUE(captured.model);
  EXPECT_TRUE(findOp(captured.model->forward, "aten::mul.Scalar").noGrad);
  EXPECT_FALSE(findOp(captured.model->forward, "aten::add.Tensor").noGrad);
}

TEST(CaptureRecord, TwiceIsTheSame) {
  for (int i = 0; i < 2; ++i) {
    Captured captured = captureBody([](at::Tensor x) { return x.relu(); });
    expectClean(captured);
    EXPECT_EQ(captured.model->forward.ops.size(), 4u);
  }
}

TEST(CaptureRecord, NothingStaysBehind) {
  expectClean(captureBody([](at::Tensor x) { return x.relu(); }));
  // Outside of capture tensors are real again.
  at::Tensor x = at::ones({2});
  EXPECT_TRUE(x.device().is_cpu());
  EXPECT_EQ(x.sum().item<double>(), 2.0);
}

//===----------------------------------------------------------------------===//
// Module paths
//===----------------------------------------------------------------------===//

TEST(CaptureRecord, PathsByParameters) {
  Captured captured = captureModel([] {
    return std::make_shared<Net>(Body(), [](Net &net) {
      auto fc = net.block->register_module("fc", torch::nn::Linear(4, 4));
      net.block->body = [fc](at::Tensor x) mutable {
        return fc->forward(x).relu() * 2;
      };
    });
  });
  expectClean(captured);
  ASSERT_TRUE(captured.model);
  const Record &record = captured.model->forward;
  EXPECT_EQ(findOp(record, "aten::embedding").path, "");
  // How libtorch's C++ Linear computes x W^T + b.
  EXPECT_EQ(findOp(record, "aten::t").path, "block.fc");
  EXPECT_EQ(record.ops[3].callee, "aten::matmul");
  EXPECT_EQ(record.ops[3].path, "block.fc");
  EXPECT_EQ(findOp(record, "aten::add_.Tensor").path, "block.fc");
  EXPECT_EQ(findOp(record, "aten::relu").path, "block");
  EXPECT_EQ(findOp(record, "aten::mul.Scalar").path, "block");
  EXPECT_EQ(record.ops.back().path, "");
}

TEST(CaptureRecord, PathsByScope) {
  Captured captured = captureSetUp([](Net &net) {
    net.last = [&net](at::Tensor x) {
      {
        ModuleScope scope(*net.block);
        x = x.sigmoid();
      }
      return at::matmul(x.tanh(), net.head);
    };
  });
  expectClean(captured);
  ASSERT_TRUE(captured.model);
  EXPECT_EQ(findOp(captured.model->forward, "aten::sigmoid").path, "block");
}
