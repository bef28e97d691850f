//===- Modules.h - small modules to capture ---------------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_TEST_UNIT_CAPTURE_MODULES_H
#define NXDT_TEST_UNIT_CAPTURE_MODULES_H

#include "Capture/CaptureModule.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace nxdt::test {

constexpr int64_t kBatch = 2, kSequence = 3, kWidth = 4, kVocabulary = 5;

using Body = std::function<at::Tensor(at::Tensor)>;

/// A submodule: y = body(x W).
struct Block : torch::nn::Module {
  explicit Block(Body body) : body(std::move(body)) {
    weight = register_parameter("weight", at::ones({kWidth, kWidth}));
  }
  at::Tensor forward(const at::Tensor &x) {
    return body(at::matmul(x, weight));
  }
  at::Tensor weight;
  Body body;
};

/// ids -> embedding -> `block` -> head. What a test wants to try stands in the
/// body of the block, or in `setUp`, a part of the constructor.
struct Net : Model {
  explicit Net(Body body = {}, const std::function<void(Net &)> &setUp = {}) {
    if (!body)
      body = [](at::Tensor x) { return x; };
    table = register_parameter("table", at::ones({kVocabulary, kWidth}));
    block = register_module("block", std::make_shared<Block>(std::move(body)));
    head = register_parameter("head", at::ones({kWidth, kVocabulary}));
    if (setUp)
      setUp(*this);
  }
  at::Tensor forward(at::Tensor ids) override {
    at::Tensor x = block->forward(at::embedding(table, ids));
    return last ? last(x) : at::matmul(x, head);
  }
  at::Tensor table, head;
  std::shared_ptr<Block> block;
  /// Replaces the head.
  Body last;
};

struct Captured {
  std::optional<capture::CapturedModel> model;
  std::vector<capture::Problem> problems;
};

inline Captured
captureModel(const std::function<std::shared_ptr<Model>()> &make,
             bool toBFloat16 = false) {
  capture::Problems problems;
  Captured result;
  result.model = captureModule(make, {kBatch, kSequence, toBFloat16}, problems);
  result.problems = problems.finish();
  return result;
}

inline Captured captureBody(Body body) {
  return captureModel([&] { return std::make_shared<Net>(body); });
}

inline Captured captureSetUp(const std::function<void(Net &)> &setUp) {
  return captureModel([&] { return std::make_shared<Net>(Body(), setUp); });
}

/// All problems as text, "path: message" each.
inline std::string text(const Captured &captured) {
  std::string all;
  for (const capture::Problem &problem : captured.problems)
    all += problem.path + ": " + problem.message + "\n";
  return all;
}

/// Exactly one problem, an error at `path` that holds `part`.
inline void expectError(const Captured &captured, const std::string &path,
                        const std::string &part) {
  EXPECT_FALSE(captured.model);
  ASSERT_EQ(captured.problems.size(), 1u) << text(captured);
  EXPECT_FALSE(captured.problems[0].isWarning);
  EXPECT_EQ(captured.problems[0].path, path) << text(captured);
  EXPECT_NE(captured.problems[0].message.find(part), std::string::npos)
      << text(captured);
}

inline void expectClean(const Captured &captured) {
  EXPECT_TRUE(captured.model);
  EXPECT_EQ(text(captured), "");
}

/// The callees of a record.
inline std::vector<std::string> callees(const capture::Record &record) {
  std::vector<std::string> names;
  for (const capture::RecordedOp &op : record.ops)
    names.push_back(op.callee);
  return names;
}

/// The first call of `callee`.
inline const capture::RecordedOp &findOp(const capture::Record &record,
                                         const std::string &callee) {
  for (const capture::RecordedOp &op : record.ops)
    if (op.callee == callee)
      return op;
  ADD_FAILURE() << "no " << callee;
  static const capture::RecordedOp none;
  return none;
}

} // namespace nxdt::test

#endif // NXDT_TEST_UNIT_CAPTURE_MODULES_H
