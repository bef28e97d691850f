//===- Llama.h - Hugging Face's Llama as a libtorch module ------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_MODELS_LLAMA_H
#define NXDT_MODELS_LLAMA_H

#include "nxdt/Config/RunConfig.h"
#include "nxdt/Model.h"

namespace nxdt {

/// Makes the module: parameters are named as Hugging Face names them
/// (`model.layers.0.self_attn.q_proj.weight`), initialised as Hugging Face
/// does, of torch's default type; `to(kBFloat16)` gives Hugging Face's model in
/// bfloat16 (norms, softmax and RoPE stay in fp32). Attention is causal over
/// all positions.
/// Throws UserError if the shape is inconsistent (heads that do not divide,
/// sizes below 1, an odd head dimension).
std::shared_ptr<Model> makeLlama(const LlamaConfig &config);

/// The checks of makeLlama alone.
void verifyLlamaConfig(const LlamaConfig &config);

} // namespace nxdt

#endif // NXDT_MODELS_LLAMA_H
