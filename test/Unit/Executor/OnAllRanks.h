//===- OnAllRanks.h - a plan's ranks as threads of a test -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_TEST_UNIT_EXECUTOR_ONALLRANKS_H
#define NXDT_TEST_UNIT_EXECUTOR_ONALLRANKS_H

#include "runtime/Comm/Loopback.h"
#include "runtime/Executor/Collectives.h"
#include "runtime/Executor/Executor.h"

#include <functional>

namespace nxdt::runtime {

/// Runs `body` on every rank of the plan.
inline void onAllRanks(const plan::Plan &plan,
                       const std::function<void(Executor &)> &body) {
  comm::LoopbackWorld world(plan::meshOf(plan), groupSpecs(plan));
  world.run([&](comm::RankView &rank) {
    ExecutorOptions options;
    options.alwaysCheckTypes = true;
    options.world = &rank;
    Executor executor(plan, options);
    body(executor);
  });
}

} // namespace nxdt::runtime

#endif // NXDT_TEST_UNIT_EXECUTOR_ONALLRANKS_H
