//===- ScoreChain.cpp - from q k^T to the softmax -------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "ScoreChain.h"

#include "llvm/ADT/StringSwitch.h"

#include <cmath>

using namespace mlir;
using namespace nxdt;

Value nxdt::passedThrough(AtenOp op, bool allowCasts) {
  StringRef callee = op.getCallee();
  CallArgs args(op.getArgs(), op.getInputs());
  Value value = args.tensor(0);
  if (!value || op->getNumResults() != 1)
    return nullptr;
  RankedTensorType from = typeOf(value), to = typeOf(op->getResult(0));
  StringRef name = callee.split('.').first;
  if (name == "aten::to" || name == "aten::_to_copy" ||
      name == "aten::type_as") {
    bool isCast = from.getElementType() != to.getElementType();
    return isa<FloatType>(from.getElementType()) &&
                   isa<FloatType>(to.getElementType()) &&
                   (allowCasts || !isCast)
               ? value
               : Value();
  }
  if (callee == "aten::dropout") {
    bool isNothing = args.number(1) == 0.0 || args.boolean(2) == false;
    return isNothing ? value : Value();
  }
  bool keepsElements =
      llvm::StringSwitch<bool>(callee)
          .Cases({"aten::clone", "aten::contiguous", "aten::alias",
                  "aten::view", "aten::reshape", "aten::_unsafe_view",
                  "aten::expand", "aten::expand_as"},
                 true)
          .Default(false);
  return keepsElements && from == to ? value : Value();
}

std::optional<std::pair<Value, double>> nxdt::scaledBy(AtenOp op,
                                                       IndexLines &lines) {
  StringRef callee = op.getCallee();
  bool isDivision = callee.starts_with("aten::div.");
  if (!isDivision && !callee.starts_with("aten::mul."))
    return std::nullopt;
  CallArgs args(op.getArgs(), op.getInputs());
  // `div.Tensor_mode` rounds.
  if (args.has(2) || !args.tensor(0))
    return std::nullopt;
  auto result = [&](Value value,
                    double number) -> std::optional<std::pair<Value, double>> {
    if (value.getType() != op->getResult(0).getType())
      return std::nullopt;
    return std::make_pair(value, isDivision ? 1 / number : number);
  };
  if (std::optional<double> number = args.number(1))
    return result(args.tensor(0), *number);
  Value a = args.tensor(0), b = args.tensor(1);
  if (!b)
    return std::nullopt;
  if (FailureOr<double> number = lines.constant(b); succeeded(number))
    return result(a, *number);
  if (!isDivision)
    if (FailureOr<double> number = lines.constant(a); succeeded(number))
      return result(b, *number);
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// Up to the product
//===----------------------------------------------------------------------===//

namespace {
/// One way up; `where` and `add` have two operands that may hold the scores.
struct Branch {
  Value scores;
  std::optional<ScoreStep> step;
};
} // namespace

static SmallVector<Branch> branchesOf(AtenOp op, IndexLines &lines) {
  using Kind = ScoreStep::Kind;
  CallArgs args(op.getArgs(), op.getInputs());
  StringRef callee = op.getCallee();
  if (Value value = passedThrough(op, /*allowCasts=*/true))
    return {{value, std::nullopt}};
  if (auto scaled = scaledBy(op, lines))
    return {{scaled->first, ScoreStep{Kind::Scale, scaled->second, {}, {}}}};
  auto filled = [&](Kind kind, unsigned mask, unsigned value) {
    return ScoreStep{kind, args.number(value).value_or(0), args.tensor(mask),
                     args.tensor(value)};
  };
  if (callee.starts_with("aten::masked_fill."))
    return {{args.tensor(0), filled(Kind::FillWhere, 1, 2)}};
  SmallVector<Branch> branches;
  if (callee.starts_with("aten::where.") && args.size() == 3) {
    if (Value scores = args.tensor(1))
      branches.push_back({scores, filled(Kind::FillUnless, 0, 2)});
    if (Value scores = args.tensor(2))
      branches.push_back({scores, filled(Kind::FillWhere, 0, 1)});
  } else if (callee == "aten::add.Tensor" || callee == "aten::sub.Tensor") {
    double alpha = args.number(2).value_or(1);
    bool isAdd = callee == "aten::add.Tensor";
    branches.push_back(
        {args.tensor(0),
         ScoreStep{Kind::Add, isAdd ? alpha : -alpha, {}, args.tensor(1)}});
    if (isAdd && alpha == 1)
      branches.push_back(
          {args.tensor(1), ScoreStep{Kind::Add, 1, {}, args.tensor(0)}});
  }
  return branches;
}

LogicalResult nxdt::findProduct(Value scores, IndexLines &lines,
                                ScoreChain &chain, std::string &why) {
  auto op = scores.getDefiningOp<AtenOp>();
  if (!op || ++chain.visited > ScoreChain::kMaxVisited) {
    why = "its scores are not the product of q and k";
    return failure();
  }
  if (op.getCallee() == "aten::matmul" || op.getCallee() == "aten::bmm") {
    chain.product = op;
    chain.ops.push_back(op);
    return success();
  }
  why = ("its scores pass through '" + op.getCallee() + "'").str();
  for (Branch &branch : branchesOf(op, lines)) {
    size_t numOps = chain.ops.size(), numSteps = chain.steps.size();
    // Scores have the shape of the logits; what is smaller is a mask.
    if (typeOf(branch.scores).getShape() != typeOf(scores).getShape())
      continue;
    if (succeeded(findProduct(branch.scores, lines, chain, why))) {
      if (branch.step)
        chain.steps.push_back(*branch.step);
      chain.ops.push_back(op);
      return success();
    }
    chain.ops.truncate(numOps);
    chain.steps.truncate(numSteps);
  }
  return failure();
}

//===----------------------------------------------------------------------===//
// The proof
//===----------------------------------------------------------------------===//

namespace {
/// Logits [begin, end) of a row: factor * score + shift.
struct Logits {
  int64_t begin, end;
  double factor, shift;
};
} // namespace

/// What the steps do to one row of scores.
static FailureOr<SmallVector<Logits>> rowOf(ArrayRef<ScoreStep> steps,
                                            ArrayRef<int64_t> shape,
                                            int64_t row, IndexLines &lines) {
  SmallVector<Logits> logits = {{0, shape.back(), 1.0, 0.0}};
  auto refine = [&](ArrayRef<Piece> line, auto change) -> LogicalResult {
    SmallVector<Logits> result;
    for (const Logits &old : logits)
      for (const Piece &piece : line) {
        Logits part = old;
        part.begin = std::max(old.begin, piece.begin);
        part.end = std::min(old.end, piece.end);
        if (part.begin >= part.end)
          continue;
        if (failed(change(part, piece)))
          return failure();
        result.push_back(part);
      }
    logits = std::move(result);
    return success();
  };
  auto lineOf = [&](Value value, double number) -> FailureOr<Line> {
    if (value)
      return lines.row(value, shape, row);
    return Line{{0, shape.back(), 0.0, number}};
  };
  for (const ScoreStep &step : steps) {
    if (step.kind == ScoreStep::Kind::Scale) {
      for (Logits &part : logits) {
        part.factor *= step.number;
        part.shift *= step.number;
      }
      continue;
    }
    FailureOr<Line> values = lineOf(step.value, step.number);
    if (failed(values))
      return failure();
    if (step.kind == ScoreStep::Kind::Add) {
      if (failed(refine(*values, [&](Logits &part, const Piece &piece) {
            part.shift += step.number * piece.offset;
            return success(piece.slope == 0);
          })))
        return failure();
      continue;
    }
    FailureOr<Line> mask = lines.row(step.mask, shape, row);
    if (failed(mask))
      return failure();
    bool fillsWhere = step.kind == ScoreStep::Kind::FillWhere;
    // Cut at the values' pieces first, then at the mask's.
    if (failed(refine(*mask, [&](Logits &part, const Piece &piece) {
          if ((piece.offset != 0) != fillsWhere)
            return success();
          if (values->size() != 1 || values->front().slope != 0)
            return failure();
          part.factor = 0;
          part.shift = values->front().offset;
          return success();
        })))
      return failure();
  }
  return logits;
}

static std::string position(int64_t row, int64_t column) {
  return "row " + std::to_string(row) + ", column " + std::to_string(column);
}

FailureOr<MaskProof> nxdt::proveMask(ArrayRef<ScoreStep> steps,
                                     ArrayRef<int64_t> shape, IndexLines &lines,
                                     std::string &why) {
  int64_t rows = shape[shape.size() - 2], columns = shape.back();
  MaskProof proof;
  bool hasMask = false;
  for (const ScoreStep &step : steps) {
    if (step.kind == ScoreStep::Kind::Scale)
      proof.scale *= step.number;
    else
      hasMask = true;
  }
  if (!(std::isfinite(proof.scale) && proof.scale > 0)) {
    why = "its scale " + std::to_string(proof.scale) + " is not positive";
    return failure();
  }
  // The first places where the mask is not causal.
  std::string keptFuture, maskedPast;
  // Without a mask all rows are alike.
  for (int64_t row = 0, end = hasMask ? rows : 0; row < end; ++row) {
    auto logits = rowOf(steps, shape, row, lines);
    if (failed(logits)) {
      why = lines.why().empty() ? "its mask adds numbers that vary"
                                : "its mask depends on " + lines.why().str();
      return failure();
    }
    for (const Logits &part : *logits) {
      bool isKept = part.factor == proof.scale && part.shift == 0;
      bool isMasked = part.shift <= kMasked;
      if (!isKept && !isMasked) {
        why = "its mask neither keeps nor masks " + position(row, part.begin) +
              (part.factor == 0 ? ": it puts " : ": it adds ") +
              (std::isnan(part.shift) ? "not a number"
                                      : std::to_string(part.shift));
        return failure();
      }
      proof.isCausal |= isMasked;
      if (isMasked && part.begin <= row && maskedPast.empty())
        maskedPast = position(row, part.begin);
      if (isKept && part.end > row + 1 && keptFuture.empty())
        keptFuture = position(row, std::max(part.begin, row + 1));
    }
  }
  if (!proof.isCausal)
    return proof;
  if (!maskedPast.empty())
    why = "its mask masks " + maskedPast + ", which a causal mask keeps";
  else if (!keptFuture.empty())
    why = "its mask keeps " + keptFuture + ", which a causal mask masks";
  else if (rows != columns)
    why = "it masks " + std::to_string(rows) + " queries against " +
          std::to_string(columns) + " keys";
  else
    return proof;
  return failure();
}
