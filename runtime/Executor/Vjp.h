//===- Vjp.h - gradients by libtorch's own autograd -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_EXECUTOR_VJP_H
#define NXDT_RUNTIME_EXECUTOR_VJP_H

#include "runtime/Executor/Bind.h"

#include <optional>
#include <vector>

namespace nxdt::runtime {

/// Runs the operator again under autograd, on detached arguments, and takes its
/// vector-Jacobian product. Works inside guards that switch gradients off.
/// `values` are the program's; the result has an entry per `bound.outs`,
/// undefined where that is -1. A gradient that does not exist is zeros.
std::vector<at::Tensor> runVjp(const BoundInstruction &bound,
                               const std::vector<at::Tensor> &values);

/// Calls the operator and returns its tensor results, lists flattened.
/// `stack` is used up.
void callFlat(const c10::OperatorHandle &op, std::vector<c10::IValue> &stack,
              std::vector<at::Tensor> &results);

} // namespace nxdt::runtime

#endif // NXDT_RUNTIME_EXECUTOR_VJP_H
