//===- Calls.cpp - samples that libtorch has run --------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Calls.h"
#include "Compiler.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace nxdt::test {

using plan::DType;

static std::optional<Call> runCall(const Sample &sample, DType free) {
  Call call{sample, {}, {}};
  call.operands =
      viewBases(sample, makeBases(sample, dtypesOf(sample, {free}), 1));
  try {
    call.results = callOperator(sample, call.operands);
  } catch (const std::exception &error) {
    // Not every operator takes integers and bools.
    if (free == DType::F64)
      ADD_FAILURE() << sample.callee << "(" << sample.text
                    << "): " << error.what();
    return std::nullopt;
  }
  return call;
}

std::vector<Call> callsOf(const std::string &callee) {
  std::vector<std::string> texts;
  for (const SampleTable *table : {&sampleTable(), &shardingSampleTable()})
    if (auto it = table->find(callee); it != table->end())
      texts.insert(texts.end(), it->second.begin(), it->second.end());
  std::vector<Call> calls;
  for (const std::string &text : texts) {
    Sample sample = parseSample(callee, text);
    fillBySchema(sample);
    bool isFree =
        std::any_of(sample.tensors.begin(), sample.tensors.end(),
                    [](const TensorSpec &spec) { return spec.isFree(); });
    for (DType dtype :
         {DType::F64, DType::F32, DType::I64, DType::U8, DType::Bool})
      if (dtype == DType::F64 || isFree)
        if (auto call = runCall(sample, dtype))
          calls.push_back(std::move(*call));
  }
  return calls;
}

std::vector<std::string> calleesWithRule() {
  std::vector<std::string> found;
  for (const std::string &callee : registeredCallees())
    if (hasRule(callee))
      found.push_back(callee);
  return found;
}

std::string testName(std::string callee) {
  std::replace_if(
      callee.begin(), callee.end(), [](char c) { return !std::isalnum(c); },
      '_');
  return callee;
}

} // namespace nxdt::test
