//===- FallbackTest.cpp - operators that nobody registered -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// They still work: autodiff leaves them to libtorch's autograd and says so.
//
//===----------------------------------------------------------------------===//
#include "Compiler.h"
#include "Oracle.h"

#include "ATen/core/grad_mode.h"

#include <gtest/gtest.h>

#include <algorithm>

using namespace nxdt::test;
using nxdt::plan::DType;

namespace {

struct Case {
  std::string callee, sample;
};

class Unregistered : public testing::TestWithParam<Case> {};

TEST_P(Unregistered, HasItsGradientFromAutogradAtRunTime) {
  auto [callee, text] = GetParam();
  ASSERT_FALSE(factsOf(callee).hasInfer) << "is registered: take another one";
  Sample sample = parseSample(callee, text);
  fillBySchema(sample);
  std::vector<DType> dtypes;
  std::vector<bool> wanted;
  for (const TensorSpec &spec : sample.tensors) {
    dtypes.push_back(spec.isFloat() ? DType::F64 : DType::I64);
    wanted.push_back(spec.isFloat());
  }
  std::vector<at::Tensor> bases = makeBases(sample, dtypes, 1);
  Function function = [&](const std::vector<at::Tensor> &inputs) {
    return callOperator(sample, viewBases(sample, inputs));
  };
  std::vector<at::Tensor> results;
  {
    at::AutoGradMode mode(false);
    results = function(bases);
  }
  std::vector<at::Tensor> cotangents = makeCotangents(results, 2);
  std::vector<at::Tensor> expected =
      autogradOf(function, bases, wanted, cotangents);

  std::vector<TensorType> types, resultTypes;
  for (size_t i = 0; i < dtypes.size(); ++i)
    types.push_back({dtypes[i], sample.tensors[i].shape});
  for (const at::Tensor &result : results)
    resultTypes.push_back(typeOf(result));
  Compiled compiled = compileGradients(lossModule(sample, types, resultTypes));
  EXPECT_EQ(compiled.fallbacks, 1) << compiled.ir;
  EXPECT_NE(compiled.remarks.find("no gradient registered for '" + callee +
                                  "': libtorch's autograd computes it at run "
                                  "time"),
            std::string::npos)
      << compiled.remarks;
  std::vector<std::pair<std::string, at::Tensor>> buffers;
  for (size_t i = 0; i < bases.size(); ++i)
    buffers.emplace_back("t" + std::to_string(i), bases[i]);
  for (size_t i = 0; i < cotangents.size(); ++i)
    if (cotangents[i].defined())
      buffers.emplace_back("c" + std::to_string(i), cotangents[i]);
  PlanRun run(std::move(compiled.plan), buffers);
  run.run("probe");
  for (size_t i = 0; i < bases.size(); ++i)
    if (wanted[i]) {
      EXPECT_LE(difference(run.buffer("t" + std::to_string(i) + ".gradient"),
                           expected[i]),
                1e-10)
          << "operand " << i << "\n"
          << compiled.ir;
    }
}

INSTANTIATE_TEST_SUITE_P(
    Registry, Unregistered,
    testing::Values(Case{"aten::hardswish", "f[2,3]'"},
                    Case{"aten::celu", "f[2,3], 0.5"},
                    Case{"aten::prod.dim_int", "p[2,3], 1"},
                    // Two results, one without a gradient.
                    Case{"aten::median.dim", "f[3,5], -1"},
                    // A list of tensors.
                    Case{"aten::einsum", "\"ij,jk->ik\", [f[2,3], f[3,4]']"},
                    // An operand without a gradient among others.
                    Case{"aten::take_along_dim", "f[3,4], i4[3,2], 1"}),
    [](const testing::TestParamInfo<Case> &info) {
      std::string name = info.param.callee.substr(6);
      std::replace(name.begin(), name.end(), '.', '_');
      return name;
    });

} // namespace
