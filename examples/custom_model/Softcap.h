//===- Softcap.h - an operator of the example's own -------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_EXAMPLES_CUSTOM_MODEL_SOFTCAP_H
#define NXDT_EXAMPLES_CUSTOM_MODEL_SOFTCAP_H

#include <ATen/core/Tensor.h>

namespace custom_model {

/// cap * tanh(x / cap), element by element: keeps attention scores within
/// (-cap, cap). Calls the operator `custom_model::softcap`.
at::Tensor softcap(const at::Tensor &x, double cap);

} // namespace custom_model

#endif // NXDT_EXAMPLES_CUSTOM_MODEL_SOFTCAP_H
