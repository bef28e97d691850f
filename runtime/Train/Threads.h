//===- Threads.h - how many threads a run has -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_TRAIN_THREADS_H
#define NXDT_RUNTIME_TRAIN_THREADS_H

#include <cstdint>

namespace nxdt::runtime {

/// Sets libtorch's threads to OMP_NUM_THREADS if that is given, else to the
/// part of the cores that this process may run on which is left to it by
/// `localRanks` - 1 others of this host (at least 1), and returns their number.
/// Sums are split
/// by threads, so a run is bit for bit repeatable for an equal number only.
int setThreads(int64_t localRanks = 1);

} // namespace nxdt::runtime

#endif // NXDT_RUNTIME_TRAIN_THREADS_H
