//===- Shapes.h - shapes for the tests of capture ---------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_TEST_UNIT_CAPTURE_SHAPES_H
#define NXDT_TEST_UNIT_CAPTURE_SHAPES_H

#include "nxdt/Config/RunConfig.h"

namespace nxdt::test {

/// A Llama small enough to read its IR.
inline LlamaConfig tinyLlama() {
  LlamaConfig c;
  c.vocabSize = 48;
  c.hiddenSize = 16;
  c.intermediateSize = 24;
  c.numHiddenLayers = 2;
  c.numAttentionHeads = 4;
  c.numKeyValueHeads = 2;
  c.headDim = 4;
  c.maxPositionEmbeddings = 32;
  c.initializerRange = 0.02;
  return c;
}

/// Llama 3.1 405B.
inline LlamaConfig llama405b() {
  LlamaConfig c;
  c.vocabSize = 128256;
  c.hiddenSize = 16384;
  c.intermediateSize = 53248;
  c.numHiddenLayers = 126;
  c.numAttentionHeads = 128;
  c.numKeyValueHeads = 8;
  c.headDim = 128;
  c.maxPositionEmbeddings = 131072;
  c.ropeTheta = 500000;
  c.ropeScaling = {RopeScaling::Kind::Llama3, 8.0, 1.0, 4.0, 8192};
  return c;
}

} // namespace nxdt::test

#endif // NXDT_TEST_UNIT_CAPTURE_SHAPES_H
