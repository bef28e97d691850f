//===- ShardingFamilies.cpp - rules that operators share ------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "ShardingFamilies.h"

#include "Families.h"

#include <numeric>

using namespace mlir;
using namespace nxdt;

static bool isIn(ArrayRef<int64_t> dims, int64_t dim) {
  return llvm::is_contained(dims, dim);
}

TensorFactors nxdt::newFactors(ShardingRule &rule, Sizes shape, FactorKind kind,
                               ArrayRef<int64_t> whole) {
  TensorFactors factors;
  for (auto [dim, size] : llvm::enumerate(shape))
    factors.push_back(
        {rule.factor(size, isIn(whole, dim) ? FactorKind::Whole : kind)});
  return factors;
}

TensorFactors nxdt::broadcastFactors(const ShardingRule &rule, Sizes shape,
                                     ArrayRef<DimFactors> result) {
  TensorFactors factors;
  for (auto [dim, size] : llvm::enumerate(shape)) {
    const DimFactors &to = result[dim + result.size() - shape.size()];
    int64_t wide = 1;
    for (unsigned factor : to)
      wide *= rule.factors[factor].size;
    factors.push_back(size == 1 && wide != 1 ? DimFactors{} : to);
  }
  return factors;
}

//===----------------------------------------------------------------------===//
// Rules of one op
//===----------------------------------------------------------------------===//

ShardingRule nxdt::pointwiseRule(Operation *op, ArrayRef<int64_t> whole) {
  ShardingRule rule;
  TensorFactors result =
      newFactors(rule, resultShape(op), FactorKind::Map, whole);
  for (unsigned i = 0; i < op->getNumOperands(); ++i)
    rule.operands.push_back(
        broadcastFactors(rule, operandShape(op, i), result));
  rule.results.assign(op->getNumResults(), result);
  return rule;
}

ShardingRule nxdt::reductionRule(Operation *op, ArrayRef<int64_t> dims,
                                 bool keepDim, FactorKind kind) {
  ShardingRule rule;
  TensorFactors operand, result;
  for (auto [dim, size] : llvm::enumerate(operandShape(op, 0))) {
    bool reduced = isIn(dims, dim);
    operand.push_back({rule.factor(size, reduced ? kind : FactorKind::Map)});
    if (!reduced)
      result.push_back(operand.back());
    else if (keepDim)
      result.push_back({});
  }
  rule.operands.push_back(operand);
  rule.results.assign(op->getNumResults(), result);
  return rule;
}

ShardingRule nxdt::insertionRule(Operation *op, ArrayRef<int64_t> dims) {
  ShardingRule rule;
  TensorFactors result =
      newFactors(rule, resultShape(op), FactorKind::Map, dims);
  TensorFactors without;
  for (auto [dim, factors] : llvm::enumerate(result))
    if (!isIn(dims, dim))
      without.push_back(factors);
  for (unsigned i = 0; i < op->getNumOperands(); ++i) {
    Sizes shape = operandShape(op, i);
    rule.operands.push_back(shape.size() == result.size()
                                ? broadcastFactors(rule, shape, result)
                                : without);
  }
  rule.results.push_back(result);
  return rule;
}

ShardingRule nxdt::reshapeRule(Operation *op) {
  Sizes from = operandShape(op, 0), to = resultShape(op);
  ShardingRule rule;
  TensorFactors operand(from.size()), result(to.size());
  rule.linearIn = {true};
  rule.linearity = ShardingRule::Linearity::Each;
  if (isIn(from, 0)) {
    // No elements: any correspondence would do, and none matters.
    rule.operands.push_back(newFactors(rule, from, FactorKind::Whole));
    rule.results.push_back(newFactors(rule, to, FactorKind::Whole));
    return rule;
  }
  // a and b: what is left of dims i and j, taken from the major end. A common
  // divisor is a factor of both: [8, 4] <-> [2, 16] is (2, 4, 4).
  size_t i = 0, j = 0;
  int64_t a = 1, b = 1;
  while (true) {
    while (a == 1 && i < from.size())
      a = from[i++];
    while (b == 1 && j < to.size())
      b = to[j++];
    if (a == 1)
      break; // and so is b: the numbers of elements are equal
    int64_t common = std::gcd(a, b);
    if (common > 1) {
      unsigned factor = rule.factor(common);
      operand[i - 1].push_back(factor);
      result[j - 1].push_back(factor);
      a /= common;
      b /= common;
    }
    if (a == 1 || b == 1)
      continue;
    // [3, ...] against [2, ...]: parts of one are no parts of the other, up to
    // where both have a boundary.
    operand[i - 1].push_back(rule.factor(a, FactorKind::Whole));
    result[j - 1].push_back(rule.factor(b, FactorKind::Whole));
    while (a != b) {
      bool isOperand = a < b;
      int64_t size = isOperand ? from[i++] : to[j++];
      (isOperand ? a : b) *= size;
      (isOperand ? operand[i - 1] : result[j - 1])
          .push_back(rule.factor(size, FactorKind::Whole));
    }
    a = b = 1;
  }
  rule.operands.push_back(operand);
  rule.results.push_back(result);
  return rule;
}

ShardingRule nxdt::permutationRule(Operation *op, ArrayRef<int64_t> map) {
  ShardingRule rule;
  TensorFactors operand =
      newFactors(rule, operandShape(op, 0), FactorKind::Map);
  TensorFactors result;
  for (int64_t from : map)
    result.push_back(operand[from]);
  rule.operands.push_back(operand);
  rule.results.push_back(result);
  rule.linearEach({0});
  return rule;
}

ShardingRule nxdt::sameDimsRule(Operation *op, ArrayRef<int64_t> whole) {
  ShardingRule rule;
  TensorFactors shared =
      newFactors(rule, resultShape(op), FactorKind::Map, whole);
  auto own = [&](Sizes shape) {
    TensorFactors factors = shared;
    for (int64_t dim : whole)
      if (dim < static_cast<int64_t>(shape.size()))
        factors[dim] = {rule.factor(shape[dim], FactorKind::Whole)};
    return factors;
  };
  for (unsigned i = 0; i < op->getNumOperands(); ++i)
    rule.operands.push_back(own(operandShape(op, i)));
  for (unsigned i = 0; i < op->getNumResults(); ++i)
    rule.results.push_back(own(resultShape(op, i)));
  return rule;
}

ShardingRule nxdt::productRule(Operation *op, unsigned left, FactorKind inner) {
  Sizes a = operandShape(op, left), b = operandShape(op, left + 1);
  ShardingRule rule;
  TensorFactors result = newFactors(rule, resultShape(op), FactorKind::Map);
  DimFactors contracted = {rule.factor(a.back(), inner)};
  // Result dims are the batch's, then a's rows and b's columns if they have.
  bool hasRows = a.size() > 1, hasColumns = b.size() > 1;
  auto batch = ArrayRef(result).drop_back(hasRows + hasColumns);
  if (left)
    rule.operands.push_back(
        broadcastFactors(rule, operandShape(op, 0), result));
  TensorFactors leftFactors, rightFactors;
  if (hasRows) {
    leftFactors = broadcastFactors(rule, a.drop_back(2), batch);
    leftFactors.push_back(result[batch.size()]);
  }
  leftFactors.push_back(contracted);
  if (hasColumns)
    rightFactors = broadcastFactors(rule, b.drop_back(2), batch);
  rightFactors.push_back(contracted);
  if (hasColumns)
    rightFactors.push_back(result.back());
  rule.operands.push_back(leftFactors);
  rule.operands.push_back(rightFactors);
  rule.results.push_back(result);
  return rule;
}

ShardingRule nxdt::factoryRule(Operation *op) {
  ShardingRule rule;
  for (unsigned i = 0; i < op->getNumOperands(); ++i)
    rule.operands.push_back(
        newFactors(rule, operandShape(op, i), FactorKind::Map));
  rule.results.push_back(newFactors(rule, resultShape(op), FactorKind::Map));
  return rule;
}

//===----------------------------------------------------------------------===//
// Rules of entries
//===----------------------------------------------------------------------===//

/// The dim or dims at a position, of operand 0 or, if that is smaller, of the
/// result; the calls are legal.
static Shape dimsAt(AtenOp op, const CallArgs &args,
                    std::optional<unsigned> position) {
  int64_t rank = op->getNumOperands() ? operandShape(op, 0).size() : 0;
  if (op->getNumResults())
    rank = std::max<int64_t>(rank, resultShape(op).size());
  if (!position)
    return *wrapDims(std::nullopt, rank);
  if (std::optional<int64_t> dim = args.integer(*position))
    return rank ? Shape{*wrapDim(*dim, rank)} : Shape{};
  return *wrapDims(args.integers(*position), rank);
}

RuleOf nxdt::elementwise() {
  return [](AtenOp op, const CallArgs &) { return pointwiseRule(op); };
}

RuleOf nxdt::linearElementwise() { return each({0}, elementwise()); }

RuleOf nxdt::wholeAlong(unsigned position) {
  return [=](AtenOp op, const CallArgs &args) {
    return sameDimsRule(op, dimsAt(op, args, position));
  };
}

RuleOf nxdt::reducing(FactorKind kind, std::optional<unsigned> dims,
                      std::optional<unsigned> keepDim) {
  return [=](AtenOp op, const CallArgs &args) {
    // Sums of bools are no sums.
    bool isBool = typeOf(op->getResult(0)).getElementType().isInteger(1);
    return reductionRule(op, dimsAt(op, args, dims),
                         keepDim && args.boolean(*keepDim).value_or(false),
                         isBool ? FactorKind::Whole : kind);
  };
}

RuleOf nxdt::maximising(std::optional<unsigned> dims,
                        std::optional<unsigned> keepDim) {
  return [rule = reducing(FactorKind::Reduce, dims, keepDim)](
             AtenOp op, const CallArgs &args) {
    ShardingRule maximum = rule(op, args);
    maximum.reduction = Reduction::Max;
    return maximum;
  };
}

RuleOf nxdt::inserting(unsigned position) {
  return [=](AtenOp op, const CallArgs &args) {
    return insertionRule(op, dimsAt(op, args, position));
  };
}

RuleOf nxdt::reshaping() {
  return [](AtenOp op, const CallArgs &) { return reshapeRule(op); };
}

RuleOf nxdt::fromSizes() {
  return [](AtenOp op, const CallArgs &) { return factoryRule(op); };
}

RuleOf nxdt::each(std::initializer_list<unsigned> operands, RuleOf rule) {
  return [rule = std::move(rule), which = SmallVector<unsigned>(operands)](
             AtenOp op, const CallArgs &args) {
    ShardingRule linear = rule(op, args);
    linear.linearEach(which);
    return linear;
  };
}

RuleOf nxdt::joint(std::initializer_list<unsigned> operands, RuleOf rule) {
  return [rule = std::move(rule), which = SmallVector<unsigned>(operands)](
             AtenOp op, const CallArgs &args) {
    ShardingRule linear = rule(op, args);
    if (which.empty())
      linear.linearJoint();
    else
      linear.linearJoint(which);
    return linear;
  };
}

//===----------------------------------------------------------------------===//
// Local arguments
//===----------------------------------------------------------------------===//

static void setSize(Attribute &arg, int64_t size) {
  auto old = dyn_cast<IntegerAttr>(arg);
  if (old && old.getInt() >= 0)
    arg = IntegerAttr::get(old.getType(), size);
}

LocalArgs nxdt::shapeAt(unsigned position) {
  return [=](AtenOp op, ArrayRef<RankedTensorType> localResults,
             MutableArrayRef<Attribute> args) {
    auto sizes = dyn_cast<DenseI64ArrayAttr>(args[position]);
    if (!sizes)
      return;
    Shape local(sizes.asArrayRef());
    for (auto [size, own] : llvm::zip(local, localResults[0].getShape()))
      if (size >= 0)
        size = own;
    args[position] = DenseI64ArrayAttr::get(op.getContext(), local);
  };
}

LocalArgs nxdt::sizeAt(unsigned position, int64_t dim) {
  return [=](AtenOp, ArrayRef<RankedTensorType> localResults,
             MutableArrayRef<Attribute> args) {
    setSize(args[position], localResults[0].getDimSize(dim));
  };
}

LocalArgs nxdt::sizeAlong(unsigned position, unsigned dimPosition) {
  return [=](AtenOp op, ArrayRef<RankedTensorType> localResults,
             MutableArrayRef<Attribute> args) {
    auto dim =
        wrapDim(CallArgs(op.getArgs(), op.getInputs()).integer(dimPosition),
                localResults[0].getRank());
    if (dim)
      setSize(args[position], localResults[0].getDimSize(*dim));
  };
}
