//===- LlamaTest.cpp - Llama against Hugging Face's numbers ---------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The module itself, run eagerly by libtorch on real tensors: loss and gradient
// norm of a reference run's first step, which transformers computed.
//
//===----------------------------------------------------------------------===//
#include "Models/Llama.h"
#include "Models/Layers.h"

#include "nxdt/Config/Load.h"
#include "nxdt/Support/UserError.h"
#include "runtime/Checkpoint/HuggingFace.h"
#include "runtime/Checkpoint/TorchTensor.h"
#include "runtime/Data/Dataset.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>

using namespace nxdt;
namespace fs = std::filesystem;

static std::vector<fs::path> referenceRuns() {
  std::vector<fs::path> found;
  for (const char *root : {NXDT_OWN_CASES, NXDT_GOLDEN_DIR})
    if (fs::is_directory(root))
      for (const auto &entry : fs::directory_iterator(root))
        if (fs::exists(entry.path() / "expected.json"))
          found.push_back(entry.path());
  std::sort(found.begin(), found.end());
  return found;
}

static std::string nameOf(const testing::TestParamInfo<fs::path> &info) {
  return info.param.filename().string();
}

/// Parameters once each, with the names that are tied to them.
static std::vector<runtime::ParamSpec> specs(const Model &model,
                                             runtime::TiedNames &tied) {
  std::vector<runtime::ParamSpec> result;
  std::map<const void *, std::string> seen;
  for (const auto &entry : model.named_parameters()) {
    auto [it, isNew] =
        seen.try_emplace(entry.value().unsafeGetTensorImpl(), entry.key());
    if (isNew)
      result.push_back({entry.key(), entry.value().sizes().vec()});
    else
      tied.emplace_back(entry.key(), it->second);
  }
  return result;
}

static void load(Model &model, const std::string &dir) {
  runtime::TiedNames tied;
  auto wanted = specs(model, tied);
  auto weights = runtime::HuggingFaceWeights::open(dir, wanted, tied);
  at::NoGradGuard noGrad;
  auto parameters = model.named_parameters();
  for (const runtime::ParamSpec &spec : wanted)
    parameters[spec.name].copy_(runtime::toTorch(weights.fp32(spec.name)));
}

class ReferenceRun : public testing::TestWithParam<fs::path> {};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(ReferenceRun);

TEST_P(ReferenceRun, FirstStep) {
  RunConfig run = loadRunConfig({GetParam() / "config.yaml", {}, true}).run;
  std::shared_ptr<Model> model = makeLlama(run.model.llama);
  load(*model, GetParam() / "hf");
  auto data = runtime::Dataset::open(
      run.data.trainDir, run.model.encoderSeqLength, run.model.llama.vocabSize);
  runtime::Batch batch = data.batch(0, run.data.globalBatchSize);
  at::Tensor logits = model->forward(batch.inputIds);
  EXPECT_EQ(logits.sizes(), (std::vector<int64_t>{run.data.globalBatchSize,
                                                  run.model.encoderSeqLength,
                                                  run.model.llama.vocabSize}));
  at::Tensor loss = at::cross_entropy_loss(logits.flatten(0, 1).to(at::kDouble),
                                           batch.targets.flatten());
  loss.backward();
  at::Tensor squares = at::zeros({}, at::kDouble);
  runtime::TiedNames tied;
  auto parameters = model->named_parameters();
  for (const runtime::ParamSpec &spec : specs(*model, tied))
    squares += parameters[spec.name].grad().to(at::kDouble).pow(2).sum();

  std::ifstream file(GetParam() / "expected.json");
  auto expected = nlohmann::json::parse(file)["steps"][0];
  double expectedLoss = expected["loss"], expectedNorm = expected["grad_norm"];
  EXPECT_NEAR(loss.item<double>() / expectedLoss, 1.0, 2e-6);
  EXPECT_NEAR(std::sqrt(squares.item<double>()) / expectedNorm, 1.0, 1e-5);
}

INSTANTIATE_TEST_SUITE_P(Llama, ReferenceRun,
                         testing::ValuesIn(referenceRuns()), nameOf);

//===----------------------------------------------------------------------===//
// Parts
//===----------------------------------------------------------------------===//

static LlamaConfig small() {
  LlamaConfig c;
  c.vocabSize = 11;
  c.hiddenSize = 8;
  c.intermediateSize = 6;
  c.numHiddenLayers = 1;
  c.numAttentionHeads = 4;
  c.numKeyValueHeads = 2;
  c.headDim = 6; // Not hidden / heads.
  c.maxPositionEmbeddings = 16;
  c.initializerRange = 0.3;
  return c;
}

TEST(Llama, InverseFrequencies) {
  LlamaConfig c = small();
  c.headDim = 8;
  auto numbers = [&] {
    at::Tensor t = llama::inverseFrequencies(c);
    return std::vector<float>(t.data_ptr<float>(),
                              t.data_ptr<float>() + t.numel());
  };
  auto expectNear = [&](std::vector<double> expected) {
    std::vector<float> actual = numbers();
    ASSERT_EQ(actual.size(), expected.size());
    for (size_t i = 0; i < actual.size(); ++i)
      EXPECT_NEAR(actual[i], expected[i], 1e-6 * expected[i]) << i;
  };
  expectNear({1.0, 1e-1, 1e-2, 1e-3});
  c.ropeScaling = {RopeScaling::Kind::Linear, 4.0, 1.0, 4.0, 0};
  expectNear({0.25, 0.25e-1, 0.25e-2, 0.25e-3});
  // Wavelengths 6.3, 62.8, 628, 6283 against 1024 / 4 and 1024 / 1: kept, kept,
  // between, stretched.
  c.ropeScaling = {RopeScaling::Kind::Llama3, 8.0, 1.0, 4.0, 1024};
  double smooth = (1024.0 * 1e-2 / (2 * M_PI) - 1.0) / 3.0;
  expectNear({1.0, 1e-1, (1 - smooth) * 1e-2 / 8 + smooth * 1e-2, 1e-3 / 8});
}

TEST(Llama, IsCausal) {
  std::shared_ptr<Model> model = makeLlama(small());
  at::NoGradGuard noGrad;
  at::Tensor ids = at::arange(7).unsqueeze(0);
  at::Tensor changed = ids.clone();
  changed[0][5] = 10;
  at::Tensor before = model->forward(ids), after = model->forward(changed);
  EXPECT_TRUE(at::equal(before.slice(1, 0, 5), after.slice(1, 0, 5)));
  EXPECT_FALSE(at::equal(before.select(1, 5), after.select(1, 5)));
}

TEST(Llama, InBFloat16) {
  LlamaConfig c = small();
  c.tieWordEmbeddings = true;
  std::shared_ptr<Model> model = makeLlama(c);
  at::NoGradGuard noGrad;
  at::Tensor ids = at::arange(7).unsqueeze(0);
  at::Tensor exact = model->forward(ids);
  model->to(at::kBFloat16);
  at::Tensor rounded = model->forward(ids);
  EXPECT_EQ(rounded.scalar_type(), at::kBFloat16);
  EXPECT_LT((rounded.to(at::kFloat) - exact).abs().max().item<float>(),
            0.05 * exact.abs().max().item<float>());
  // Still one tensor.
  EXPECT_TRUE(model->named_parameters()["lm_head.weight"].is_alias_of(
      model->named_parameters()["model.embed_tokens.weight"]));
}

TEST(Llama, Initialisation) {
  LlamaConfig c = small();
  c.vocabSize = 4096;
  c.attentionBias = true;
  std::shared_ptr<Model> model = makeLlama(c);
  auto parameters = model->named_parameters();
  EXPECT_NEAR(parameters["lm_head.weight"].std().item<float>(), 0.3, 0.01);
  EXPECT_NEAR(parameters["lm_head.weight"].mean().item<float>(), 0.0, 0.01);
  EXPECT_TRUE(at::equal(parameters["model.norm.weight"], at::ones({8})));
  EXPECT_TRUE(at::equal(parameters["model.layers.0.self_attn.q_proj.bias"],
                        at::zeros({24})));
}

TEST(Llama, Refusals) {
  auto message = [](const LlamaConfig &c) -> std::string {
    try {
      makeLlama(c);
    } catch (const UserError &error) {
      return error.what();
    }
    return "accepted";
  };
  LlamaConfig c = small();
  c.numKeyValueHeads = 3;
  EXPECT_EQ(message(c), "model: num_key_value_heads is 3, but "
                        "num_attention_heads is 4 and 4 % 3 = 1; legal are 1, "
                        "2, 4");
  c = small();
  c.headDim = 7;
  EXPECT_NE(message(c).find("head_dim is 7"), std::string::npos);
  c = small();
  c.numHiddenLayers = 0;
  EXPECT_EQ(message(c), "model: num_hidden_layers is 0, must be at least 1");
}
