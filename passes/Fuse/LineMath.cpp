//===- LineMath.cpp - arithmetic on piecewise affine lines ----------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "LineMath.h"

#include "llvm/ADT/StringSwitch.h"

#include <cmath>

using namespace mlir;
using namespace nxdt;

/// Appends a piece; equal neighbours become one.
static void append(Line &line, int64_t begin, int64_t end, double slope,
                   double offset) {
  if (begin >= end)
    return;
  if (!line.empty() && line.back().slope == slope &&
      line.back().offset == offset) {
    line.back().end = end;
    return;
  }
  line.push_back({begin, end, slope, offset});
}

LogicalResult
nxdt::zipLines(ArrayRef<Piece> a, ArrayRef<Piece> b,
               llvm::function_ref<LogicalResult(Piece, Piece)> combine) {
  size_t ia = 0, ib = 0;
  while (ia < a.size() && ib < b.size()) {
    Piece pa = a[ia], pb = b[ib];
    pa.begin = pb.begin = std::max(pa.begin, pb.begin);
    pa.end = pb.end = std::min(a[ia].end, b[ib].end);
    if (failed(combine(pa, pb)))
      return failure();
    ia += a[ia].end == pa.end;
    ib += b[ib].end == pb.end;
  }
  return success();
}

Line nxdt::scaleLine(ArrayRef<Piece> line, double factor) {
  Line result;
  for (const Piece &piece : line)
    append(result, piece.begin, piece.end,
           piece.slope == 0 ? 0 : piece.slope * factor, piece.offset * factor);
  return result;
}

LogicalResult nxdt::addLines(ArrayRef<Piece> a, ArrayRef<Piece> b,
                             Line &result) {
  return zipLines(a, b, [&](Piece x, Piece y) {
    append(result, x.begin, x.end, x.slope + y.slope, x.offset + y.offset);
    return success();
  });
}

LogicalResult nxdt::multiplyLines(ArrayRef<Piece> a, ArrayRef<Piece> b,
                                  Line &result) {
  return zipLines(a, b, [&](Piece x, Piece y) -> LogicalResult {
    if (x.slope != 0)
      std::swap(x, y);
    if (x.slope != 0 || (y.slope != 0 && !std::isfinite(x.offset)))
      return failure();
    append(result, x.begin, x.end, y.slope * (y.slope == 0 ? 0 : x.offset),
           y.offset * x.offset);
    return success();
  });
}

LogicalResult nxdt::divideLines(ArrayRef<Piece> a, ArrayRef<Piece> b,
                                Line &result) {
  return zipLines(a, b, [&](Piece x, Piece y) -> LogicalResult {
    // A quotient of something that varies is rounded somewhere.
    if (x.slope != 0 || y.slope != 0)
      return failure();
    append(result, x.begin, x.end, 0, x.offset / y.offset);
    return success();
  });
}

/// Splits [begin, end) at the first index for which `holds`, which is false
/// before and true from there on.
template <typename Predicate>
static int64_t firstWhere(int64_t begin, int64_t end, Predicate holds) {
  while (begin < end) {
    int64_t middle = begin + (end - begin) / 2;
    if (holds(middle))
      end = middle;
    else
      begin = middle + 1;
  }
  return begin;
}

/// Bit 0: less, bit 1: equal, bit 2: greater.
static unsigned relationMask(StringRef relation) {
  return llvm::StringSwitch<unsigned>(relation)
      .Case("lt", 1)
      .Case("le", 3)
      .Case("eq", 2)
      .Case("ne", 5)
      .Case("ge", 6)
      .Case("gt", 4)
      .Default(0);
}

LogicalResult nxdt::compareLines(StringRef relation, ArrayRef<Piece> a,
                                 ArrayRef<Piece> b, Line &result) {
  unsigned mask = relationMask(relation);
  return zipLines(a, b, [&](Piece x, Piece y) -> LogicalResult {
    auto signAt = [&](int64_t k) {
      double l = x.at(k), r = y.at(k);
      return l < r ? 0 : l == r ? 1 : 2;
    };
    if (std::isnan(x.offset) || std::isnan(y.offset))
      return failure();
    // The difference is monotone: at most three ranges of one sign each.
    int first = signAt(x.begin), last = signAt(x.end - 1);
    int64_t begin = x.begin;
    for (int sign = first; begin < x.end; sign += first < last ? 1 : -1) {
      int64_t end =
          sign == last ? x.end : firstWhere(begin, x.end, [&](int64_t k) {
            return signAt(k) != sign;
          });
      append(result, begin, end, 0, (mask >> sign) & 1);
      begin = end;
    }
    return success();
  });
}

Line nxdt::notLine(ArrayRef<Piece> line) {
  Line result;
  for (const Piece &piece : line)
    append(result, piece.begin, piece.end, 0, piece.offset == 0);
  return result;
}

LogicalResult nxdt::combineBools(StringRef name, ArrayRef<Piece> a,
                                 ArrayRef<Piece> b, Line &result) {
  return zipLines(a, b, [&](Piece x, Piece y) {
    bool l = x.offset != 0, r = y.offset != 0;
    bool value = name == "and" ? l && r : name == "or" ? l || r : l != r;
    append(result, x.begin, x.end, 0, value);
    return success();
  });
}

void nxdt::selectLines(ArrayRef<Piece> condition, ArrayRef<Piece> ifTrue,
                       ArrayRef<Piece> ifFalse, Line &result) {
  (void)zipLines(ifTrue, ifFalse, [&](Piece t, Piece f) {
    for (const Piece &c : condition) {
      int64_t begin = std::max(c.begin, t.begin), end = std::min(c.end, t.end);
      const Piece &piece = c.offset != 0 ? t : f;
      append(result, begin, end, piece.slope, piece.offset);
    }
    return success();
  });
}

void nxdt::keepRange(ArrayRef<Piece> line, int64_t begin, int64_t end,
                     Line &result) {
  int64_t size = line.back().end;
  begin = std::clamp<int64_t>(begin, 0, size);
  end = std::clamp<int64_t>(end, begin, size);
  append(result, 0, begin, 0, 0);
  for (const Piece &piece : line)
    append(result, std::max(begin, piece.begin), std::min(end, piece.end),
           piece.slope, piece.offset);
  append(result, end, size, 0, 0);
}

//===----------------------------------------------------------------------===//
// Element types
//===----------------------------------------------------------------------===//

static LogicalResult castToBool(const Piece &piece, Line &result) {
  Line zero = {{piece.begin, piece.end, 0, 0}};
  return compareLines("ne", ArrayRef(piece), zero, result);
}

static LogicalResult castToInteger(const Piece &piece, unsigned bits,
                                   Line &result) {
  // What an f64 holds exactly is enough for every index.
  double limit = std::ldexp(1.0, std::min(bits - 1, 53u));
  double first = piece.at(piece.begin), last = piece.at(piece.end - 1);
  if (!(std::abs(first) < limit && std::abs(last) < limit))
    return failure();
  bool isIntegral = piece.slope == std::trunc(piece.slope) &&
                    piece.offset == std::trunc(piece.offset);
  if (piece.slope != 0 && !isIntegral)
    return failure();
  append(result, piece.begin, piece.end, piece.slope, std::trunc(piece.offset));
  return success();
}

static LogicalResult castToFloat(const Piece &piece, FloatType type,
                                 Line &result) {
  const llvm::fltSemantics &semantics = type.getFloatSemantics();
  if (piece.slope == 0) {
    llvm::APFloat value(piece.offset);
    bool losesInfo;
    value.convert(semantics, llvm::APFloat::rmNearestTiesToEven, &losesInfo);
    value.convert(llvm::APFloat::IEEEdouble(),
                  llvm::APFloat::rmNearestTiesToEven, &losesInfo);
    append(result, piece.begin, piece.end, 0, value.convertToDouble());
    return success();
  }
  double limit = std::ldexp(1.0, llvm::APFloat::semanticsPrecision(semantics));
  bool isExact = piece.slope == std::trunc(piece.slope) &&
                 piece.offset == std::trunc(piece.offset) &&
                 std::abs(piece.at(piece.begin)) <= limit &&
                 std::abs(piece.at(piece.end - 1)) <= limit;
  if (!isExact)
    return failure();
  append(result, piece.begin, piece.end, piece.slope, piece.offset);
  return success();
}

LogicalResult nxdt::castLine(ArrayRef<Piece> line, Type element, Line &result) {
  for (const Piece &piece : line) {
    LogicalResult status =
        isa<FloatType>(element)
            ? castToFloat(piece, cast<FloatType>(element), result)
        : element.isInteger(1)
            ? castToBool(piece, result)
            : castToInteger(piece, element.getIntOrFloatBitWidth(), result);
    if (failed(status))
      return failure();
  }
  return success();
}
