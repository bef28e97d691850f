//===- TypedRulesTest.cpp - the sharding rules of typed ops ---------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// As RulesTest.cpp; the whole op and its parts run through the lowering and the
// executor.
//
//===----------------------------------------------------------------------===//
#include "Compiler.h"
#include "Oracle.h"
#include "Splits.h"

#include "ATen/core/grad_mode.h"

#include <gtest/gtest.h>

using namespace nxdt::test;
using nxdt::plan::DType;

namespace {

struct TypedCall {
  std::string name;
  /// The op's name and attributes.
  std::string op, attributes;
  /// Behind the colon: (a) -> (b), a -> b, or what b does not follow from.
  enum Form { Functional, Arrow, Short } form = Functional;
  /// As in Sample.h: "f[2,3]", ...
  std::vector<std::string> operands;
  std::vector<TensorType> results;
  /// Operands that results are stored in (optimizers work in place).
  std::vector<int> stored;
  /// Factors that must have been split, and operand groups tried as partial.
  int factors = 0, linear = 0;
};

std::string commaList(const std::vector<TensorType> &types) {
  std::string text;
  for (const TensorType &type : types)
    text += (text.empty() ? "" : ", ") + toString(type);
  return text;
}

/// The op in text: `%a<i>` in, `%r<i>` out.
std::string opText(const TypedCall &call, const std::vector<TensorType> &types,
                   const std::vector<TensorType> &results) {
  std::string outs, ins;
  for (size_t i = 0; i < results.size(); ++i)
    outs += (i ? ", %r" : "%r") + std::to_string(i);
  for (size_t i = 0; i < types.size(); ++i)
    ins += (i ? ", %a" : "%a") + std::to_string(i);
  if (call.op == "square_sum")
    ins = "(" + ins + ")";
  std::string signature = commaList(types);
  if (call.form == TypedCall::Functional)
    signature = "(" + signature + ") -> (" + commaList(results) + ")";
  else if (call.form == TypedCall::Arrow)
    signature += " -> " + commaList(results);
  else if (call.op == "adamw") // the moments' types are the parameter's
    signature = commaList({types[0], types[1], types[4], types[5], types[6]});
  return "    " + outs + " = nxdt." + call.op + " " + ins + " {" +
         call.attributes + "} : " + signature + "\n";
}

std::string moduleOf(const TypedCall &call,
                     const std::vector<TensorType> &types,
                     const std::vector<TensorType> &results) {
  std::string buffers, arguments, names, outs;
  for (size_t i = 0; i < types.size(); ++i) {
    std::string n = std::to_string(i);
    buffers += "nxdt.buffer @b" + n +
               " {role = \"buffer\"} : " + toString(types[i]) + "\n";
    arguments += (i ? ", %a" : "%a") + n + ": " + toString(types[i]) +
                 " {nxdt.buffer = @b" + n + "}";
  }
  for (size_t i = 0; i < results.size(); ++i) {
    names += (i ? ", %r" : "%r") + std::to_string(i);
    outs += (i ? ", " : "") + toString(results[i]);
    if (i < call.stored.size())
      outs += " {nxdt.buffer = @b" + std::to_string(call.stored[i]) + "}";
  }
  return buffers + "func.func @forward(" + arguments + ") -> (" + outs +
         ") {\n" + opText(call, types, results) + "    return " + names +
         " : " + commaList(results) + "\n}\n";
}

std::vector<TensorType> typesOf(const std::vector<at::Tensor> &tensors) {
  std::vector<TensorType> types;
  for (const at::Tensor &tensor : tensors)
    types.push_back(nxdt::test::typeOf(tensor));
  return types;
}

/// Compiles for these types and runs.
LocalRun compiledFor(const TypedCall &call,
                     const std::vector<TensorType> &types,
                     const std::vector<TensorType> &results) {
  Compiled compiled = compileForward(moduleOf(call, types, results));
  std::vector<std::pair<std::string, at::Tensor>> none;
  auto run = std::make_shared<PlanRun>(std::move(compiled.plan), none);
  std::vector<std::string> outs;
  for (size_t i = 0; i < results.size(); ++i)
    outs.push_back(i < call.stored.size() ? "b" + std::to_string(call.stored[i])
                                          : "out" + std::to_string(i));
  return [run, outs](const std::vector<at::Tensor> &inputs) {
    for (size_t i = 0; i < inputs.size(); ++i)
      run->set("b" + std::to_string(i), inputs[i]);
    run->run("probe");
    std::vector<at::Tensor> outputs;
    for (const std::string &name : outs)
      outputs.push_back(run->buffer(name).clone());
    return outputs;
  };
}

class TypedRule : public testing::TestWithParam<TypedCall> {};

TEST_P(TypedRule, GivesTheWholeInPartsAndIsLinearWhereItSays) {
  at::AutoGradMode mode(false);
  const TypedCall &call = GetParam();
  std::string tensors;
  for (const std::string &operand : call.operands)
    tensors += (tensors.empty() ? "" : ", ") + operand;
  Sample sample = parseSample("nxdt." + call.op, tensors);
  std::vector<at::Tensor> operands =
      makeBases(sample, dtypesOf(sample, {DType::F64}), 1);
  std::vector<TensorType> types = typesOf(operands);
  LocalRun whole = compiledFor(call, types, call.results);
  // Attention's backward needs what its forward gave.
  if (call.op == "sdpa_backward") {
    TypedCall forward = call;
    forward.op = "sdpa";
    forward.form = TypedCall::Arrow;
    std::vector<at::Tensor> given = compiledFor(
        forward, {types[1], types[2], types[3]},
        {types[4], types[5]})({operands[1], operands[2], operands[3]});
    operands[4] = given[0];
    operands[5] = given[1];
  }
  std::vector<at::Tensor> results = whole(operands);

  Rule rule = ruleOfText(opText(call, types, call.results), types);
  std::vector<std::vector<int64_t>> shapes, resultShapes;
  for (const TensorType &type : types)
    shapes.push_back(type.shape);
  for (const TensorType &type : call.results)
    resultShapes.push_back(type.shape);
  ASSERT_EQ(mistakesOf(rule, shapes, resultShapes), "");
  std::vector<bool> isSplit(rule.factors.size());
  for (const Parts &parts : splitsOf(rule)) {
    std::vector<TensorType> localTypes = types, localResults = call.results;
    for (size_t i = 0; i < types.size(); ++i)
      localTypes[i].shape = localShape(rule.operands[i], types[i].shape, parts);
    for (size_t r = 0; r < localResults.size(); ++r)
      localResults[r].shape =
          localShape(rule.results[r], localResults[r].shape, parts);
    EXPECT_EQ(checkSplit(rule, parts, operands, results,
                         compiledFor(call, localTypes, localResults)),
              "")
        << toString(rule, parts);
    for (size_t f = 0; f < parts.size(); ++f)
      isSplit[f] = isSplit[f] || parts[f] != 1;
  }
  EXPECT_EQ(std::count(isSplit.begin(), isSplit.end(), true), call.factors);
  int checked = 0;
  EXPECT_EQ(checkLinearity(rule, operands, results, whole, checked), "");
  EXPECT_EQ(checked, call.linear);
}

TensorType f64(std::vector<int64_t> shape) { return {DType::F64, shape}; }
TensorType f32(std::vector<int64_t> shape) { return {DType::F32, shape}; }

std::vector<TypedCall> calls() {
  std::string attention = "causal = true, scale = 0.25 : f64";
  std::string ignore = "ignore_index = -100 : i64";
  std::string adam = "beta1 = 0.7 : f64, beta2 = 0.8 : f64, eps = 1.0e-2 : "
                     "f64, weight_decay = 0.5 : f64, correct_bias = true, "
                     "variant = ";
  std::string sgd = "dampening = 0.25 : f64, nesterov = false, weight_decay = "
                    "0.5 : f64, momentum = ";
  std::vector<std::string> update = {"f[4,6]",  "f[4,6]",  "f[4,6]", "p[4,6]",
                                     "p[]:f64", "p[]:f32", "p[]:f32"};
  std::vector<TensorType> three(3, f64({4, 6}));
  auto backward = [&](int64_t heads, int64_t kvHeads) {
    std::string q = "f[4," + std::to_string(heads) + ",5,8]:f32",
                k = "f[4," + std::to_string(kvHeads) + ",5,8]:f32",
                lse = "f[4," + std::to_string(heads) + ",5]:f32";
    return std::vector<std::string>{q, q, k, k, q, lse};
  };
  return {
      {"sdpa",
       "sdpa",
       attention,
       TypedCall::Arrow,
       {"f[4,6,5,8]:f32", "f[4,6,5,8]:f32", "f[4,6,5,8]:f32"},
       {f32({4, 6, 5, 8}), f32({4, 6, 5})},
       {},
       2,
       0},
      {"sdpa_of_grouped_heads",
       "sdpa",
       attention,
       TypedCall::Arrow,
       {"f[2,8,5,8]:f32", "f[2,2,5,8]:f32", "f[2,2,5,8]:f32"},
       {f32({2, 8, 5, 8}), f32({2, 8, 5})},
       {},
       3,
       0},
      {"sdpa_backward",
       "sdpa_backward",
       attention,
       TypedCall::Functional,
       backward(6, 6),
       {f32({4, 6, 5, 8}), f32({4, 6, 5, 8}), f32({4, 6, 5, 8})},
       {},
       2,
       1},
      {"sdpa_backward_of_grouped_heads",
       "sdpa_backward",
       attention,
       TypedCall::Functional,
       backward(8, 2),
       {f32({4, 8, 5, 8}), f32({4, 2, 5, 8}), f32({4, 2, 5, 8})},
       {},
       3,
       1},
      {"cross_entropy",
       "cross_entropy",
       ignore,
       TypedCall::Arrow,
       {"f[4,6,7]", "i7[4,6]"},
       {f64({}), {DType::I64, {}}, f64({4, 6, 7})},
       {},
       2,
       0},
      {"cross_entropy_backward",
       "cross_entropy_backward",
       ignore,
       TypedCall::Arrow,
       {"f[]", "f[4,6,7]", "i7[4,6]"},
       {f64({4, 6, 7})},
       {},
       2,
       1},
      {"weight_grad",
       "weight_grad",
       "",
       TypedCall::Arrow,
       {"f[2,4,6]", "f[2,4,8]"},
       {f64({6, 8})},
       {},
       4,
       2},
      {"accumulate",
       "accumulate",
       "",
       TypedCall::Short,
       {"f[4,6]", "f[4,6]"},
       {f64({4, 6})},
       {},
       2,
       1},
      {"accumulate_of_another_type",
       "accumulate",
       "",
       TypedCall::Short,
       {"f[4,6]", "f[4,6]:f32"},
       {f64({4, 6})},
       {},
       2,
       1},
      {"square_sum",
       "square_sum",
       "",
       TypedCall::Functional,
       {"f[4,6]"},
       {f64({})},
       {},
       2,
       0},
      {"square_sum_of_several",
       "square_sum",
       "",
       TypedCall::Functional,
       {"f[4,6]", "f[6]"},
       {f64({})},
       {},
       0,
       0},
      {"adamw",
       "adamw",
       adam + "\"adamw\"",
       TypedCall::Short,
       update,
       three,
       {0, 2, 3},
       2,
       0},
      {"adamw_fp32OptState",
       "adamw",
       adam + "\"adamw_fp32OptState\"",
       TypedCall::Short,
       update,
       three,
       {0, 2, 3},
       2,
       0},
      {"sgd",
       "sgd",
       sgd + "0.0 : f64",
       TypedCall::Functional,
       {"f[4,6]", "f[4,6]", "p[]:f64", "p[]:f32", "p[]:f32"},
       {f64({4, 6})},
       {0},
       2,
       0},
      {"sgd_momentum",
       "sgd",
       sgd + "0.9 : f64",
       TypedCall::Functional,
       {"f[4,6]", "f[4,6]", "p[]:f64", "p[]:f32", "p[]:f32", "f[4,6]"},
       {f64({4, 6}), f64({4, 6})},
       {0, 5},
       2,
       0},
  };
}

INSTANTIATE_TEST_SUITE_P(Typed, TypedRule, testing::ValuesIn(calls()),
                         [](const auto &info) { return info.param.name; });

} // namespace
