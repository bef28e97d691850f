//===- Families.h - one registration function per file ----------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_LIB_OPREGISTRY_FAMILIES_H
#define NXDT_LIB_OPREGISTRY_FAMILIES_H

#include "nxdt/Registry/OpRegistry.h"

namespace nxdt {
void registerPointwise(OpRegistry &registry);
void registerViews(OpRegistry &registry);
void registerReductions(OpRegistry &registry);
void registerMatMul(OpRegistry &registry);
void registerFactories(OpRegistry &registry);
void registerIndexing(OpRegistry &registry);
void registerLossAndAttention(OpRegistry &registry);

/// A dim counted from the end if negative; nullopt if out of range.
std::optional<int64_t> wrapDim(std::optional<int64_t> dim, int64_t rank);
/// All of several dims, sorted; an empty list or none = every dim.
std::optional<llvm::SmallVector<int64_t>>
wrapDims(std::optional<llvm::ArrayRef<int64_t>> dims, int64_t rank);
inline mlir::RankedTensorType withElement(mlir::RankedTensorType type,
                                          mlir::Type element) {
  return mlir::RankedTensorType::get(type.getShape(), element);
}
inline bool isFloat(mlir::RankedTensorType type) {
  return llvm::isa<mlir::FloatType>(type.getElementType());
}
inline bool isFloat(mlir::Type type) {
  return llvm::isa<mlir::FloatType>(type);
}
} // namespace nxdt

#endif // NXDT_LIB_OPREGISTRY_FAMILIES_H
