//===- OpSharding.cpp - do an op's shardings follow from its rule? --------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "OpSharding.h"

using namespace mlir;
using namespace nxdt;

//===----------------------------------------------------------------------===//
// Pieces of axes
//===----------------------------------------------------------------------===//

void Pieces::append(Piece piece) {
  if (piece.size == 1)
    return;
  if (!empty() && back().axis == piece.axis &&
      back().pre * back().size == piece.pre)
    back().size *= piece.size;
  else
    push_back(piece);
}

Pieces nxdt::pieces(ArrayRef<AxisAttr> axes) {
  Pieces list;
  for (AxisAttr axis : axes)
    list.append({axis.getName().getValue(), axis.getPre(), axis.getSize()});
  return list;
}

Pieces nxdt::asSet(const Pieces &list) {
  SmallVector<Piece> sorted(list.begin(), list.end());
  llvm::sort(sorted, [](const Piece &a, const Piece &b) {
    return std::pair(a.axis, a.pre) < std::pair(b.axis, b.pre);
  });
  Pieces set;
  for (const Piece &piece : sorted)
    set.append(piece);
  return set;
}

static bool overlap(const Piece &a, const Piece &b) {
  return a.axis == b.axis && a.pre < b.pre * b.size && b.pre < a.pre * a.size;
}

std::string nxdt::axesText(const Pieces &list, MeshAttr mesh) {
  std::string text = "[";
  for (const Piece &piece : list) {
    text += (text.size() > 1 ? ", " : "") + piece.axis.str();
    if (piece.pre != 1 || piece.size != mesh.sizeOf(piece.axis))
      text +=
          ":(" + std::to_string(piece.pre) + ")" + std::to_string(piece.size);
  }
  return text + "]";
}

std::string nxdt::axesText(ArrayRef<AxisAttr> axes, MeshAttr mesh) {
  return axesText(pieces(axes), mesh);
}

//===----------------------------------------------------------------------===//
// One op
//===----------------------------------------------------------------------===//

std::string OpSharding::name() const {
  auto aten = dyn_cast<AtenOp>(op);
  return aten ? aten.getCallee().str() : op->getName().getStringRef().str();
}

/// Deals the axes of a dimension out to its factors, major to minor. A factor
/// must be used up before the next one is split, and only the last may be
/// padded.
LogicalResult OpSharding::readDim(ArrayRef<unsigned> factors, Pieces axes,
                                  const std::string &where) {
  SmallVector<unsigned> list;
  for (unsigned factor : factors)
    if (rule.factors[factor].size != 1)
      list.push_back(factor);
  if (list.empty())
    list.append(factors.begin(), factors.end());
  if (list.empty() && !axes.empty())
    return op->emitOpError(where)
           << " is split over " << axesText(axes, mesh) << ", but " << name()
           << " needs it whole on every rank";
  llvm::SmallDenseMap<unsigned, Pieces> own;
  size_t at = 0;
  int64_t left = list.empty() ? 1 : rule.factors[list[0]].size;
  for (Piece piece : axes) {
    while (piece.size > 1) {
      bool isLast = at + 1 == list.size();
      if (left == 1 && !isLast) {
        left = rule.factors[list[++at]].size;
        continue;
      }
      int64_t taken = piece.size;
      if (!isLast && taken > left)
        taken = left;
      if (!isLast && (left % taken != 0 || piece.size % taken != 0))
        return op->emitOpError(where)
               << " is split over " << axesText(axes, mesh)
               << ", which cuts across its parts of " << left << " in "
               << name();
      own[list[at]].append({piece.axis, piece.pre, taken});
      left = llvm::divideCeil(left, taken);
      piece = {piece.axis, piece.pre * taken, piece.size / taken};
    }
  }
  for (unsigned factor : factors) {
    Pieces found = own.lookup(factor);
    if (isSplit[factor] && found != split[factor])
      return op->emitOpError(where)
             << " is split over " << axesText(axes, mesh) << ", but " << name()
             << " has the same index split over "
             << axesText(split[factor], mesh)
             << " elsewhere; reshard one of them";
    split[factor] = found;
    isSplit[factor] = true;
  }
  return success();
}

LogicalResult OpSharding::readTensor(const TensorFactors &tensor,
                                     ShardingAttr sharding, StringRef kind,
                                     unsigned number) {
  for (auto [dim, factors] : llvm::enumerate(tensor))
    if (failed(readDim(
            factors, pieces(sharding.axesOf(dim)),
            ("dimension " + Twine(dim) + " of " + kind + " " + Twine(number))
                .str())))
      return failure();
  return success();
}

/// Whole factors are whole, and no axis splits two factors: a rank would see
/// the diagonal blocks only.
LogicalResult OpSharding::verifyFactors() {
  for (auto [f, factor] : llvm::enumerate(rule.factors)) {
    if (factor.kind == FactorKind::Whole && !split[f].empty())
      return op->emitOpError()
             << name() << " needs all " << factor.size
             << " of an index that is split over " << axesText(split[f], mesh)
             << "; gather it first";
    for (unsigned other = 0; other < f; ++other)
      for (const Piece &a : split[f])
        for (const Piece &b : split[other])
          if (overlap(a, b))
            return op->emitOpError()
                   << "axis '" << a.axis << "' splits two indices of " << name()
                   << ": each rank would see the diagonal blocks only";
  }
  return success();
}

/// Parts of a product of factors lie together only if nothing is padded inside.
LogicalResult OpSharding::verifyProducts(const TensorFactors &tensor) {
  for (const DimFactors &dim : tensor) {
    if (dim.size() < 2)
      continue;
    bool isUsedUp = true;
    for (unsigned factor : dim) {
      int64_t parts = 1;
      for (const Piece &piece : split[factor])
        parts *= piece.size;
      int64_t size = rule.factors[factor].size;
      if (parts > 1 && (!isUsedUp || size % parts != 0))
        return op->emitOpError()
               << name() << " cannot keep its index of " << size
               << " split over " << axesText(split[factor], mesh)
               << " within a product of indices; gather it first";
      isUsedUp = isUsedUp && parts == size;
    }
  }
  return success();
}

static bool isInteger(Type type) {
  return isa<IntegerType>(cast<RankedTensorType>(type).getElementType());
}

/// The axes that partial operands leave on the results; failure if the op is
/// not linear in them.
FailureOr<Pieces> OpSharding::keptPartial() {
  Pieces kept;
  unsigned partials = 0;
  for (auto [i, operand] : llvm::enumerate(op->getOperands())) {
    ShardingAttr sharding = shardingOf(operand.getType());
    if (!sharding.isPartial())
      continue;
    Pieces axes = asSet(pieces(sharding.partialAxes()));
    bool isLinear = rule.linearity != ShardingRule::Linearity::None &&
                    rule.linearIn[i] &&
                    sharding.getReduction() == Reduction::Sum;
    // Rounding to whole numbers term by term is not rounding the sum.
    if (isLinear && isa<AtenOp>(op) && !isInteger(operand.getType()) &&
        isInteger(op->getResult(0).getType()))
      isLinear = false;
    if (!isLinear) {
      op->emitOpError("operand ")
          << i << " is partial over " << axesText(axes, mesh) << ", but "
          << name() << " is not linear in it; reshard it to the "
          << (sharding.getReduction() == Reduction::Sum ? "sum" : "maximum")
          << " first";
      return failure();
    }
    for (const Pieces &factor : split)
      for (const Piece &a : factor)
        for (const Piece &b : axes)
          if (overlap(a, b)) {
            op->emitOpError("axis '")
                << a.axis << "' splits an index of " << name()
                << " and is partial in operand " << i;
            return failure();
          }
    if (partials++ && axes != kept) {
      op->emitOpError("operand ")
          << i << " is partial over " << axesText(axes, mesh)
          << ", another one over " << axesText(kept, mesh);
      return failure();
    }
    kept = axes;
  }
  if (rule.linearity == ShardingRule::Linearity::Each && partials > 1) {
    op->emitOpError() << name() << " of " << partials
                      << " partial operands is no partial sum; reshard all but "
                         "one of them";
    return failure();
  }
  if (rule.linearity == ShardingRule::Linearity::Joint && partials &&
      partials != llvm::count(rule.linearIn, true)) {
    op->emitOpError("some operands are partial over ")
        << axesText(kept, mesh) << " and others are not: " << name()
        << " would count these once for each rank; reshard to the sum first";
    return failure();
  }
  return kept;
}

/// Zeros are the sum of zeros.
static bool isZeroConstant(Operation *op) {
  auto aten = dyn_cast<AtenOp>(op);
  if (!aten || op->getNumOperands() != 0)
    return false;
  if (aten.getCallee() == "aten::zeros")
    return true;
  if (aten.getCallee() != "aten::full")
    return false;
  Attribute fill = aten.getArgs()[1];
  if (auto number = dyn_cast<FloatAttr>(fill))
    return number.getValue().isZero();
  auto integer = dyn_cast<IntegerAttr>(fill);
  return integer && integer.getValue().isZero();
}

LogicalResult OpSharding::verifyResult(unsigned number, const Pieces &kept) {
  ShardingAttr sharding = shardingOf(op->getResult(number).getType());
  Pieces wanted = kept;
  for (auto [f, factor] : llvm::enumerate(rule.factors)) {
    bool isHere = llvm::any_of(rule.results[number], [&](const DimFactors &d) {
      return llvm::is_contained(d, f);
    });
    // Of an index that is not summed, a result without it is the same for all.
    if (!isHere && factor.kind == FactorKind::Reduce)
      wanted.append(split[f]);
  }
  wanted = asSet(wanted);
  Pieces has = asSet(pieces(sharding.partialAxes()));
  if (has != wanted && !isZeroConstant(op))
    return op->emitOpError("result ")
           << number << " of " << name() << " is partial over "
           << axesText(wanted, mesh) << ", its type says "
           << axesText(has, mesh);
  Reduction reduction = kept.empty() ? rule.reduction : Reduction::Sum;
  if (!wanted.empty() && sharding.getReduction() != reduction)
    return op->emitOpError("result ")
           << number << " of " << name() << " is a partial "
           << (reduction == Reduction::Sum ? "sum" : "maximum")
           << ", its type says the other";
  return success();
}

LogicalResult OpSharding::verify() {
  for (auto [i, operand] : llvm::enumerate(op->getOperands()))
    if (failed(readTensor(rule.operands[i], shardingOf(operand.getType()),
                          "operand", i)))
      return failure();
  for (auto [i, result] : llvm::enumerate(op->getResults()))
    if (failed(readTensor(rule.results[i], shardingOf(result.getType()),
                          "result", i)))
      return failure();
  if (failed(verifyFactors()))
    return failure();
  for (const TensorFactors &tensor : rule.operands)
    if (failed(verifyProducts(tensor)))
      return failure();
  for (const TensorFactors &tensor : rule.results)
    if (failed(verifyProducts(tensor)))
      return failure();
  FailureOr<Pieces> kept = keptPartial();
  if (failed(kept))
    return failure();
  for (unsigned i = 0; i < op->getNumResults(); ++i)
    if (failed(verifyResult(i, *kept)))
      return failure();
  return success();
}
