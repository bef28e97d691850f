//===- KnownShapes.cpp - shapes of operators without meta kernel ----------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Running these once on zeros would work too, but takes the memory of their
// operands: an embedding table of a large model is gigabytes.
//
//===----------------------------------------------------------------------===//
#include "MetaRun.h"

#include "CallArguments.h"

#include <ATen/ExpandUtils.h>
#include <ATen/native/TypeProperties.h>

#include <unordered_map>

using namespace nxdt::capture;

namespace {

struct Shape {
  std::vector<int64_t> sizes;
  at::ScalarType dtype;
};

using ShapeFunction = std::optional<Shape> (*)(const torch::jit::Stack &);

/// embedding(weight, indices, ...): indices' shape and the row's.
std::optional<Shape> embedding(const torch::jit::Stack &args) {
  const at::Tensor &weight = args[0].toTensor();
  const at::Tensor &indices = args[1].toTensor();
  if (weight.dim() != 2 || !(indices.scalar_type() == at::kLong ||
                             indices.scalar_type() == at::kInt))
    return std::nullopt;
  std::vector<int64_t> sizes = indices.sizes().vec();
  sizes.push_back(weight.size(1));
  return Shape{std::move(sizes), weight.scalar_type()};
}

/// layer_norm(input, normalized_shape, weight, bias, ...): the input's.
std::optional<Shape> layerNorm(const torch::jit::Stack &args) {
  const at::Tensor &input = args[0].toTensor();
  std::vector<int64_t> normalized = args[1].toIntVector();
  auto n = static_cast<int64_t>(normalized.size());
  if (n < 1 || n > input.dim() ||
      input.sizes().slice(input.dim() - n) != normalized)
    return std::nullopt;
  for (int i : {2, 3}) {
    if (args[i].isNone() || !args[i].toTensor().defined())
      continue;
    const at::Tensor &affine = args[i].toTensor();
    if (affine.sizes() != normalized ||
        affine.scalar_type() != input.scalar_type())
      return std::nullopt;
  }
  return Shape{input.sizes().vec(), input.scalar_type()};
}

/// where(condition, self, other): all three broadcast, two types promoted.
std::optional<Shape> where(const torch::jit::Stack &args) {
  const at::Tensor &condition = args[0].toTensor();
  const at::Tensor &self = args[1].toTensor();
  const at::Tensor &other = args[2].toTensor();
  if (condition.scalar_type() != at::kBool)
    return std::nullopt;
  std::vector<int64_t> values = at::infer_size(self.sizes(), other.sizes());
  return Shape{at::infer_size(condition.sizes(), values),
               at::native::result_type(self, other)};
}

/// scaled_dot_product_attention(q, k, v, ...): q's, with v's last dimension.
std::optional<Shape> attention(const torch::jit::Stack &args) {
  const at::Tensor &q = args[0].toTensor();
  const at::Tensor &k = args[1].toTensor();
  const at::Tensor &v = args[2].toTensor();
  bool isGrouped = args.size() > 7 && args[7].isBool() && args[7].toBool();
  if (q.dim() != 4 || k.dim() != 4 || v.dim() != 4 || isGrouped ||
      q.sizes().slice(0, 2) != k.sizes().slice(0, 2) ||
      k.sizes().slice(0, 3) != v.sizes().slice(0, 3) ||
      q.size(3) != k.size(3) || q.scalar_type() != k.scalar_type() ||
      q.scalar_type() != v.scalar_type() || !args[3].isNone())
    return std::nullopt;
  return Shape{{q.size(0), q.size(1), q.size(2), v.size(3)}, q.scalar_type()};
}

} // namespace

bool nxdt::capture::runKnownShape(const std::string &callee,
                                  torch::jit::Stack &stack) {
  static const std::unordered_map<std::string, ShapeFunction> functions = {
      {"aten::embedding", embedding},
      {"aten::layer_norm", layerNorm},
      {"aten::where.self", where},
      {"aten::scaled_dot_product_attention", attention},
  };
  auto it = functions.find(callee);
  if (it == functions.end())
    return false;
  std::optional<Shape> shape = it->second(stack);
  if (!shape)
    return false; // Anything unusual is the operator's own to judge.
  std::vector<int64_t> strides(shape->sizes.size(), 1);
  for (size_t i = strides.size(); i-- > 1;)
    strides[i - 1] = strides[i] * std::max<int64_t>(shape->sizes[i], 1);
  at::Tensor result =
      emptyMeta(shape->sizes, strides, shape->dtype, needsGrad(stack));
  stack.clear();
  stack.emplace_back(std::move(result));
  return true;
}
