//===- Threads.cpp - how many threads a run has -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "runtime/Train/Threads.h"
#include "nxdt/Support/UserError.h"

#include "ATen/Parallel.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <sched.h>

namespace nxdt::runtime {

int setThreads(int64_t localRanks) {
  int threads = 0;
  if (const char *text = std::getenv("OMP_NUM_THREADS"); text && *text) {
    const char *end = text + std::strlen(text);
    auto [stop, error] = std::from_chars(text, end, threads);
    // "4,2" (nested levels) is legal; the first level is ours.
    if (error != std::errc() || (stop != end && *stop != ',') || threads < 1)
      throw UserError("OMP_NUM_THREADS=" + std::string(text) +
                      ": expected a number of threads, at least 1");
  } else {
    cpu_set_t cores;
    threads = sched_getaffinity(0, sizeof(cores), &cores) == 0
                  ? CPU_COUNT(&cores)
                  : 1;
    threads = std::max(1, int(threads / localRanks));
  }
  at::set_num_threads(threads);
  return threads;
}

} // namespace nxdt::runtime
