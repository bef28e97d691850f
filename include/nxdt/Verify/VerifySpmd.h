//===- VerifySpmd.h - do the ranks compute what one would? ------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The plan says how buffers lie on the mesh, and nothing of temporaries. What
// these are is inferred here from the instructions alone: which dimensions
// differ over which axes, and which values are terms of a sum. Knows nothing of
// the compiler and its IR. docs/Verification.md writes the rules down.
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_VERIFY_VERIFYSPMD_H
#define NXDT_VERIFY_VERIFYSPMD_H

#include "nxdt/Plan/Plan.h"

#include <string>

namespace nxdt {

/// Throws UserError unless
///  - collectives sum what are terms of a sum over exactly their group, gather
///    the parts they say, and cut what is whole;
///  - terms reach only operators that are linear in them;
///  - every write to a buffer gives it what the plan declares: the same split,
///    the same partial axes, equal values on replicas.
/// `plan` is one that plan::verify accepts; `what` names it in messages.
/// Linear in the number of instructions.
void verifySpmd(const plan::Plan &plan, const std::string &what);

} // namespace nxdt

#endif // NXDT_VERIFY_VERIFYSPMD_H
