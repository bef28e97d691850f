//===- RandomCollectives.h - random collectives against plain arithmetic -*- C++
//-*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_TEST_DISTRIBUTED_RANDOMCOLLECTIVES_H
#define NXDT_TEST_DISTRIBUTED_RANDOMCOLLECTIVES_H

#include "runtime/Comm/Loopback.h"

#include <cstdint>
#include <string>
#include <vector>

namespace nxdt::comm::test {

struct RandomMesh {
  Mesh mesh;
  std::vector<std::string> groups;
};

/// A mesh of `ranks` ranks and groups of it, sub-axes and permuted axes among
/// them; equal for equal arguments.
RandomMesh randomMesh(uint64_t seed, int64_t ranks);

/// Starts `count` random collectives, up to three at a time, and compares each
/// result bit for bit with ATen's arithmetic on all members' inputs (which
/// every rank can make). Throws std::runtime_error with the first difference.
/// Returns a hash of all results of this rank.
uint64_t runRandomCollectives(RankView &rank,
                              const std::vector<std::string> &groups,
                              uint64_t seed, int64_t count);

} // namespace nxdt::comm::test

#endif // NXDT_TEST_DISTRIBUTED_RANDOMCOLLECTIVES_H
