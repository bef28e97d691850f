//===- RankPrograms.h - what the ranks of the tests do -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_TEST_DISTRIBUTED_RANKPROGRAMS_H
#define NXDT_TEST_DISTRIBUTED_RANKPROGRAMS_H

#include <string>

namespace nxdt::comm::test {

/// Runs one by name in this process, a rank; returns its exit code.
int runRankProgram(const std::string &name);

} // namespace nxdt::comm::test

#endif // NXDT_TEST_DISTRIBUTED_RANKPROGRAMS_H
