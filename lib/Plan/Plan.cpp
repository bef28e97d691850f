//===- Plan.cpp - names and sizes of the plan's enums -----------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "nxdt/Plan/Plan.h"

namespace nxdt::plan {

int64_t byteSize(DType dtype) {
  switch (dtype) {
  case DType::F64:
  case DType::I64:
    return 8;
  case DType::F32:
  case DType::I32:
    return 4;
  case DType::BF16:
  case DType::F16:
    return 2;
  case DType::U8:
  case DType::Bool:
    return 1;
  }
  return 0;
}

std::string_view name(DType dtype) {
  switch (dtype) {
  case DType::F64:
    return "f64";
  case DType::F32:
    return "f32";
  case DType::BF16:
    return "bf16";
  case DType::F16:
    return "f16";
  case DType::I64:
    return "i64";
  case DType::I32:
    return "i32";
  case DType::U8:
    return "u8";
  case DType::Bool:
    return "bool";
  }
  return "?";
}

std::string_view name(Role role) {
  switch (role) {
  case Role::Param:
    return "param";
  case Role::Master:
    return "master";
  case Role::OptState:
    return "opt_state";
  case Role::Grad:
    return "grad";
  case Role::Buffer:
    return "buffer";
  case Role::Input:
    return "input";
  case Role::Scalar:
    return "scalar";
  case Role::ReducedGrad:
    return "reduced_grad";
  case Role::Coordinate:
    return "coordinate";
  case Role::Carry:
    return "carry";
  }
  return "";
}

std::string_view name(ActionKind kind) {
  switch (kind) {
  case ActionKind::Run:
    return "run";
  case ActionKind::Send:
    return "send";
  case ActionKind::Recv:
    return "recv";
  case ActionKind::Wait:
    return "wait";
  case ActionKind::Free:
    return "free";
  }
  return "";
}

std::string_view name(Collective collective) {
  switch (collective) {
  case Collective::AllReduce:
    return "all_reduce";
  case Collective::AllGather:
    return "all_gather";
  case Collective::ReduceScatter:
    return "reduce_scatter";
  case Collective::AllSlice:
    return "all_slice";
  }
  return "";
}

std::string_view name(Reduction reduction) {
  return reduction == Reduction::Sum ? "sum" : "max";
}

} // namespace nxdt::plan
