//===- IndexLines.h - tensors as functions of their indices -----*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Masks are computed from nothing: arange, full, triu, comparisons. Their
// elements are therefore known at compile time, as a function of the index.
// Along one dimension, the others fixed, such a function is a few pieces, each
// affine in the index. A line of pieces is exact, so what is shown for every
// line of a mask is proven for every element; a row of 8192 elements costs
// three pieces.
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_PASSES_FUSE_INDEXLINES_H
#define NXDT_PASSES_FUSE_INDEXLINES_H

#include "nxdt/Registry/OpRegistry.h"

namespace nxdt {

/// Elements [begin, end) of a line: slope * index + offset. Bools are 0 and 1.
struct Piece {
  int64_t begin, end;
  double slope, offset;
  double at(int64_t index) const {
    return slope == 0 ? offset : slope * static_cast<double>(index) + offset;
  }
};

/// Pieces in order, without gaps, from 0 to the size of the dimension.
using Line = llvm::SmallVector<Piece, 4>;

/// Applies `combine` to the overlaps of two lines of equal size.
llvm::LogicalResult
zipLines(llvm::ArrayRef<Piece> a, llvm::ArrayRef<Piece> b,
         llvm::function_ref<llvm::LogicalResult(Piece, Piece)> combine);

/// Evaluates tensors that depend on nothing but their indices.
class IndexLines {
public:
  /// An index that the element must not depend on.
  static constexpr int64_t kAny = -1;
  /// No dimension: the line is the one element at `index`.
  static constexpr int64_t kPoint = -1;

  /// The elements of `value` along `axis`; `index` fixes the other dimensions
  /// (its entry at `axis` is not read). Failure, and `why()`, if they depend on
  /// data, on a dimension that is kAny, or cannot be represented exactly.
  llvm::FailureOr<Line> line(mlir::Value value, llvm::ArrayRef<int64_t> index,
                             int64_t axis);
  /// The one value that all elements have.
  llvm::FailureOr<double> constant(mlir::Value value);
  /// The elements of `value`, broadcast to `shape`, along its last dimension,
  /// in row `row` of the one before it, whatever the dimensions before are.
  llvm::FailureOr<Line> row(mlir::Value value, llvm::ArrayRef<int64_t> shape,
                            int64_t row);

  /// What the last failure was about.
  llvm::StringRef why() const { return reason; }

private:
  struct Query;
  llvm::FailureOr<Line> evaluate(const Query &query);
  llvm::FailureOr<Line> factory(const Query &query);
  llvm::FailureOr<Line> moved(const Query &query);
  llvm::FailureOr<Line> part(const Query &query);
  llvm::FailureOr<Line> triangle(const Query &query);
  llvm::FailureOr<Line> arithmetic(const Query &query);
  llvm::FailureOr<Line> logic(const Query &query);
  llvm::FailureOr<Line> selection(const Query &query);
  /// The operand at a schema position, broadcast to the result.
  llvm::FailureOr<Line> operand(const Query &query, unsigned position);
  llvm::FailureOr<Line> numberOrOperand(const Query &query, unsigned position);
  llvm::FailureOr<Line> broadcastLine(mlir::Value value,
                                      llvm::ArrayRef<int64_t> shape,
                                      llvm::ArrayRef<int64_t> index,
                                      int64_t axis);
  void promoteBoth(const Query &query, llvm::FailureOr<Line> &a,
                   llvm::FailureOr<Line> &b);
  llvm::FailureOr<Line> toElement(Line line, mlir::Type element);
  llvm::FailureOr<Line> fail(const llvm::Twine &because);

  std::string reason;
  int depth = 0;
};

} // namespace nxdt

#endif // NXDT_PASSES_FUSE_INDEXLINES_H
