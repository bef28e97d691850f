//===- PassCompiler.h - passes on text, without MLIR in sight ---*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_TEST_PASSES_PASSCOMPILER_H
#define NXDT_TEST_PASSES_PASSCOMPILER_H

#include "nxdt/Plan/Plan.h"

#include <optional>
#include <string>
#include <vector>

namespace nxdt::test {

struct Compiled {
  plan::Plan plan;
  /// After the passes, before lowering.
  std::string ir;
  /// Remarks of the passes.
  std::string remarks;
};

/// Runs a pass pipeline ("functionalize") on a module with `@forward`, then
/// lowers and emits it. The program `forward` writes result i to the buffer
/// `out<i>`, unless the result names one. Throws std::runtime_error with the
/// diagnostics.
Compiled compile(const std::string &module, const std::string &passes);

/// The elements of the first result of `@forward`, [rows, columns], as the
/// fusion of attention sees them; nullopt if it sees none.
std::optional<std::vector<double>> elementsOf(const std::string &module);

} // namespace nxdt::test

#endif // NXDT_TEST_PASSES_PASSCOMPILER_H
