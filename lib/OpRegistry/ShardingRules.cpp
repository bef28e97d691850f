//===- ShardingRules.cpp - the rules of all ops ---------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "nxdt/Registry/ShardingRules.h"

#include "Families.h"

#include "Nxdt/IR/Sharding.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace nxdt;

ShardingRule nxdt::wholeRule(Operation *op) {
  ShardingRule rule;
  for (Value operand : op->getOperands())
    rule.operands.push_back(
        newFactors(rule, typeOf(operand).getShape(), FactorKind::Whole));
  for (Value result : op->getResults())
    rule.results.push_back(
        newFactors(rule, typeOf(result).getShape(), FactorKind::Whole));
  return rule;
}

//===----------------------------------------------------------------------===//
// nxdt.aten
//===----------------------------------------------------------------------===//

/// Whether sums of the operand become sums of the result: rounding to another
/// float type keeps them, cutting fractions does not. Bools have no sums, and
/// sums of u8 (which wrap) none in a wider type.
static bool keepsSums(Type operand, Type result) {
  if (operand.isInteger(1) || result.isInteger(1))
    return false;
  if (isa<FloatType>(operand))
    return isa<FloatType>(result);
  return operand == result || (isa<FloatType>(result) && !operand.isInteger(8));
}

/// Rules say what holds for real numbers; this takes back what does not for
/// the element types of a call.
static void limitToTypes(ShardingRule &rule, Operation *op) {
  using Linearity = ShardingRule::Linearity;
  if (rule.linearity == Linearity::None)
    return;
  bool any = false, all = true;
  for (auto [operand, linear] : llvm::zip(op->getOperands(), rule.linearIn)) {
    if (!linear)
      continue;
    linear = llvm::all_of(op->getResults(), [&](Value result) {
      return keepsSums(typeOf(operand).getElementType(),
                       typeOf(result).getElementType());
    });
    any |= linear;
    all &= linear;
  }
  if (!any || (rule.linearity == Linearity::Joint && !all)) {
    rule.linearity = Linearity::None;
    rule.linearIn.clear();
  }
}

static ShardingRule atenRule(AtenOp op, bool &known) {
  const OpInfo *info = OpRegistry::get().lookup(op.getCallee());
  known = info != nullptr;
  if (!info || !info->sharding)
    return wholeRule(op);
  ShardingRule rule =
      info->sharding(op, CallArgs(op.getArgs(), op.getInputs()));
  limitToTypes(rule, op);
  return rule;
}

//===----------------------------------------------------------------------===//
// Typed ops
//===----------------------------------------------------------------------===//

/// q [b, (g r), s, d], k and v [b, g, t, d]: kv heads g, r query heads each.
static ShardingRule attention(Operation *op, Sizes q, Sizes k,
                              ArrayRef<bool> operandIsQuery,
                              ArrayRef<bool> resultIsQuery, int lseOperand,
                              int lseResult) {
  ShardingRule rule;
  unsigned b = rule.factor(q[0]), g = rule.factor(k[1]);
  // Keys are used by r query heads: their gradients are sums over r.
  unsigned r = rule.factor(q[1] / k[1], FactorKind::Reduce);
  unsigned s = rule.factor(q[2], FactorKind::Whole);
  unsigned t = rule.factor(k[2], FactorKind::Whole);
  unsigned d = rule.factor(q[3], FactorKind::Whole);
  TensorFactors query = {{b}, {g, r}, {s}, {d}};
  TensorFactors key = {{b}, {g}, {t}, {d}};
  TensorFactors lse = {{b}, {g, r}, {s}};
  for (auto [i, isQuery] : llvm::enumerate(operandIsQuery))
    rule.operands.push_back(static_cast<int>(i) == lseOperand ? lse
                            : isQuery                         ? query
                                                              : key);
  for (auto [i, isQuery] : llvm::enumerate(resultIsQuery))
    rule.results.push_back(static_cast<int>(i) == lseResult ? lse
                           : isQuery                        ? query
                                                            : key);
  return rule;
}

/// Classes are whole: what splits them writes the loss out.
static ShardingRule lossRule(CrossEntropyOp op) {
  ShardingRule rule;
  TensorFactors rows;
  for (int64_t size : typeOf(op.getTargets()).getShape())
    rows.push_back({rule.factor(size, FactorKind::Reduce)});
  unsigned v =
      rule.factor(typeOf(op.getLogits()).getShape().back(), FactorKind::Whole);
  TensorFactors classes = rows;
  classes.push_back({v});
  rule.operands = {classes, rows};
  rule.results = {{}, {}, classes};
  return rule;
}

static ShardingRule lossBackwardRule(CrossEntropyBackwardOp op) {
  ShardingRule rule;
  TensorFactors rows;
  for (int64_t size : typeOf(op.getTargets()).getShape())
    rows.push_back({rule.factor(size)});
  TensorFactors classes = rows;
  classes.push_back({rule.factor(typeOf(op.getLogProbs()).getShape().back(),
                                 FactorKind::Whole)});
  rule.operands = {{}, classes, rows};
  rule.results = {classes};
  rule.linearEach({0});
  return rule;
}

/// dout [..., out], input [..., in] -> [out, in].
static ShardingRule weightGradRule(WeightGradOp op) {
  ShardingRule rule;
  Sizes dout = operandShape(op, 0);
  TensorFactors left = newFactors(rule, dout.drop_back(), FactorKind::Reduce);
  TensorFactors right = left;
  left.push_back({rule.factor(dout.back())});
  right.push_back({rule.factor(operandShape(op, 1).back())});
  rule.operands = {left, right};
  rule.results = {{left.back(), right.back()}};
  rule.linearEach({0, 1});
  return rule;
}

/// Sums over parts of several tensors add up only if all are split by the same
/// axes: an operand that is not would count once per part of another.
static ShardingRule squareSumRule(SquareSumOp op) {
  if (op->getNumOperands() != 1)
    return wholeRule(op);
  ShardingRule rule;
  rule.operands = {newFactors(rule, operandShape(op, 0), FactorKind::Reduce)};
  rule.results.push_back(TensorFactors());
  return rule;
}

ShardingRule nxdt::shardingRuleOf(Operation *op, bool *isKnown) {
  bool known = true;
  ShardingRule rule =
      TypeSwitch<Operation *, ShardingRule>(op)
          .Case<AtenOp>([&](AtenOp aten) { return atenRule(aten, known); })
          .Case<SdpaOp>([](SdpaOp o) {
            return attention(o, typeOf(o.getQ()).getShape(),
                             typeOf(o.getK()).getShape(), {true, false, false},
                             {true, true}, -1, 1);
          })
          .Case<SdpaBackwardOp>([](SdpaBackwardOp o) {
            ShardingRule rule = attention(
                o, typeOf(o.getQ()).getShape(), typeOf(o.getK()).getShape(),
                {true, true, false, false, true, true}, {true, false, false}, 5,
                -1);
            rule.linearEach({0});
            return rule;
          })
          .Case<CrossEntropyOp>([](auto o) { return lossRule(o); })
          .Case<CrossEntropyBackwardOp>(
              [](auto o) { return lossBackwardRule(o); })
          .Case<WeightGradOp>([](auto o) { return weightGradRule(o); })
          .Case<SquareSumOp>([](auto o) { return squareSumRule(o); })
          .Case<AdamWOp, SgdOp>([](Operation *o) { return pointwiseRule(o); })
          .Case<AccumulateOp>([](Operation *o) {
            ShardingRule rule = pointwiseRule(o);
            rule.linearJoint();
            return rule;
          })
          .Case<ClipScaleOp>([](Operation *o) { return wholeRule(o); })
          .Default([&](Operation *o) {
            known = false;
            return wholeRule(o);
          });
  if (isKnown)
    *isKnown = known;
  return rule;
}

//===----------------------------------------------------------------------===//
// Local calls
//===----------------------------------------------------------------------===//

ArrayAttr nxdt::localArguments(AtenOp op,
                               ArrayRef<RankedTensorType> localResults) {
  const OpInfo *info = OpRegistry::get().lookup(op.getCallee());
  if (!info || !info->localArgs)
    return op.getArgs();
  SmallVector<Attribute> args(op.getArgs().begin(), op.getArgs().end());
  info->localArgs(op, localResults, args);
  return ArrayAttr::get(op.getContext(), args);
}

static bool sameTypes(ArrayRef<RankedTensorType> a, TypeRange b) {
  return llvm::equal(a, b, [](RankedTensorType x, Type other) {
    auto y = cast<RankedTensorType>(other);
    return x.getShape() == y.getShape() &&
           x.getElementType() == y.getElementType();
  });
}

LogicalResult nxdt::verifyLocal(AtenOp op,
                                ArrayRef<RankedTensorType> localOperands,
                                ArrayRef<RankedTensorType> localResults,
                                ArrayAttr localArgs) {
  const OpInfo *info = OpRegistry::get().lookup(op.getCallee());
  if (!info || !info->infer)
    return success(localArgs == op.getArgs() &&
                   sameTypes(localOperands, op.getInputs().getTypes()) &&
                   sameTypes(localResults, op->getResultTypes()));
  if (localOperands.size() != op.getInputs().size())
    return failure();
  // `infer` reads types of values: these have no others.
  Block values;
  for (RankedTensorType type : localOperands)
    values.addArgument(globalType(type), op.getLoc());
  FailureOr<ResultTypes> inferred =
      info->infer(CallArgs(localArgs, values.getArguments()));
  if (failed(inferred))
    return failure();
  return success(sameTypes(
      localResults, SmallVector<Type>(inferred->begin(), inferred->end())));
}
