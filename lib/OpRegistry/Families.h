//===- Families.h - one registration function per file ----------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_LIB_OPREGISTRY_FAMILIES_H
#define NXDT_LIB_OPREGISTRY_FAMILIES_H

#include "ShardingFamilies.h"

namespace nxdt {
void registerArithmetic(OpRegistry &registry);
void registerFunctions(OpRegistry &registry);
void registerActivations(OpRegistry &registry);
void registerCopies(OpRegistry &registry);
void registerComparisons(OpRegistry &registry);
void registerSelection(OpRegistry &registry);
void registerReshapes(OpRegistry &registry);
void registerPermutations(OpRegistry &registry);
void registerParts(OpRegistry &registry);
void registerJoins(OpRegistry &registry);
void registerReductions(OpRegistry &registry);
void registerExtrema(OpRegistry &registry);
void registerStatistics(OpRegistry &registry);
void registerSoftmax(OpRegistry &registry);
void registerNormalisation(OpRegistry &registry);
void registerMatMul(OpRegistry &registry);
void registerFactories(OpRegistry &registry);
void registerIndexing(OpRegistry &registry);
void registerLoss(OpRegistry &registry);

using Infer = llvm::FailureOr<ResultTypes>;
using Vjp = std::function<void(VjpContext &)>;
using Shape = llvm::SmallVector<int64_t>;

//===----------------------------------------------------------------------===//
// Dims
//===----------------------------------------------------------------------===//

/// A dim counted from the end if negative; nullopt if out of range.
std::optional<int64_t> wrapDim(std::optional<int64_t> dim, int64_t rank);
/// All of several dims, sorted; an empty list or none = every dim.
std::optional<llvm::SmallVector<int64_t>>
wrapDims(std::optional<llvm::ArrayRef<int64_t>> dims, int64_t rank);
/// A shape without these dims, or with 1 in their place.
Shape reducedShape(mlir::RankedTensorType type, llvm::ArrayRef<int64_t> dims,
                   bool keepDim);
/// Product of these dims.
double reducedCount(mlir::RankedTensorType type, llvm::ArrayRef<int64_t> dims);
/// A reduced tensor with its dims put back as ones.
mlir::Value keepDims(AtenBuilder &builder, mlir::Value reduced,
                     mlir::RankedTensorType type, llvm::ArrayRef<int64_t> dims);

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

inline mlir::RankedTensorType withElement(mlir::RankedTensorType type,
                                          mlir::Type element) {
  return mlir::RankedTensorType::get(type.getShape(), element);
}
/// The element type of `like` in another shape; failure if a size is negative.
Infer shaped(mlir::RankedTensorType like, llvm::ArrayRef<int64_t> shape);
inline bool isFloat(mlir::RankedTensorType type) {
  return llvm::isa<mlir::FloatType>(type.getElementType());
}
inline bool isFloat(mlir::Type type) {
  return llvm::isa<mlir::FloatType>(type);
}
inline mlir::Type f32(mlir::Type like) {
  return mlir::Float32Type::get(like.getContext());
}
inline mlir::Type i64(mlir::Type like) {
  return mlir::IntegerType::get(like.getContext(), 64);
}
inline mlir::Type i1(mlir::Type like) {
  return mlir::IntegerType::get(like.getContext(), 1);
}
/// Element type of libtorch's type promotion of several tensors.
mlir::Type promoteAll(llvm::ArrayRef<mlir::RankedTensorType> types);
/// Tensor with a number: the number's category may widen the tensor's.
mlir::Type promoteScalar(mlir::Type element, mlir::Attribute scalar);
/// libtorch's type of a number alone: f32, i64 or i1.
mlir::Type elementOfScalar(mlir::Attribute scalar);
/// Integers become f32, as in every function on reals.
inline mlir::Type floating(mlir::Type element) {
  return isFloat(element) ? element : f32(element);
}
/// Integers and bools become i64, as in sums.
inline mlir::Type summed(mlir::Type element) {
  return isFloat(element) ? element : i64(element);
}
/// f32 unless the type is wider: what statistics are computed in.
inline mlir::Type wide(mlir::Type element) {
  return element.isF64() ? element : f32(element);
}
Infer broadcastResult(llvm::ArrayRef<mlir::RankedTensorType> types,
                      mlir::Type element);

//===----------------------------------------------------------------------===//
// Common `infer`s, by schema positions
//===----------------------------------------------------------------------===//

/// Operand 0's type.
Infer inferSame(const CallArgs &args);
/// The same, integers as f32.
Infer inferFloatUnary(const CallArgs &args);
/// Tensors at 0 and 1, broadcast and promoted.
Infer inferBinary(const CallArgs &args);
/// Tensor at 0, number at 1.
Infer inferScalar(const CallArgs &args);

/// Registers an operator without a gradient of its own in libtorch.
OpInfo &constant(OpRegistry &registry, llvm::StringRef callee, RuleOf sharding);
OpInfo &add(OpRegistry &registry, llvm::StringRef callee, RuleOf sharding,
            llvm::FailureOr<ResultTypes> (*infer)(const CallArgs &), Vjp vjp);
} // namespace nxdt

#endif // NXDT_LIB_OPREGISTRY_FAMILIES_H
