//===- Loss.cpp - the kernels of the loss ---===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Families.h"

using namespace mlir;
using namespace nxdt;

/// Self [N, C] or [C]; its rows are the target's. Classes are whole.
static TensorFactors rowsAndClasses(ShardingRule &rule, Sizes self,
                                    FactorKind rows) {
  TensorFactors factors;
  for (int64_t size : self.drop_back())
    factors.push_back({rule.factor(size, rows)});
  factors.push_back({rule.factor(self.back(), FactorKind::Whole)});
  return factors;
}

/// Rows of a mean are whole, as it is divided by their number. Not linear in
/// self: the weight of what was summed does not depend on it.
static ShardingRule lossRule(AtenOp op, const CallArgs &args) {
  constexpr int64_t kSum = 2;
  ShardingRule rule;
  TensorFactors self = rowsAndClasses(
      rule, operandShape(op, 0),
      args.integer(3) == kSum ? FactorKind::Reduce : FactorKind::Whole);
  TensorFactors target(self.begin(), self.end() - 1), classes = {self.back()};
  rule.operands = {self, target};
  if (args.has(2))
    rule.operands.push_back(classes);
  rule.results.assign(2, TensorFactors());
  return rule;
}

static ShardingRule lossBackRule(AtenOp op, const CallArgs &args) {
  ShardingRule rule;
  TensorFactors self =
      rowsAndClasses(rule, operandShape(op, 1), FactorKind::Map);
  TensorFactors target(self.begin(), self.end() - 1), classes = {self.back()};
  // Without a reduction, there is a gradient per row.
  TensorFactors grad = operandShape(op, 0).empty() ? TensorFactors() : target;
  rule.operands = {grad, self, target};
  if (args.has(3))
    rule.operands.push_back(classes);
  rule.operands.push_back(TensorFactors());
  rule.results = {self};
  rule.linearEach({0});
  return rule;
}

// What nxdt.cross_entropy is lowered to; built after autodiff only.
void nxdt::registerLoss(OpRegistry &registry) {
  // (self [N, C], target [N], weight, reduction, ignore_index), reduced to a
  // sum or a mean, and the weight of what was summed.
  OpInfo &loss = registry.add("aten::nll_loss_forward");
  loss.sharding = lossRule;
  loss.infer = [](const CallArgs &args) -> Infer {
    auto reduction = args.integer(3);
    if (!args.type(0) || !reduction || *reduction == 0)
      return failure();
    auto scalar = RankedTensorType::get({}, args.type(0).getElementType());
    return ResultTypes{scalar, scalar};
  };
  // (grad_output, self, target, weight, reduction, ignore_index, total_weight)
  OpInfo &back = registry.add("aten::nll_loss_backward");
  back.sharding = lossBackRule;
  back.infer = [](const CallArgs &args) -> Infer {
    if (!args.type(1))
      return failure();
    return ResultTypes{args.type(1)};
  };
}
