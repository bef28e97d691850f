//===- Vjp.cpp - gradients by libtorch's own autograd -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "runtime/Executor/Vjp.h"
#include "nxdt/Support/UserError.h"

#include "ATen/core/List.h"
#include "ATen/core/grad_mode.h"
#include "ATen/ops/zeros_like.h"
#include "c10/core/impl/LocalDispatchKeySet.h"
#include "torch/csrc/autograd/autograd.h"

namespace nxdt::runtime {

void callFlat(const c10::OperatorHandle &op, std::vector<c10::IValue> &stack,
              std::vector<at::Tensor> &results) {
  op.callBoxed(stack);
  results.clear();
  for (c10::IValue &result : stack) {
    if (result.isTensor()) {
      results.push_back(std::move(result).toTensor());
      continue;
    }
    for (const at::Tensor &item : result.toTensorVector())
      results.push_back(item);
  }
  stack.clear();
}

std::vector<at::Tensor> runVjp(const BoundInstruction &bound,
                               const std::vector<at::Tensor> &values) {
  // The executor excludes autograd's keys; the thread's own set has them.
  c10::impl::LocalDispatchKeySet keys = c10::impl::tls_local_dispatch_key_set();
  keys.excluded_ = keys.excluded_ - c10::autograd_dispatch_keyset -
                   c10::DispatchKeySet(c10::DispatchKey::ADInplaceOrView);
  c10::impl::ForceDispatchKeyGuard keyGuard(keys);
  at::AutoGradMode gradMode(true);

  std::vector<at::Tensor> inputs; // those whose gradient is wanted
  std::vector<int32_t> inputOut;  // their places in bound.outs
  size_t next = 0;
  auto leaf = [&](int32_t index) {
    int32_t place = int32_t(next++);
    at::Tensor tensor = values[index].detach();
    if (bound.outs[place] >= 0) {
      tensor.requires_grad_(true);
      inputs.push_back(tensor);
      inputOut.push_back(place);
    }
    return tensor;
  };
  // The slots are in the order of the arguments within each kind, but `outs`
  // counts tensors over both kinds: walk the arguments.
  std::vector<c10::IValue> stack = bound.stack;
  size_t nextTensor = 0, nextList = 0;
  for (int32_t i = 0; i < int32_t(stack.size()); ++i) {
    if (nextTensor < bound.tensors.size() &&
        bound.tensors[nextTensor].argument == i) {
      stack[i] = leaf(bound.tensors[nextTensor++].value);
      continue;
    }
    if (nextList == bound.lists.size() || bound.lists[nextList].argument != i)
      continue;
    const BoundInstruction::ListSlot &slot = bound.lists[nextList++];
    if (slot.hasOptionalElements) {
      c10::List<std::optional<at::Tensor>> list;
      for (int32_t index : slot.values) {
        if (index < 0) {
          ++next;
          list.push_back(std::nullopt);
        } else {
          list.push_back(leaf(index));
        }
      }
      stack[i] = std::move(list);
    } else {
      c10::List<at::Tensor> list;
      for (int32_t index : slot.values)
        list.push_back(leaf(index));
      stack[i] = std::move(list);
    }
  }

  std::vector<at::Tensor> results;
  callFlat(bound.op, stack, results);
  if (results.size() != bound.gradOuts.size())
    throw UserError("has " + std::to_string(results.size()) +
                    " results, but gradients for " +
                    std::to_string(bound.gradOuts.size()));
  std::vector<at::Tensor> outputs, gradients;
  for (size_t i = 0; i < results.size(); ++i) {
    if (bound.gradOuts[i] < 0 || !results[i].requires_grad())
      continue;
    outputs.push_back(results[i]);
    gradients.push_back(values[bound.gradOuts[i]].detach());
  }
  std::vector<at::Tensor> found(inputs.size());
  if (!outputs.empty() && !inputs.empty())
    found = torch::autograd::grad(outputs, inputs, gradients,
                                  /*retain_graph=*/false,
                                  /*create_graph=*/false,
                                  /*allow_unused=*/true);
  std::vector<at::Tensor> out(bound.outs.size());
  for (size_t i = 0; i < inputs.size(); ++i)
    out[inputOut[i]] = found[i].defined() ? found[i].detach()
                                          : at::zeros_like(inputs[i].detach());
  return out;
}

} // namespace nxdt::runtime
