//===- CustomModel.cpp - a model that is not Llama ------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A decoder with learned positions, LayerNorm, GELU and capped attention
// scores, out of libtorch's own layers. Nothing here knows of nxdt but the base
// class and the last line.
//
//===----------------------------------------------------------------------===//
#include "Softcap.h"

#include "nxdt/Model.h"

#include <ATen/ops/gelu.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/triu.h>
#include <nlohmann/json.hpp>
#include <torch/nn/modules/embedding.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/normalization.h>

#include <cmath>
#include <limits>
#include <stdexcept>

namespace {

/// `model.plugin_config` of the YAML.
struct Settings {
  int64_t vocabSize, hiddenSize, numLayers, numHeads;
  double scoreCap;

  explicit Settings(const nxdt::ModelSpec &spec) {
    auto section = nlohmann::json::parse(spec.sectionJson);
    if (!section.contains("plugin_config"))
      throw std::runtime_error("custom_model needs model.plugin_config");
    const nlohmann::json &config = section["plugin_config"];
    vocabSize = config.at("vocab_size");
    hiddenSize = config.at("hidden_size");
    numLayers = config.at("num_layers");
    numHeads = config.at("num_heads");
    scoreCap = config.value("score_cap", 30.0);
    if (numHeads < 1 || hiddenSize % numHeads != 0)
      throw std::runtime_error(
          "model.plugin_config.num_heads is " + std::to_string(numHeads) +
          ", but must divide hidden_size " + std::to_string(hiddenSize));
  }
};

/// x + attention(norm(x)), then x + mlp(norm(x)).
struct Block : torch::nn::Module {
  explicit Block(const Settings &s)
      : numHeads(s.numHeads), scoreCap(s.scoreCap) {
    int64_t h = s.hiddenSize;
    auto norm = [&] {
      return torch::nn::LayerNorm(torch::nn::LayerNormOptions({h}));
    };
    attentionNorm = register_module("attention_norm", norm());
    qkv = register_module("qkv", torch::nn::Linear(h, 3 * h));
    out = register_module("out", torch::nn::Linear(h, h));
    mlpNorm = register_module("mlp_norm", norm());
    up = register_module("up", torch::nn::Linear(h, 4 * h));
    down = register_module("down", torch::nn::Linear(4 * h, h));
  }

  /// x [B,S,H]; `future` [S,S] is true where a query must not look.
  at::Tensor forward(at::Tensor x, const at::Tensor &future) {
    x = x + attention(attentionNorm->forward(x), future);
    return x + down->forward(at::gelu(up->forward(mlpNorm->forward(x))));
  }

  at::Tensor attention(const at::Tensor &x, const at::Tensor &future) {
    int64_t b = x.size(0), s = x.size(1), h = x.size(2), d = h / numHeads;
    at::Tensor heads =
        qkv->forward(x).view({b, s, 3, numHeads, d}).permute({2, 0, 3, 1, 4});
    at::Tensor q = heads.select(0, 0);
    at::Tensor k = heads.select(0, 1);
    at::Tensor v = heads.select(0, 2);
    at::Tensor scores = at::matmul(q, k.transpose(2, 3)) / std::sqrt(d);
    scores = custom_model::softcap(scores, scoreCap);
    scores =
        scores.masked_fill(future, -std::numeric_limits<double>::infinity());
    at::Tensor mixed = at::matmul(at::softmax(scores, -1), v);
    return out->forward(mixed.transpose(1, 2).reshape({b, s, h}));
  }

  int64_t numHeads;
  double scoreCap;
  torch::nn::LayerNorm attentionNorm{nullptr}, mlpNorm{nullptr};
  torch::nn::Linear qkv{nullptr}, out{nullptr}, up{nullptr}, down{nullptr};
};

struct Decoder : nxdt::Model {
  Decoder(const Settings &s, int64_t sequenceLength) {
    tokens = register_module("tokens",
                             torch::nn::Embedding(s.vocabSize, s.hiddenSize));
    positions = register_parameter(
        "positions", at::randn({sequenceLength, s.hiddenSize}) * 0.02);
    // Not a weight: computed once, by the constructor.
    future =
        register_buffer("future", at::ones({sequenceLength, sequenceLength},
                                           at::dtype(at::kBool))
                                      .triu(1));
    for (int64_t i = 0; i < s.numLayers; ++i)
      blocks.push_back(register_module("block" + std::to_string(i),
                                       std::make_shared<Block>(s)));
    norm = register_module(
        "norm",
        torch::nn::LayerNorm(torch::nn::LayerNormOptions({s.hiddenSize})));
    head = register_module(
        "head",
        torch::nn::Linear(
            torch::nn::LinearOptions(s.hiddenSize, s.vocabSize).bias(false)));
    at::NoGradGuard noGrad;
    tokens->weight.normal_(0.0, 0.02);
  }

  at::Tensor forward(at::Tensor ids) override {
    at::Tensor x = tokens->forward(ids) + positions;
    for (const auto &block : blocks)
      x = block->forward(x, future);
    return head->forward(norm->forward(x));
  }

  torch::nn::Embedding tokens{nullptr};
  at::Tensor positions, future;
  std::vector<std::shared_ptr<Block>> blocks;
  torch::nn::LayerNorm norm{nullptr};
  torch::nn::Linear head{nullptr};
};

} // namespace

static std::shared_ptr<nxdt::Model> makeModel(const nxdt::ModelSpec &spec) {
  return std::make_shared<Decoder>(Settings(spec), spec.sequenceLength);
}

NXDT_REGISTER_MODEL(makeModel)
