//===- ReplayTest.cpp - a record computes what the module computes --------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The recorded operators, called one by one on real tensors, must give the bits
// that the module itself gives.
//
//===----------------------------------------------------------------------===//
#include "Capture/CaptureModule.h"
#include "Capture/Record.h"
#include "Models/Llama.h"
#include "Models/PluginLoader.h"

#include "Shapes.h"

#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/jit_type.h>
#include <gtest/gtest.h>

using namespace nxdt;
using namespace nxdt::capture;

//===----------------------------------------------------------------------===//
// Running a record
//===----------------------------------------------------------------------===//

static at::ScalarType scalarType(ElementType type) {
  switch (type) {
  case ElementType::F64:
    return at::kDouble;
  case ElementType::F32:
    return at::kFloat;
  case ElementType::BF16:
    return at::kBFloat16;
  case ElementType::F16:
    return at::kHalf;
  case ElementType::I64:
    return at::kLong;
  case ElementType::I32:
    return at::kInt;
  case ElementType::I8:
    return at::kByte;
  case ElementType::Bool:
    return at::kBool;
  }
  return at::kFloat;
}

namespace {

/// One argument as the dispatcher wants it.
struct ToIValue {
  const std::vector<at::Tensor> &operands;
  size_t &next;
  bool hasOptionals;

  c10::IValue operator()(NoneArg) { return {}; }
  c10::IValue operator()(DeviceArg) { return c10::Device(at::kCPU); }
  c10::IValue operator()(OperandArg) { return operands[next++]; }
  c10::IValue operator()(const OperandListArg &list) {
    c10::List<at::Tensor> plain;
    c10::List<std::optional<at::Tensor>> optional;
    for (bool isPresent : list.present) {
      at::Tensor tensor = isPresent ? operands[next++] : at::Tensor();
      plain.push_back(tensor);
      optional.push_back(isPresent ? std::optional(tensor) : std::nullopt);
    }
    return hasOptionals ? c10::IValue(optional) : c10::IValue(plain);
  }
  c10::IValue operator()(ElementType type) {
    return static_cast<int64_t>(scalarType(type));
  }
  c10::IValue operator()(const std::vector<bool> &values) {
    c10::List<bool> list;
    for (bool value : values)
      list.push_back(value);
    return list;
  }
  template <typename T> c10::IValue operator()(const T &value) { return value; }
};

} // namespace

static bool isListOfOptionals(const c10::TypePtr &type) {
  auto list = type->cast<c10::ListType>();
  return list && list->getElementType()->kind() == c10::TypeKind::OptionalType;
}

/// Runs all operators; `values` holds what exists before.
static void replay(const Record &record, std::vector<at::Tensor> &values) {
  at::NoGradGuard noGrad;
  values.resize(record.values.size());
  for (const RecordedOp &recorded : record.ops) {
    size_t dot = recorded.callee.find('.');
    auto op = c10::Dispatcher::singleton().findSchemaOrThrow(
        recorded.callee.substr(0, dot).c_str(),
        dot == std::string::npos ? "" : recorded.callee.c_str() + dot + 1);
    std::vector<at::Tensor> operands;
    for (ValueId operand : recorded.operands)
      operands.push_back(values[operand]);
    torch::jit::Stack stack;
    size_t next = 0;
    for (size_t i = 0; i < recorded.args.size(); ++i)
      stack.push_back(std::visit(
          ToIValue{operands, next,
                   isListOfOptionals(op.schema().arguments()[i].type())},
          recorded.args[i]));
    ASSERT_EQ(next, operands.size()) << recorded.callee;
    op.callBoxed(&stack);
    size_t i = 0;
    for (const c10::IValue &result : stack) {
      std::vector<at::Tensor> tensors =
          result.isTensor() ? std::vector<at::Tensor>{result.toTensor()}
                            : result.toTensorVector();
      for (const at::Tensor &tensor : tensors) {
        const ValueType &type = record.values[recorded.results[i]];
        EXPECT_EQ(tensor.sizes(), type.shape) << recorded.callee;
        EXPECT_EQ(tensor.scalar_type(), scalarType(type.element))
            << recorded.callee;
        values[recorded.results[i++]] = tensor;
      }
    }
    ASSERT_EQ(i, recorded.results.size()) << recorded.callee;
  }
}

/// Captures what `make` makes, makes it once more with data, and compares.
static void expectSameBits(const std::function<std::shared_ptr<Model>()> &make,
                           bool toBFloat16, int64_t vocabSize) {
  constexpr int64_t kB = 2, kS = 8;
  Problems problems;
  auto model = captureModule(make, {kB, kS, toBFloat16}, problems);
  for (const Problem &problem : problems.finish())
    ADD_FAILURE() << problem.path << ": " << problem.message;
  ASSERT_TRUE(model);

  std::shared_ptr<Model> real = make();
  at::NoGradGuard noGrad;
  auto params = real->named_parameters();
  if (toBFloat16)
    for (auto &param : params)
      param.value().set_data(param.value().to(at::kBFloat16));
  std::vector<at::Tensor> values(model->forward.values.size());
  for (const CapturedParam &param : model->params)
    values[param.value] = params[param.name];
  std::vector<at::Tensor> initial;
  replay(model->init, initial);
  for (const CapturedBuffer &buffer : model->buffers) {
    values[buffer.value] = initial[buffer.initValue];
    at::Tensor wanted = real->named_buffers()[buffer.name];
    EXPECT_TRUE(at::equal(values[buffer.value],
                          wanted.to(values[buffer.value].scalar_type())))
        << buffer.name;
  }
  at::Tensor ids = at::randint(vocabSize, {kB, kS}, at::kLong);
  values[model->inputIds] = ids;
  replay(model->forward, values);
  at::Tensor expected = real->forward(ids);
  ASSERT_GT(expected.abs().max().item<float>(), 0.0);
  EXPECT_TRUE(at::equal(values[model->logits], expected));
}

//===----------------------------------------------------------------------===//
// Models
//===----------------------------------------------------------------------===//

TEST(CaptureReplay, Llama) {
  for (bool toBFloat16 : {false, true})
    expectSameBits([] { return makeLlama(test::tinyLlama()); }, toBFloat16, 48);
}

TEST(CaptureReplay, LlamaWithEverything) {
  LlamaConfig config = test::tinyLlama();
  config.tieWordEmbeddings = true;
  config.attentionBias = true;
  config.mlpBias = true;
  config.headDim = 6;
  config.ropeScaling = {RopeScaling::Kind::Llama3, 8.0, 1.0, 4.0, 16};
  for (bool toBFloat16 : {false, true})
    expectSameBits([&] { return makeLlama(config); }, toBFloat16, 48);
}

#ifdef NXDT_TEST_CUSTOM_MODEL
TEST(CaptureReplay, CustomModel) {
  ModelFactory factory = loadModelPlugin(NXDT_TEST_CUSTOM_MODEL);
  ModelSpec spec;
  spec.microBatchSize = 2;
  spec.sequenceLength = 8;
  spec.sectionJson = R"({"plugin_config": {"vocab_size": 48, "hidden_size": 16,
      "num_layers": 2, "num_heads": 2, "score_cap": 0.5}})";
  for (bool toBFloat16 : {false, true})
    expectSameBits([&] { return factory(spec); }, toBFloat16, 48);
}

TEST(CaptureReplay, CustomModelRefusesItsConfig) {
  ModelFactory factory = loadModelPlugin(NXDT_TEST_CUSTOM_MODEL);
  ModelSpec spec;
  spec.microBatchSize = 2;
  spec.sequenceLength = 8;
  spec.sectionJson = R"({"plugin_config": {"vocab_size": 48, "hidden_size": 16,
      "num_layers": 2, "num_heads": 3}})";
  Problems problems;
  EXPECT_FALSE(
      captureModule([&] { return factory(spec); }, {2, 8, false}, problems));
  ASSERT_EQ(problems.finish().size(), 1u);
  EXPECT_EQ(problems.finish()[0].message,
            "the constructor failed: model.plugin_config.num_heads is 3, but "
            "must divide hidden_size 16");
}
#endif
