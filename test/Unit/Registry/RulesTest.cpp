//===- RulesTest.cpp - every sharding rule by brute force -----------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Operands are cut as a rule says, libtorch runs each part with the local
// arguments, and what the rule says of the results puts them together: that
// must be what the whole call gives. A rule of which something was never split,
// or whose linearity was never tried, fails.
//
//===----------------------------------------------------------------------===//
#include "Calls.h"
#include "Compiler.h"
#include "Splits.h"

#include "ATen/core/grad_mode.h"

#include <gtest/gtest.h>

#include <algorithm>

using namespace nxdt::test;
using nxdt::plan::DType;

namespace {

/// Runs parts of a split with its local arguments.
LocalRun partsOf(const Call &call, const Rule &rule, const Parts &parts) {
  std::vector<TensorType> localResults = Call::typesOf(call.results);
  for (size_t r = 0; r < localResults.size(); ++r)
    localResults[r].shape =
        localShape(rule.results[r], localResults[r].shape, parts);
  std::vector<TensorType> localTypes = Call::typesOf(call.operands);
  for (size_t i = 0; i < localTypes.size(); ++i)
    localTypes[i].shape =
        localShape(rule.operands[i], localTypes[i].shape, parts);
  std::optional<Sample> local =
      localCall(call.sample, Call::typesOf(call.operands),
                Call::typesOf(call.results), localTypes, localResults);
  return [local](const std::vector<at::Tensor> &operands) {
    if (!local)
      throw std::runtime_error("verifyLocal refuses the call");
    return callOperator(*local, operands);
  };
}

class RuleOfEntry : public testing::TestWithParam<std::string> {};

TEST_P(RuleOfEntry, GivesTheWholeInParts) {
  at::AutoGradMode mode(false);
  int splits[2] = {0, 0}, larger[2] = {0, 0};
  bool hasKind[2] = {false, false}, isLinear = false;
  for (const Call &call : callsOf(GetParam())) {
    Rule rule = call.rule();
    std::string mistakes = mistakesOf(rule, Call::shapesOf(call.operands),
                                      Call::shapesOf(call.results));
    if (!mistakes.empty()) {
      ADD_FAILURE() << call.name() << ": " << mistakes;
      continue;
    }
    isLinear |= rule.linearity != Rule::None;
    std::vector<bool> isExercised(rule.factors.size());
    for (const Parts &parts : splitsOf(rule)) {
      std::string wrong =
          checkSplit(rule, parts, call.operands, call.results,
                     partsOf(call, rule, parts), call.hasValues());
      EXPECT_EQ(wrong, "") << call.name() << ":" << toString(rule, parts);
      for (size_t f = 0; f < parts.size(); ++f) {
        if (parts[f] == 1)
          continue;
        isExercised[f] = true;
        ++splits[rule.factors[f].kind];
        larger[rule.factors[f].kind] += parts[f] < rule.factors[f].size;
      }
    }
    Parts none(rule.factors.size(), 1);
    for (unsigned f = 0; f < rule.factors.size(); ++f) {
      if (!rule.factors[f].canBeSplit())
        continue;
      hasKind[rule.factors[f].kind] = true;
      // Only what stands in front of it can keep a factor from being split.
      bool canBe = withSplit(rule, none, f, rule.factors[f].size).has_value();
      EXPECT_EQ(isExercised[f], canBe)
          << call.name() << ": factor " << f << " of" << toString(rule, none);
    }
  }
  EXPECT_TRUE(hasKind[Rule::Map] || hasKind[Rule::Reduce] || isLinear)
      << "the rule says nothing";
  for (Rule::Kind kind : {Rule::Map, Rule::Reduce})
    if (hasKind[kind]) {
      EXPECT_GT(splits[kind], 0) << "never exercised";
      EXPECT_GT(larger[kind], 0)
          << "never split into parts larger than one element: add a row to "
             "SamplesSharding.cpp";
    }
}

TEST_P(RuleOfEntry, IsLinearWhereItSays) {
  at::AutoGradMode mode(false);
  int claimed = 0, checked = 0;
  for (const Call &call : callsOf(GetParam())) {
    Rule rule = call.rule();
    if (rule.linearity == Rule::None)
      continue;
    ++claimed;
    ASSERT_EQ(rule.linearIn.size(), call.operands.size()) << call.name();
    std::string wrong;
    try {
      wrong = checkLinearity(
          rule, call.operands, call.results,
          [&](const std::vector<at::Tensor> &operands) {
            return callOperator(call.sample, operands);
          },
          checked);
    } catch (const std::exception &error) {
      wrong = error.what();
    }
    EXPECT_EQ(wrong, "") << call.name();
  }
  if (claimed) {
    EXPECT_GT(checked, 0) << "no sample tries it";
  }
}

/// Values depend on where an element stands, parts say nothing of the whole, or
/// the result is a scalar from nothing.
TEST(Rules, OnlyTheseEntriesHaveNone) {
  std::vector<std::string> without;
  for (const std::string &callee : registeredCallees())
    if (!hasRule(callee))
      without.push_back(callee);
  EXPECT_EQ(without,
            (std::vector<std::string>{
                "aten::all", "aten::any", "aten::arange", "aten::arange.start",
                "aten::arange.start_step", "aten::eye", "aten::eye.m",
                "aten::linspace", "aten::min", "aten::scalar_tensor",
                "aten::std", "aten::var"}));
  for (const std::string &callee : without)
    for (const Call &call : callsOf(callee))
      EXPECT_TRUE(splitsOf(call.rule()).empty()) << call.name();
}

TEST(Rules, LocalTypesAreVerified) {
  Sample view = parseSample("aten::view", "f[4,6], (24)");
  TensorType whole{DType::F64, {4, 6}}, flat{DType::F64, {24}};
  TensorType half{DType::F64, {2, 6}}, flatHalf{DType::F64, {12}};
  TensorType narrow{DType::F32, {24}};
  EXPECT_TRUE(passesVerifyLocal(view, {whole}, {flat}, {whole}, {flat}));
  // The global size is not that of a part, nor is another type the same.
  EXPECT_FALSE(passesVerifyLocal(view, {whole}, {flat}, {half}, {flatHalf}));
  EXPECT_FALSE(passesVerifyLocal(view, {whole}, {flat}, {whole}, {flatHalf}));
  EXPECT_FALSE(passesVerifyLocal(view, {whole}, {flat}, {whole}, {narrow}));
  EXPECT_TRUE(localCall(view, {whole}, {flat}, {half}, {flatHalf}));
  // No arguments make a part of one size out of one of another.
  EXPECT_FALSE(localCall(view, {whole}, {flat}, {half}, {{DType::F64, {6}}}));
  Sample sum = parseSample("aten::sum.dim_IntList", "f[4,6], (0), false, none");
  TensorType row{DType::F64, {6}}, halfRow{DType::F64, {3}};
  EXPECT_TRUE(localCall(sum, {whole}, {row}, {half}, {row}));
  EXPECT_FALSE(localCall(sum, {whole}, {row}, {half}, {halfRow}));
  // Of one that nobody registered, nothing but its own types is known.
  Sample unknown = parseSample("aten::hardswish", "f[4,6]");
  EXPECT_TRUE(localCall(unknown, {whole}, {whole}, {whole}, {whole}));
  EXPECT_FALSE(localCall(unknown, {whole}, {whole}, {half}, {half}));
}

INSTANTIATE_TEST_SUITE_P(Registry, RuleOfEntry,
                         testing::ValuesIn(calleesWithRule()),
                         [](const testing::TestParamInfo<std::string> &info) {
                           return testName(info.param);
                         });

} // namespace
