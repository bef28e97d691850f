//===- HostGroup.h - collectives over a transport of host memory -*- C++
//-*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_COMM_HOSTGROUP_H
#define NXDT_RUNTIME_COMM_HOSTGROUP_H

#include "runtime/Comm/Failure.h"
#include "runtime/Comm/Group.h"
#include "runtime/Comm/Status.h"
#include "runtime/Comm/Transport.h"

#include <memory>
#include <string>
#include <vector>

namespace nxdt::comm {

struct CommOptions {
  /// Signatures are compared at every n-th collective of a group (1 = always, 0
  /// = barriers only). Without them a disagreement is found by the timeout
  /// or not at all.
  int64_t checkEvery = 1;
};

/// Shared by everything of one rank, and kept by threads that outlive it after
/// a failure.
struct RankContext {
  int64_t rank = 0;
  std::vector<std::string> hosts; ///< of each global rank, may be empty
  FailureState failure;
  RankStatus status;
};

/// `transport` is null only for a group of one.
std::unique_ptr<Group> makeHostGroup(std::string name,
                                     std::vector<int64_t> ranks,
                                     std::shared_ptr<RankContext> context,
                                     std::unique_ptr<Transport> transport,
                                     const CommOptions &options);

/// "tp {0,1,2,3}".
std::string groupText(const std::string &name,
                      const std::vector<int64_t> &ranks);

} // namespace nxdt::comm

#endif // NXDT_RUNTIME_COMM_HOSTGROUP_H
