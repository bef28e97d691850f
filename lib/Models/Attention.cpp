//===- Attention.cpp - rotary embedding and written-out attention ---------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The order of operations is that of transformers, so that a run in the same
// precision rounds the same way. Fusing it is a pass's work.
//
//===----------------------------------------------------------------------===//
#include "Models/Layers.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/where.h>

#include <cmath>
#include <limits>
#include <numbers>

using namespace nxdt;
using namespace nxdt::llama;

//===----------------------------------------------------------------------===//
// Rotary embedding
//===----------------------------------------------------------------------===//

/// Long wavelengths are stretched by `factor`, short ones stay, and between
/// the two the frequencies are interpolated.
static at::Tensor scaleLlama3(const at::Tensor &inverse,
                              const RopeScaling &scaling) {
  double original = scaling.originalMaxPositionEmbeddings;
  double lowWavelength = original / scaling.lowFreqFactor;
  double highWavelength = original / scaling.highFreqFactor;
  at::Tensor wavelength = inverse.reciprocal() * (2 * std::numbers::pi);
  at::Tensor isLong = wavelength.gt(lowWavelength);
  at::Tensor isShort = wavelength.lt(highWavelength);
  at::Tensor scaled = at::where(isLong, inverse / scaling.factor, inverse);
  at::Tensor smooth =
      (wavelength.reciprocal() * original - scaling.lowFreqFactor) /
      (scaling.highFreqFactor - scaling.lowFreqFactor);
  at::Tensor stretched = (smooth.neg() + 1) * scaled / scaling.factor;
  at::Tensor between = stretched + smooth * scaled;
  at::Tensor isBetween = isLong.logical_or(isShort).logical_not();
  return at::where(isBetween, between, scaled);
}

at::Tensor llama::inverseFrequencies(const LlamaConfig &config) {
  at::Tensor even = at::arange(0, config.headDim, 2, at::kLong).to(at::kFloat);
  at::Tensor inverse =
      at::pow(config.ropeTheta, even / static_cast<double>(config.headDim))
          .reciprocal();
  switch (config.ropeScaling.kind) {
  case RopeScaling::Kind::Default:
    return inverse;
  case RopeScaling::Kind::Linear:
    return inverse / config.ropeScaling.factor;
  case RopeScaling::Kind::Llama3:
    return scaleLlama3(inverse, config.ropeScaling);
  }
  return inverse;
}

std::pair<at::Tensor, at::Tensor> llama::rotaryTables(const LlamaConfig &config,
                                                      int64_t sequenceLength,
                                                      at::ScalarType dtype) {
  at::NoGradGuard noGrad;
  at::Tensor positions = at::arange(sequenceLength, at::kLong).to(at::kFloat);
  at::Tensor inverse = inverseFrequencies(config);
  positions = positions.unsqueeze(1);
  at::Tensor angles = positions * inverse.unsqueeze(0);
  at::Tensor both = at::cat({angles, angles}, -1).unsqueeze(0);
  at::Tensor cos = both.cos().to(dtype);
  at::Tensor sin = both.sin().to(dtype);
  return {cos, sin};
}

at::Tensor llama::rotate(const at::Tensor &x, const at::Tensor &cos,
                         const at::Tensor &sin) {
  int64_t half = x.size(-1) / 2;
  at::Tensor first = x.slice(-1, 0, half);
  at::Tensor second = x.slice(-1, half, x.size(-1));
  at::Tensor turned = at::cat({-second, first}, -1);
  at::Tensor kept = x * cos.unsqueeze(1);
  return kept + turned * sin.unsqueeze(1);
}

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

Attention::Attention(const LlamaConfig &c)
    : numHeads(c.numAttentionHeads), numKvHeads(c.numKeyValueHeads),
      headDim(c.headDim) {
  auto make = [&](int64_t in, int64_t out) {
    return std::make_shared<Linear>(in, out, c.attentionBias,
                                    c.initializerRange);
  };
  qProj = register_module("q_proj", make(c.hiddenSize, numHeads * headDim));
  kProj = register_module("k_proj", make(c.hiddenSize, numKvHeads * headDim));
  vProj = register_module("v_proj", make(c.hiddenSize, numKvHeads * headDim));
  oProj = register_module("o_proj", make(numHeads * headDim, c.hiddenSize));
}

/// [B,kvHeads,S,D] -> [B,kvHeads*groups,S,D]: every head `groups` times.
static at::Tensor repeatKv(const at::Tensor &x, int64_t groups) {
  if (groups == 1)
    return x;
  int64_t b = x.size(0), heads = x.size(1), s = x.size(2), d = x.size(3);
  return x.unsqueeze(2)
      .expand({b, heads, groups, s, d})
      .reshape({b, heads * groups, s, d});
}

at::Tensor Attention::forward(const at::Tensor &x, const at::Tensor &cos,
                              const at::Tensor &sin, const at::Tensor &future) {
  ModuleScope scope(*this);
  int64_t b = x.size(0), s = x.size(1);
  auto split = [&](const at::Tensor &y, int64_t heads) {
    return y.view({b, s, heads, headDim}).transpose(1, 2);
  };
  at::Tensor q = split(qProj->forward(x), numHeads);
  at::Tensor k = split(kProj->forward(x), numKvHeads);
  at::Tensor v = split(vProj->forward(x), numKvHeads);
  q = rotate(q, cos, sin);
  k = rotate(k, cos, sin);
  k = repeatKv(k, numHeads / numKvHeads);
  v = repeatKv(v, numHeads / numKvHeads);

  double scale = 1.0 / std::sqrt(static_cast<double>(headDim));
  at::Tensor scores = at::matmul(q, k.transpose(2, 3)) * scale;
  scores = scores.masked_fill(future, -std::numeric_limits<double>::infinity());
  at::Tensor weights = at::softmax(scores, -1, at::kFloat).to(q.scalar_type());
  at::Tensor out = at::matmul(weights, v);
  out = out.transpose(1, 2).reshape({b, s, numHeads * headDim});
  return oProj->forward(out);
}
