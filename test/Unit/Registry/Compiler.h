//===- Compiler.h - the passes under test, without MLIR in sight -*- C++
//-*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// MLIR and libtorch meet in plans only, as in the product: no file of this test
// includes both.
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_TEST_REGISTRY_COMPILER_H
#define NXDT_TEST_REGISTRY_COMPILER_H

#include "IrText.h"

namespace nxdt::test {

/// What the registry says of an operator.
struct EntryFacts {
  bool hasInfer = false, hasVjp = false, noGradient = false;
  bool returnsSelfIfSameType = false, keepsOrder = false;
  enum { Fresh, View, MaybeView } aliasing = Fresh;
};
std::vector<std::string> registeredCallees();
EntryFacts factsOf(const std::string &callee);

/// `infer` of the call; nullopt if it refuses.
std::optional<std::vector<TensorType>>
inferResults(const Sample &sample, const std::vector<TensorType> &types,
             const std::vector<TensorType> &results);
/// The entry's own estimate, or one per result element.
double flopsOf(const Sample &sample, const std::vector<TensorType> &types,
               const std::vector<TensorType> &results);

struct Compiled {
  plan::Plan plan;
  std::string ir;      ///< @gradients or @forward, before lowering
  std::string remarks; ///< diagnostics that are not errors
  int fallbacks = 0;   ///< nxdt.aten_vjp ops
};

/// Gradients of `@forward` for its parameters. The plan's program `probe`
/// writes `loss_value` and, for a parameter p, `p.gradient`. Throws
/// std::runtime_error with the diagnostics.
Compiled compileGradients(const std::string &module,
                          const std::string &device = "cpu");
/// `@forward` alone: `probe` writes its results to `out0`, `out1`, ..., but for
/// those that have a buffer.
Compiled compileForward(const std::string &module,
                        const std::string &device = "cpu");
/// The programs of a training step around `@forward` (`nxdt.train` says how).
Compiled compileStep(const std::string &module);

} // namespace nxdt::test

#endif // NXDT_TEST_REGISTRY_COMPILER_H
