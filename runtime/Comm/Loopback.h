//===- Loopback.h - all ranks of a mesh in one process -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_COMM_LOOPBACK_H
#define NXDT_RUNTIME_COMM_LOOPBACK_H

#include "runtime/Comm/HostGroup.h"
#include "runtime/Comm/RankView.h"

#include <functional>
#include <memory>
#include <thread>

namespace nxdt::comm {

/// Every rank of the mesh with the groups of `specs` ("tp", "dp,tp",
/// "tp:(2)4", ...) and its ends of the channels, over memory instead of a
/// network: the same checks, the same order of sums, the same messages as
/// between processes.
class LoopbackWorld {
public:
  LoopbackWorld(Mesh mesh, const std::vector<std::string> &specs,
                const CommOptions &options = {},
                const std::vector<ChannelSpec> &channels = {});
  ~LoopbackWorld();
  LoopbackWorld(const LoopbackWorld &) = delete;
  LoopbackWorld &operator=(const LoopbackWorld &) = delete;

  int64_t size() const;
  RankView &rank(int64_t rank);

  /// Runs `program` once for each rank, each in a thread of its own, and
  /// returns when all have ended. An exception in one ends the waits of the
  /// others; the first is rethrown. Ranks that wait for each other without any
  /// hope (all of them, for `kStuckSeconds`) throw CommError.
  void run(const std::function<void(RankView &)> &program);

  static constexpr double kStuckSeconds = 2.0;

private:
  class Rank;
  void watch(const std::function<bool()> &ended);

  Mesh worldMesh;
  std::vector<std::unique_ptr<Rank>> ranks;
};

} // namespace nxdt::comm

#endif // NXDT_RUNTIME_COMM_LOOPBACK_H
