//===- Llama.cpp - Hugging Face's Llama as a libtorch module --------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Models/Llama.h"

#include "Models/Layers.h"

#include "nxdt/Support/UserError.h"

#include <ATen/ops/ones.h>
#include <ATen/ops/triu.h>

using namespace nxdt;
using namespace nxdt::llama;

namespace {

/// `model.layers`: only a name.
struct LayerList : torch::nn::Module {
  explicit LayerList(const LlamaConfig &config) {
    for (int64_t i = 0; i < config.numHiddenLayers; ++i)
      layers.push_back(register_module(std::to_string(i),
                                       std::make_shared<DecoderLayer>(config)));
  }
  std::vector<std::shared_ptr<DecoderLayer>> layers;
};

/// `model`: ids -> hidden states.
struct Decoder : torch::nn::Module {
  explicit Decoder(const LlamaConfig &c) : config(c) {
    embedTokens = register_module(
        "embed_tokens", std::make_shared<Embedding>(c.vocabSize, c.hiddenSize,
                                                    c.initializerRange));
    layers = register_module("layers", std::make_shared<LayerList>(c));
    norm = register_module(
        "norm", std::make_shared<RmsNorm>(c.hiddenSize, c.rmsNormEps));
  }

  at::Tensor forward(const at::Tensor &ids) {
    ModuleScope scope(*this);
    at::Tensor h = embedTokens->forward(ids);
    int64_t s = ids.size(1);
    auto [cos, sin] = rotaryTables(config, s, h.scalar_type());
    // True where a query would look into its future.
    at::Tensor future =
        at::ones({s, s}, at::TensorOptions().dtype(at::kBool)).triu(1);
    for (auto &layer : layers->layers)
      h = layer->forward(h, cos, sin, future);
    return norm->forward(h);
  }

  LlamaConfig config;
  std::shared_ptr<Embedding> embedTokens;
  std::shared_ptr<LayerList> layers;
  std::shared_ptr<RmsNorm> norm;
};

struct LlamaForCausalLM : Model {
  explicit LlamaForCausalLM(const LlamaConfig &c) {
    model = register_module("model", std::make_shared<Decoder>(c));
    lmHead = register_module(
        "lm_head",
        c.tieWordEmbeddings
            ? std::make_shared<Linear>(model->embedTokens->weight)
            : std::make_shared<Linear>(c.hiddenSize, c.vocabSize,
                                       /*hasBias=*/false, c.initializerRange));
  }

  at::Tensor forward(at::Tensor inputIds) override {
    ModuleScope scope(*this);
    return lmHead->forward(model->forward(inputIds));
  }

  std::shared_ptr<Decoder> model;
  std::shared_ptr<Linear> lmHead;
};

} // namespace

static void wantPositive(const char *key, int64_t value) {
  if (value < 1)
    throw UserError(std::string("model: ") + key + " is " +
                    std::to_string(value) + ", must be at least 1");
}

void nxdt::verifyLlamaConfig(const LlamaConfig &c) {
  wantPositive("vocab_size", c.vocabSize);
  wantPositive("hidden_size", c.hiddenSize);
  wantPositive("intermediate_size", c.intermediateSize);
  wantPositive("num_hidden_layers", c.numHiddenLayers);
  wantPositive("num_attention_heads", c.numAttentionHeads);
  wantPositive("num_key_value_heads", c.numKeyValueHeads);
  wantPositive("head_dim", c.headDim);
  if (c.headDim % 2 != 0)
    throw UserError("model: head_dim is " + std::to_string(c.headDim) +
                    ", but rotary embedding turns pairs: it must be even");
  if (c.numAttentionHeads % c.numKeyValueHeads == 0)
    return;
  std::string legal;
  for (int64_t kv = 1; kv <= c.numAttentionHeads; ++kv)
    if (c.numAttentionHeads % kv == 0)
      legal += (legal.empty() ? "" : ", ") + std::to_string(kv);
  throw UserError(
      "model: num_key_value_heads is " + std::to_string(c.numKeyValueHeads) +
      ", but num_attention_heads is " + std::to_string(c.numAttentionHeads) +
      " and " + std::to_string(c.numAttentionHeads) + " % " +
      std::to_string(c.numKeyValueHeads) + " = " +
      std::to_string(c.numAttentionHeads % c.numKeyValueHeads) +
      "; legal are " + legal);
}

std::shared_ptr<Model> nxdt::makeLlama(const LlamaConfig &config) {
  verifyLlamaConfig(config);
  return std::make_shared<LlamaForCausalLM>(config);
}
