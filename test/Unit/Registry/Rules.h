//===- Rules.h - sharding rules, without MLIR in sight ----------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What lib/OpRegistry says of how a call may be split, and local calls.
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_TEST_REGISTRY_RULES_H
#define NXDT_TEST_REGISTRY_RULES_H

#include "IrText.h"

namespace nxdt::test {

/// A copy of nxdt::ShardingRule.
struct Rule {
  enum Kind { Map, Reduce, Whole };
  struct Factor {
    int64_t size = 1;
    Kind kind = Map;
    bool canBeSplit() const { return kind != Whole && size > 1; }
  };
  /// By dim: factors from major to minor.
  using Dims = std::vector<std::vector<unsigned>>;
  enum Linearity { None, Each, Joint };

  std::vector<Factor> factors;
  std::vector<Dims> operands, results;
  bool isMax = false;
  int indexedFactor = -1, indexOperand = -1;
  Linearity linearity = None;
  std::vector<bool> linearIn;
};

/// Whether the registry has a rule of an operator.
bool hasRule(const std::string &callee);

Rule ruleOf(const Sample &sample, const std::vector<TensorType> &types,
            const std::vector<TensorType> &results);
/// Of the one op in a text; `%a0`, `%a1`, ... are its operands.
Rule ruleOfText(const std::string &text, const std::vector<TensorType> &types);

/// The call on local tensors; nullopt if the registry's `infer` refuses it or
/// gives other results.
std::optional<Sample> localCall(const Sample &sample,
                                const std::vector<TensorType> &types,
                                const std::vector<TensorType> &results,
                                const std::vector<TensorType> &localTypes,
                                const std::vector<TensorType> &localResults);
/// Whether a call on local tensors with these arguments passes verifyLocal.
bool passesVerifyLocal(const Sample &sample,
                       const std::vector<TensorType> &types,
                       const std::vector<TensorType> &results,
                       const std::vector<TensorType> &localTypes,
                       const std::vector<TensorType> &localResults);

} // namespace nxdt::test

#endif // NXDT_TEST_REGISTRY_RULES_H
