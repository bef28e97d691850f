//===- Messages.h - tensors and errors in words -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_EXECUTOR_MESSAGES_H
#define NXDT_RUNTIME_EXECUTOR_MESSAGES_H

#include "nxdt/Plan/Plan.h"

#include "ATen/core/Tensor.h"

#include <string>

namespace nxdt::runtime {

/// "Float[2, 8]", "undefined".
std::string typeText(const at::Tensor &tensor);
std::string typeText(const plan::Value &value);

/// libtorch's messages are of several lines: the first paragraph says it.
std::string oneLine(std::string text);

} // namespace nxdt::runtime

#endif // NXDT_RUNTIME_EXECUTOR_MESSAGES_H
