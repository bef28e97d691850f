//===- ShardingFamilies.h - rules that operators share ----------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_LIB_OPREGISTRY_SHARDINGFAMILIES_H
#define NXDT_LIB_OPREGISTRY_SHARDINGFAMILIES_H

#include "nxdt/Registry/OpRegistry.h"

namespace nxdt {

//===----------------------------------------------------------------------===//
// Rules of one op, typed or not
//===----------------------------------------------------------------------===//

using Sizes = llvm::ArrayRef<int64_t>;

inline Sizes operandShape(mlir::Operation *op, unsigned operand) {
  return typeOf(op->getOperand(operand)).getShape();
}
inline Sizes resultShape(mlir::Operation *op, unsigned result = 0) {
  return typeOf(op->getResult(result)).getShape();
}

/// New factors of this kind, one per dim; `whole` dims are whole.
TensorFactors newFactors(ShardingRule &rule, Sizes shape, FactorKind kind,
                         llvm::ArrayRef<int64_t> whole = {});
/// What an operand of this shape has of the factors it is broadcast to.
TensorFactors broadcastFactors(const ShardingRule &rule, Sizes shape,
                               llvm::ArrayRef<DimFactors> result);

/// Elementwise with broadcasting; dims in `whole` (of the result) stay whole.
ShardingRule pointwiseRule(mlir::Operation *op,
                           llvm::ArrayRef<int64_t> whole = {});
/// Dims of operand 0 that results lack, or have as ones.
ShardingRule reductionRule(mlir::Operation *op, llvm::ArrayRef<int64_t> dims,
                           bool keepDim, FactorKind kind);
/// The reverse: dims of the result that operands lack, or have as ones. Whole.
ShardingRule insertionRule(mlir::Operation *op, llvm::ArrayRef<int64_t> dims);
/// Dims of operand 0 and the result as products of common factors.
ShardingRule reshapeRule(mlir::Operation *op);
/// Operand dim `map[d]` becomes result dim d.
ShardingRule permutationRule(mlir::Operation *op, llvm::ArrayRef<int64_t> map);
/// Same dims, those in `whole` with sizes of their own.
ShardingRule sameDimsRule(mlir::Operation *op, llvm::ArrayRef<int64_t> whole);
/// Operands `left` and `left + 1` as in aten::matmul; the contracted dim is of
/// this kind, and an operand in front of `left` is broadcast to the result.
ShardingRule productRule(mlir::Operation *op, unsigned left, FactorKind inner);
/// The result from sizes alone: operands, if any, say only its type.
ShardingRule factoryRule(mlir::Operation *op);

//===----------------------------------------------------------------------===//
// Rules of entries; positions are the schema's, operands are numbers
//===----------------------------------------------------------------------===//

RuleOf elementwise();
/// Operators that only move or scale operand 0's elements.
RuleOf linearElementwise();
/// The dim or the dims at a position are whole, with sizes of their own; an
/// empty list or none = all.
RuleOf wholeAlong(unsigned position);
/// Dims at a position reduced (nullopt = all), keepdim at another.
RuleOf reducing(FactorKind kind, std::optional<unsigned> dims = std::nullopt,
                std::optional<unsigned> keepDim = std::nullopt);
/// The same where parts reduce to a maximum over parts.
RuleOf maximising(std::optional<unsigned> dims = std::nullopt,
                  std::optional<unsigned> keepDim = std::nullopt);
/// Dims of the result, at a position, that operands lack.
RuleOf inserting(unsigned position);
RuleOf reshaping();
RuleOf fromSizes();

/// Partial sums in one of these operands.
RuleOf each(std::initializer_list<unsigned> operands, RuleOf rule);
/// Partial sums in all of these operands at once, in every one if empty.
RuleOf joint(std::initializer_list<unsigned> operands, RuleOf rule);

/// For an operator that is whole on every rank, whatever its operands.
constexpr std::nullptr_t kWhole = nullptr;

/// The argument at a position is the shape of result 0.
LocalArgs shapeAt(unsigned position);
/// The argument at a position is the size of a dim of result 0, or of the dim
/// that another argument names.
LocalArgs sizeAt(unsigned position, int64_t dim);
LocalArgs sizeAlong(unsigned position, unsigned dimPosition);

} // namespace nxdt

#endif // NXDT_LIB_OPREGISTRY_SHARDINGFAMILIES_H
