//===- Prepare.h - checks and shapes of a collective -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_COMM_PREPARE_H
#define NXDT_RUNTIME_COMM_PREPARE_H

#include "runtime/Comm/Algorithms.h"
#include "runtime/Comm/Group.h"

namespace nxdt::comm {

/// A call that was found possible, with everything its thread needs.
struct PreparedCall {
  CollectiveCall call; ///< dims made non-negative
  at::Tensor input;    ///< contiguous
  at::Tensor output;   ///< contiguous, of the result's shape
  DType dtype = DType::F32;
  /// Around call.dim of the input, and of one received block around call.dim2
  /// (AllToAll).
  BlockView view;
  BlockView join;
};

/// Throws UserError, naming `group` and the label: undefined or non-CPU tensor,
/// dtype without collectives, dimension out of range or not divisible by
/// `size`, sum of bool, output of another shape or dtype or not contiguous.
PreparedCall prepare(CollectiveCall call, int64_t size,
                     const std::string &group);

} // namespace nxdt::comm

#endif // NXDT_RUNTIME_COMM_PREPARE_H
