//===- LineMath.h - arithmetic on piecewise affine lines --------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_PASSES_FUSE_LINEMATH_H
#define NXDT_PASSES_FUSE_LINEMATH_H

#include "IndexLines.h"

namespace nxdt {

// Failure: the result is not a line, or not exactly.

Line scaleLine(llvm::ArrayRef<Piece> line, double factor);
llvm::LogicalResult addLines(llvm::ArrayRef<Piece> a, llvm::ArrayRef<Piece> b,
                             Line &result);
llvm::LogicalResult multiplyLines(llvm::ArrayRef<Piece> a,
                                  llvm::ArrayRef<Piece> b, Line &result);
llvm::LogicalResult divideLines(llvm::ArrayRef<Piece> a,
                                llvm::ArrayRef<Piece> b, Line &result);

/// `relation` is eq, ne, lt, le, gt or ge.
llvm::LogicalResult compareLines(llvm::StringRef relation,
                                 llvm::ArrayRef<Piece> a,
                                 llvm::ArrayRef<Piece> b, Line &result);

// On lines of bools.
Line notLine(llvm::ArrayRef<Piece> line);
/// `name` is and, or, xor.
llvm::LogicalResult combineBools(llvm::StringRef name, llvm::ArrayRef<Piece> a,
                                 llvm::ArrayRef<Piece> b, Line &result);
void selectLines(llvm::ArrayRef<Piece> condition, llvm::ArrayRef<Piece> ifTrue,
                 llvm::ArrayRef<Piece> ifFalse, Line &result);

/// Elements outside of [begin, end) become zero.
void keepRange(llvm::ArrayRef<Piece> line, int64_t begin, int64_t end,
               Line &result);

/// Rounds constants as the element type does; lines that vary must be exact in
/// it.
llvm::LogicalResult castLine(llvm::ArrayRef<Piece> line, mlir::Type element,
                             Line &result);

} // namespace nxdt

#endif // NXDT_PASSES_FUSE_LINEMATH_H
