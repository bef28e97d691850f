//===- VerifySchedule.h - nxdt-opt --verify-schedule=FILE -------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_TOOLS_NXDT_OPT_VERIFYSCHEDULE_H
#define NXDT_TOOLS_NXDT_OPT_VERIFYSCHEDULE_H

#include "llvm/ADT/StringRef.h"

namespace nxdt {

/// Proves the schedule that a file holds (docs/Pipeline.md has the grammar) and
/// returns the exit code: 0 and one line on stdout, or 1 and the rule that it
/// breaks on stderr, with a line per stage where stages wait for each other.
int verifyScheduleFile(llvm::StringRef path);

} // namespace nxdt

#endif // NXDT_TOOLS_NXDT_OPT_VERIFYSCHEDULE_H
