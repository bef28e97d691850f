//===- Cluster.h - what a plan runs on -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_ANALYSIS_CLUSTER_H
#define NXDT_ANALYSIS_CLUSTER_H

#include <cstdint>
#include <string>
#include <vector>

namespace nxdt {

/// What one rank has of a node.
struct DeviceRates {
  /// With at most that many ranks on the node; 0: with any number.
  int64_t ranksPerNode = 0;
  // Peaks in FLOP/s; `efficiency` of them, 0 .. 1, is what products of
  // matrices get.
  double f32_flopsPerSecond = 0;
  double bf16_flopsPerSecond = 0;
  double efficiency = 1;
  double memory_bytesPerSecond = 0; ///< read and written together
  double overhead_s = 0;            ///< of one operator, whatever its size
};

/// A message of n bytes takes latency_s + n / bytesPerSecond.
struct LinkRates {
  double latency_s = 0;
  double bytesPerSecond = 0; ///< each rank sends and receives that much
};

/// Ranks are on nodes in their order, ranksPerNode on each.
struct Cluster {
  std::string path;
  int64_t ranksPerNode = 1;
  std::vector<DeviceRates> devices; ///< by ranksPerNode, 0 last
  LinkRates intraNode;
  LinkRates interNode;
};

/// Reads `--cluster FILE`: docs/Cost.md has its keys. UserError with
/// file:line:column for keys that are unknown (with the nearest one) or
/// missing, and for values that cannot be.
Cluster loadCluster(const std::string &path);
/// The same for text; `name` stands for the file in messages.
Cluster parseCluster(const std::string &text, const std::string &name);

/// The rates with `ranks` ranks in all. UserError if the file has none for as
/// many on a node.
const DeviceRates &ratesFor(const Cluster &cluster, int64_t ranks);

} // namespace nxdt

#endif // NXDT_ANALYSIS_CLUSTER_H
