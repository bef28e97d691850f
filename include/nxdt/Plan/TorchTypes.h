//===- TorchTypes.h - the plan's element types in libtorch ------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// For code that has libtorch; nxdt_plan itself does not.
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_PLAN_TORCHTYPES_H
#define NXDT_PLAN_TORCHTYPES_H

#include "nxdt/Plan/Plan.h"

#include "c10/core/ScalarType.h"

#include <optional>
#include <stdexcept>

namespace nxdt::plan {

inline at::ScalarType torchType(DType dtype) {
  switch (dtype) {
  case DType::F64:
    return at::kDouble;
  case DType::F32:
    return at::kFloat;
  case DType::BF16:
    return at::kBFloat16;
  case DType::F16:
    return at::kHalf;
  case DType::I64:
    return at::kLong;
  case DType::I32:
    return at::kInt;
  case DType::U8:
    return at::kByte;
  case DType::Bool:
    return at::kBool;
  }
  throw std::logic_error("torchType: unknown dtype");
}

/// nullopt for a type that plans do not have.
inline std::optional<DType> findPlanType(at::ScalarType type) {
  switch (type) {
  case at::kDouble:
    return DType::F64;
  case at::kFloat:
    return DType::F32;
  case at::kBFloat16:
    return DType::BF16;
  case at::kHalf:
    return DType::F16;
  case at::kLong:
    return DType::I64;
  case at::kInt:
    return DType::I32;
  case at::kByte:
    return DType::U8;
  case at::kBool:
    return DType::Bool;
  default:
    return std::nullopt;
  }
}

/// Throws std::logic_error for a type that plans do not have.
inline DType planType(at::ScalarType type) {
  if (std::optional<DType> dtype = findPlanType(type))
    return *dtype;
  throw std::logic_error("planType: a tensor type that plans do not have");
}

} // namespace nxdt::plan

#endif // NXDT_PLAN_TORCHTYPES_H
