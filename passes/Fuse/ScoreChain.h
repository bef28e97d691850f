//===- ScoreChain.h - from q k^T to the softmax -----------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_PASSES_FUSE_SCORECHAIN_H
#define NXDT_PASSES_FUSE_SCORECHAIN_H

#include "IndexLines.h"

namespace nxdt {

/// What happens to the scores on their way into the softmax.
struct ScoreStep {
  enum class Kind {
    Scale,      ///< scores *= number
    FillWhere,  ///< where `mask` is true: `value` or `number`
    FillUnless, ///< where `mask` is false: `value` or `number`
    Add,        ///< scores += number * value
  };
  Kind kind;
  double number = 0;
  mlir::Value mask, value;
  bool operator==(const ScoreStep &) const = default;
};

/// The way from the softmax's input up to the product of q and k.
struct ScoreChain {
  /// The operator that multiplies q with k^T.
  AtenOp product;
  /// In the order of execution.
  llvm::SmallVector<ScoreStep> steps;
  /// Operators on the way, the product among them.
  llvm::SmallVector<AtenOp> ops;
  /// Keeps sums of sums from being searched exponentially.
  int visited = 0;
  static constexpr int kMaxVisited = 100;
};

/// The tensor that an operator hands on unchanged (a cast, a copy, a view that
/// keeps the shape, dropout that drops nothing); null for other operators.
mlir::Value passedThrough(AtenOp op, bool allowCasts);

/// The number that an operator multiplies one tensor with (`mul`, `div` by a
/// constant), and that tensor; nullopt for other operators.
std::optional<std::pair<mlir::Value, double>> scaledBy(AtenOp op,
                                                       IndexLines &lines);

/// Follows `scores` up to a product; failure, and `why` set, if something
/// else is on the way.
llvm::LogicalResult findProduct(mlir::Value scores, IndexLines &lines,
                                ScoreChain &chain, std::string &why);

/// What the chain was proven to do to every score.
struct MaskProof {
  double scale = 1;
  bool isCausal = false;
};

/// Shows that the steps multiply every score by one number, and that either
/// nothing is masked or exactly the columns behind the row are: there the
/// logit is at most `kMasked`. Failure, and `why`, with an example otherwise.
llvm::FailureOr<MaskProof> proveMask(llvm::ArrayRef<ScoreStep> steps,
                                     llvm::ArrayRef<int64_t> shape,
                                     IndexLines &lines, std::string &why);

/// A logit that counts as masked: e^-10000 is 0 in every float type, however
/// large the scores beside it may be in practice.
constexpr double kMasked = -1e4;

} // namespace nxdt

#endif // NXDT_PASSES_FUSE_SCORECHAIN_H
