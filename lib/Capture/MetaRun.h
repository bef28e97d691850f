//===- MetaRun.h - results without data -------------------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_CAPTURE_METARUN_H
#define NXDT_CAPTURE_METARUN_H

#include <ATen/core/Tensor.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/stack.h>

namespace nxdt::capture {

/// Runs one operator on meta tensors: with its own meta kernel; by a shape
/// function for a few common operators that lack one; else once on zeros on
/// the CPU, whose result shapes are taken.
class MetaRun {
public:
  /// `below`: the dispatch keys under the one that capture listens on.
  MetaRun(const c10::OperatorHandle &op, c10::DispatchKeySet below)
      : op(op), below(below) {}

  /// Replaces the arguments on `stack` by the results. Throws what the
  /// operator throws on the CPU.
  void run(torch::jit::Stack &stack);

  /// What the operators inside of this one did, told by the listener.
  struct Inside {
    bool drewRandom = false;
    bool readData = false;
  };
  void note(const c10::OperatorHandle &inner,
            c10::ArrayRef<c10::IValue> arguments);
  const Inside &inside() const { return seen; }

  /// Whether a result (its shape, or a plain number) depends on the contents
  /// of tensors.
  bool dependsOnData() const { return isDataDependent; }

private:
  void runOnZeros(torch::jit::Stack &stack);
  torch::jit::Stack runOnCpu(const torch::jit::Stack &arguments, bool isVaried);

  const c10::OperatorHandle &op;
  c10::DispatchKeySet below;
  Inside seen;
  bool isOnCpu = false;
  bool isDataDependent = false;
  /// Copies on the CPU of the tensors in the arguments.
  std::vector<std::pair<at::Tensor, at::Tensor>> copies;
};

/// An empty meta tensor; part of the autograd graph if `needsGrad`.
at::Tensor emptyMeta(at::IntArrayRef sizes, at::IntArrayRef strides,
                     at::ScalarType dtype, bool needsGrad);

/// Whether autograd would follow the results of a call with `arguments`.
bool needsGrad(c10::ArrayRef<c10::IValue> arguments);

/// Results for operators without meta kernel whose shape is known anyway;
/// false leaves the stack as it is.
bool runKnownShape(const std::string &callee, torch::jit::Stack &stack);

} // namespace nxdt::capture

#endif // NXDT_CAPTURE_METARUN_H
