//===- Layers.h - the layers that Llama is made of --------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// B batch, S sequence, H hidden size, D head dimension.
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_MODELS_LAYERS_H
#define NXDT_MODELS_LAYERS_H

#include "nxdt/Config/RunConfig.h"
#include "nxdt/Model.h"

#include <utility>

namespace nxdt::llama {

/// y = x W^T + b; W is normal(0, initializerRange), b zero.
struct Linear : torch::nn::Module {
  Linear(int64_t in, int64_t out, bool hasBias, double initializerRange);
  /// Shares `weight` with another module (tied embeddings).
  explicit Linear(at::Tensor sharedWeight);
  at::Tensor forward(const at::Tensor &x);
  at::Tensor weight, bias;
};

/// A table of `num` rows, normal(0, initializerRange).
struct Embedding : torch::nn::Module {
  Embedding(int64_t num, int64_t dim, double initializerRange);
  /// ids [B,S] -> [B,S,H].
  at::Tensor forward(const at::Tensor &ids);
  at::Tensor weight;
};

/// Root mean square norm over the last dimension, in fp32.
struct RmsNorm : torch::nn::Module {
  RmsNorm(int64_t dim, double eps);
  at::Tensor forward(const at::Tensor &x);
  at::Tensor weight;
  double eps;
};

/// cos and sin of the rotary embedding, [1,S,D] of `dtype`, computed in fp32
/// from the position numbers.
std::pair<at::Tensor, at::Tensor> rotaryTables(const LlamaConfig &config,
                                               int64_t sequenceLength,
                                               at::ScalarType dtype);

/// The inverse frequencies behind it, [D/2] fp32, scaled as configured.
at::Tensor inverseFrequencies(const LlamaConfig &config);

/// Rotates x [B,heads,S,D] by cos, sin [1,S,D].
at::Tensor rotate(const at::Tensor &x, const at::Tensor &cos,
                  const at::Tensor &sin);

/// Causal grouped-query attention, written out.
struct Attention : torch::nn::Module {
  explicit Attention(const LlamaConfig &config);
  at::Tensor forward(const at::Tensor &x, const at::Tensor &cos,
                     const at::Tensor &sin, const at::Tensor &future);
  std::shared_ptr<Linear> qProj, kProj, vProj, oProj;
  int64_t numHeads, numKvHeads, headDim;
};

/// down(silu(gate(x)) * up(x)).
struct Mlp : torch::nn::Module {
  explicit Mlp(const LlamaConfig &config);
  at::Tensor forward(const at::Tensor &x);
  std::shared_ptr<Linear> gateProj, upProj, downProj;
};

/// Attention and MLP, each behind a norm and around a residual.
struct DecoderLayer : torch::nn::Module {
  explicit DecoderLayer(const LlamaConfig &config);
  at::Tensor forward(const at::Tensor &x, const at::Tensor &cos,
                     const at::Tensor &sin, const at::Tensor &future);
  std::shared_ptr<Attention> selfAttn;
  std::shared_ptr<Mlp> mlp;
  std::shared_ptr<RmsNorm> inputLayernorm, postAttentionLayernorm;
};

} // namespace nxdt::llama

#endif // NXDT_MODELS_LAYERS_H
