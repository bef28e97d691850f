//===- Calls.h - samples that libtorch has run ------------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_TEST_REGISTRY_CALLS_H
#define NXDT_TEST_REGISTRY_CALLS_H

#include "Oracle.h"
#include "Rules.h"

namespace nxdt::test {

/// A call that libtorch has run.
struct Call {
  Sample sample;
  std::vector<at::Tensor> operands, results;

  static std::vector<TensorType> typesOf(const std::vector<at::Tensor> &list) {
    std::vector<TensorType> types;
    for (const at::Tensor &tensor : list)
      types.push_back(nxdt::test::typeOf(tensor));
    return types;
  }
  static std::vector<std::vector<int64_t>>
  shapesOf(const std::vector<at::Tensor> &list) {
    std::vector<std::vector<int64_t>> shapes;
    for (const at::Tensor &tensor : list)
      shapes.push_back(tensor.sizes().vec());
    return shapes;
  }
  std::string name() const {
    std::string text = sample.callee + "(" + sample.text + ") of";
    for (const TensorType &type : typesOf(operands))
      text += " " + toString(type);
    return text;
  }
  Rule rule() const {
    return ruleOf(sample, typesOf(operands), typesOf(results));
  }
  /// What memory happened to hold is no value.
  bool hasValues() const {
    return sample.callee.find("empty") == std::string::npos;
  }
};

/// All samples of an operator, in all types that it takes.
std::vector<Call> callsOf(const std::string &callee);

/// Operators of the registry that have a sharding rule.
std::vector<std::string> calleesWithRule();
/// The name as gtest allows it.
std::string testName(std::string callee);

} // namespace nxdt::test

#endif // NXDT_TEST_REGISTRY_CALLS_H
