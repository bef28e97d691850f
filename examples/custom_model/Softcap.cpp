//===- Softcap.cpp - an operator of the example's own ---------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// All that nxdt needs of an operator: a schema, a kernel for the device that it
// trains on, and a gradient. It is registered nowhere in nxdt and has no kernel
// for the dispatch key Meta: its result shape comes from one run on zeros, and
// its gradient from libtorch's autograd at run time.
//
//===----------------------------------------------------------------------===//
#include "Softcap.h"

#include <ATen/Dispatch.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty_like.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <cmath>

TORCH_LIBRARY(custom_model, m) {
  m.def("softcap(Tensor x, float cap) -> Tensor");
}

at::Tensor custom_model::softcap(const at::Tensor &x, double cap) {
  static auto op = c10::Dispatcher::singleton()
                       .findSchemaOrThrow("custom_model::softcap", "")
                       .typed<at::Tensor(const at::Tensor &, double)>();
  return op.call(x, cap);
}

//===----------------------------------------------------------------------===//
// CPU
//===----------------------------------------------------------------------===//

static at::Tensor softcapCpu(const at::Tensor &x, double cap) {
  at::Tensor in = x.contiguous();
  at::Tensor out = at::empty_like(in);
  AT_DISPATCH_FLOATING_TYPES_AND(
      at::kBFloat16, in.scalar_type(), "softcap", [&] {
        const scalar_t *from = in.const_data_ptr<scalar_t>();
        scalar_t *to = out.mutable_data_ptr<scalar_t>();
        for (int64_t i = 0; i < in.numel(); ++i)
          to[i] = static_cast<scalar_t>(
              cap * std::tanh(static_cast<double>(from[i]) / cap));
      });
  return out;
}

TORCH_LIBRARY_IMPL(custom_model, CPU, m) { m.impl("softcap", softcapCpu); }

//===----------------------------------------------------------------------===//
// Gradient
//===----------------------------------------------------------------------===//

namespace {

/// Inside of the operator's Autograd kernel, a torch::autograd::Function is
/// welcome: capture records the operator above it. Called by a module directly
/// it would be refused, since its backward would be lost.
struct Softcap : torch::autograd::Function<Softcap> {
  static at::Tensor forward(torch::autograd::AutogradContext *context,
                            const at::Tensor &x, double cap) {
    at::AutoDispatchBelowADInplaceOrView below;
    at::Tensor y = custom_model::softcap(x, cap);
    context->save_for_backward({y});
    context->saved_data["cap"] = cap;
    return y;
  }

  static torch::autograd::variable_list
  backward(torch::autograd::AutogradContext *context,
           torch::autograd::variable_list grads) {
    double cap = context->saved_data["cap"].toDouble();
    at::Tensor t = context->get_saved_variables()[0] / cap;
    return {grads[0] * (1 - t * t), at::Tensor()};
  }
};

} // namespace

TORCH_LIBRARY_IMPL(custom_model, Autograd, m) {
  m.impl("softcap", [](const at::Tensor &x, double cap) {
    return Softcap::apply(x, cap);
  });
}
