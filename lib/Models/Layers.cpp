//===- Layers.cpp - the layers that Llama is made of ----------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Models/Layers.h"

#include <ATen/ops/embedding.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/rsqrt.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/zeros.h>

using namespace nxdt;
using namespace nxdt::llama;

static at::Tensor drawNormal(at::IntArrayRef shape, double standardDeviation) {
  at::NoGradGuard noGrad;
  return at::empty(shape, at::TensorOptions()).normal_(0.0, standardDeviation);
}

Linear::Linear(int64_t in, int64_t out, bool hasBias, double initializerRange) {
  weight =
      register_parameter("weight", drawNormal({out, in}, initializerRange));
  if (hasBias)
    bias = register_parameter("bias", at::zeros({out}, at::TensorOptions()));
}

Linear::Linear(at::Tensor sharedWeight) {
  weight = register_parameter("weight", std::move(sharedWeight));
}

at::Tensor Linear::forward(const at::Tensor &x) {
  ModuleScope scope(*this);
  return at::linear(x, weight, bias);
}

Embedding::Embedding(int64_t num, int64_t dim, double initializerRange) {
  weight =
      register_parameter("weight", drawNormal({num, dim}, initializerRange));
}

at::Tensor Embedding::forward(const at::Tensor &ids) {
  ModuleScope scope(*this);
  return at::embedding(weight, ids);
}

RmsNorm::RmsNorm(int64_t dim, double eps) : eps(eps) {
  weight = register_parameter("weight", at::ones({dim}, at::TensorOptions()));
}

at::Tensor RmsNorm::forward(const at::Tensor &x) {
  ModuleScope scope(*this);
  at::Tensor h = x.to(at::kFloat);
  at::Tensor variance = h.pow(2).mean({-1}, /*keepdim=*/true);
  h = h * at::rsqrt(variance + eps);
  return weight * h.to(x.scalar_type());
}

Mlp::Mlp(const LlamaConfig &c) {
  auto make = [&](int64_t in, int64_t out) {
    return std::make_shared<Linear>(in, out, c.mlpBias, c.initializerRange);
  };
  gateProj =
      register_module("gate_proj", make(c.hiddenSize, c.intermediateSize));
  upProj = register_module("up_proj", make(c.hiddenSize, c.intermediateSize));
  downProj =
      register_module("down_proj", make(c.intermediateSize, c.hiddenSize));
}

at::Tensor Mlp::forward(const at::Tensor &x) {
  ModuleScope scope(*this);
  // One after another: the order of evaluation within an expression is the
  // compiler's choice, and would be that of the captured operators.
  at::Tensor gate = at::silu(gateProj->forward(x));
  at::Tensor up = upProj->forward(x);
  return downProj->forward(gate * up);
}

DecoderLayer::DecoderLayer(const LlamaConfig &c) {
  selfAttn = register_module("self_attn", std::make_shared<Attention>(c));
  mlp = register_module("mlp", std::make_shared<Mlp>(c));
  inputLayernorm = register_module(
      "input_layernorm", std::make_shared<RmsNorm>(c.hiddenSize, c.rmsNormEps));
  postAttentionLayernorm =
      register_module("post_attention_layernorm",
                      std::make_shared<RmsNorm>(c.hiddenSize, c.rmsNormEps));
}

at::Tensor DecoderLayer::forward(const at::Tensor &x, const at::Tensor &cos,
                                 const at::Tensor &sin,
                                 const at::Tensor &future) {
  ModuleScope scope(*this);
  at::Tensor h =
      x + selfAttn->forward(inputLayernorm->forward(x), cos, sin, future);
  return h + mlp->forward(postAttentionLayernorm->forward(h));
}
