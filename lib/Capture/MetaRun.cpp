//===- MetaRun.cpp - results without data ---------------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "MetaRun.h"

#include "CallArguments.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/empty_strided.h>
#include <torch/csrc/autograd/grad_mode.h>

using namespace nxdt::capture;

/// Above this, an operator without meta kernel is an error instead of a run.
constexpr int64_t kMaxZerosBytes = int64_t(2) << 30;

at::Tensor nxdt::capture::emptyMeta(at::IntArrayRef sizes,
                                    at::IntArrayRef strides,
                                    at::ScalarType dtype, bool needsGrad) {
  at::Tensor result = at::empty_strided(
      sizes, strides, at::TensorOptions().dtype(dtype).device(at::kMeta));
  if (!needsGrad || !at::isFloatingType(dtype))
    return result;
  // A leaf would refuse to be changed in place.
  return result.requires_grad_().clone();
}

bool nxdt::capture::needsGrad(c10::ArrayRef<c10::IValue> arguments) {
  bool needs = false;
  for (const c10::IValue &value : arguments)
    forEachTensor(value, [&](const at::Tensor &tensor) {
      needs |= tensor.defined() && tensor.requires_grad();
    });
  return needs && at::GradMode::is_enabled();
}

void MetaRun::note(const c10::OperatorHandle &inner,
                   c10::ArrayRef<c10::IValue> arguments) {
  seen.drewRandom |= isRandomCall(inner, arguments);
  // On meta tensors reading data fails by itself.
  seen.readData |= isOnCpu && (inner.hasTag(at::Tag::data_dependent_output) ||
                               inner.hasTag(at::Tag::dynamic_output_shape));
}

void MetaRun::run(torch::jit::Stack &stack) {
  if (runKnownShape(calleeName(op.schema()), stack))
    return;
  torch::jit::Stack arguments = stack;
  try {
    op.redispatchBoxed(below, &stack);
    return;
  } catch (const std::exception &) {
    // No meta kernel, or a mistake of the user's: on the CPU it shows, and
    // with the message that the user knows.
    stack = std::move(arguments);
  }
  runOnZeros(stack);
}

//===----------------------------------------------------------------------===//
// Once on zeros
//===----------------------------------------------------------------------===//

/// Number of elements between the first and the last, at least 0.
static int64_t extent(const at::Tensor &tensor) {
  if (tensor.numel() == 0)
    return 0;
  int64_t last = 0;
  for (int64_t i = 0; i < tensor.dim(); ++i)
    last += (tensor.size(i) - 1) * tensor.stride(i);
  return last + 1;
}

/// Fills with different numbers; integers stay small enough to be indices.
static void vary(const at::Tensor &tensor) {
  at::Tensor flat = tensor.as_strided({extent(tensor)}, {1});
  int64_t period = tensor.is_floating_point() ? 7 : 2;
  flat.copy_(at::arange(flat.numel()).remainder(period));
}

torch::jit::Stack MetaRun::runOnCpu(const torch::jit::Stack &arguments,
                                    bool isVaried) {
  copies.clear();
  torch::jit::Stack stack = arguments;
  for (c10::IValue &value : stack)
    mapTensors(value, [&](const at::Tensor &meta) {
      for (const auto &[original, copy] : copies)
        if (original.is_same(meta))
          return copy;
      at::Tensor copy = at::empty_strided(
          meta.sizes(), meta.strides(),
          at::TensorOptions().dtype(meta.scalar_type()).device(at::kCPU));
      copy.zero_();
      if (isVaried)
        vary(copy);
      copies.emplace_back(meta, copy);
      return copy;
    });
  setDevice(op.schema(), stack, at::kCPU);
  at::NoGradGuard noGrad;
  op.callBoxed(&stack);
  return stack;
}

/// Whether two runs gave results of the same shapes, and no plain numbers.
static bool sameShapes(const torch::jit::Stack &a, const torch::jit::Stack &b) {
  for (size_t i = 0; i < a.size(); ++i) {
    std::vector<at::IntArrayRef> shapes[2];
    forEachTensor(a[i], [&](const at::Tensor &tensor) {
      shapes[0].push_back(tensor.sizes());
    });
    forEachTensor(b[i], [&](const at::Tensor &tensor) {
      shapes[1].push_back(tensor.sizes());
    });
    if (shapes[0] != shapes[1] || (shapes[0].empty() && !a[i].isList()))
      return false;
  }
  return true;
}

void MetaRun::runOnZeros(torch::jit::Stack &stack) {
  int64_t bytes = 0;
  for (const c10::IValue &value : stack)
    forEachTensor(value, [&](const at::Tensor &tensor) {
      if (tensor.defined())
        bytes += extent(tensor) * static_cast<int64_t>(tensor.element_size());
    });
  TORCH_CHECK(bytes <= kMaxZerosBytes, calleeName(op.schema()),
              " has no meta kernel, and running it once on zeros to learn its "
              "result shapes would take ",
              bytes, " bytes (more than ", kMaxZerosBytes,
              "): register a kernel for the dispatch key Meta");

  bool grad = needsGrad(stack);
  isOnCpu = true;
  torch::jit::Stack results = runOnCpu(stack, /*isVaried=*/false);
  auto zeros = copies;
  if (seen.readData || op.hasTag(at::Tag::dynamic_output_shape)) {
    // The operator looked at its data. Does the outside see that?
    try {
      isDataDependent =
          !sameShapes(results, runOnCpu(stack, /*isVaried=*/true));
    } catch (const c10::Error &) {
      isDataDependent = true;
    }
  }
  isOnCpu = false;

  auto toMeta = [&](const at::Tensor &result) -> at::Tensor {
    for (const auto &[meta, copy] : zeros) {
      if (result.is_same(copy))
        return meta;
      if (result.has_storage() && result.is_alias_of(copy))
        return meta.as_strided(result.sizes(), result.strides(),
                               result.storage_offset());
    }
    std::string what;
    TORCH_CHECK(isSupported(result, what), calleeName(op.schema()), " gives ",
                what, ": not supported");
    return emptyMeta(result.sizes(), result.strides(), result.scalar_type(),
                     grad);
  };
  for (c10::IValue &value : results)
    mapTensors(value, toMeta);
  stack = std::move(results);
}
