//===- AutogradChecks.cpp - gradients that a record would lose ------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Recorder.h"

#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/variable.h>

using namespace nxdt::capture;

/// The name of a torch::autograd::Function of the user's, or an empty text.
/// Its body shows up as ordinary operators; its backward does not.
static std::string customFunction(const torch::autograd::Node &node) {
  std::string name = node.name();
  constexpr std::string_view kPrefix = "torch::autograd::CppNode<";
  if (!name.starts_with(kPrefix))
    return {};
  name = name.substr(kPrefix.size());
  name.pop_back();
  return name;
}

static bool hasHooks(const at::Tensor &tensor) {
  if (!torch::autograd::impl::hooks(tensor).empty())
    return true;
  auto *meta = torch::autograd::impl::get_autograd_meta(tensor);
  return meta && meta->cpp_hooks_list_ && !meta->cpp_hooks_list_->empty();
}

void Recorder::checkAutograd(const at::Tensor &tensor) {
  ValueId value = find(tensor);
  if (value < 0 || !tensor.requires_grad())
    return;
  auto complain = [&](std::string message) {
    problems.add(std::move(message), bornAt[value],
                 earlier ? bornIn[value] : -1);
  };
  if (hasHooks(tensor))
    complain("a tensor has a gradient hook (register_hook), which a captured "
             "model would lose: not supported");
  // An operator whose own kernel is such a function is recorded whole, its
  // result is born with the node.
  const std::shared_ptr<torch::autograd::Node> &node = tensor.grad_fn();
  if (!node || node == bornWith[value])
    return;
  std::string name = customFunction(*node);
  if (!name.empty())
    complain("the backward of the custom torch::autograd::Function '" + name +
             "' would be lost: make it an operator (TORCH_LIBRARY) that calls "
             "the function in its Autograd kernel, see docs/CustomModel.md");
}
