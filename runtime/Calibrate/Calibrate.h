//===- Calibrate.h - measures a host -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_CALIBRATE_CALIBRATE_H
#define NXDT_RUNTIME_CALIBRATE_CALIBRATE_H

#include "runtime/Comm/RankView.h"

#include <cstdint>
#include <string>

namespace nxdt::runtime {

/// Ranks that calibrate() wants on a host: one per core, at least 2 (there are
/// collectives to measure) and at most 16.
int64_t calibrationRanks();

/// Measures what a rank gets with 1, 2, 4, .. ranks at work on `cores` cores at
/// once, and collectives of all. `world`: ranks of one host with the groups
/// "dp", of all, and worldSpec. Returns the text of a file for nxdt-opt
/// --cluster. All ranks call it; some seconds.
std::string calibrate(comm::RankView &world, int64_t cores);

} // namespace nxdt::runtime

#endif // NXDT_RUNTIME_CALIBRATE_CALIBRATE_H
