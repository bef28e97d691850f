//===- RankParts.h - which rank writes what ----------------------*- C++
//-*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_CHECKPOINT_RANKPARTS_H
#define NXDT_RUNTIME_CHECKPOINT_RANKPARTS_H

#include "nxdt/Plan/Mesh.h"
#include "nxdt/Plan/Plan.h"
#include "nxdt/Plan/Slice.h"
#include "runtime/Checkpoint/TensorParts.h"

#include <cstdint>
#include <string>
#include <vector>

namespace nxdt::runtime {

/// "dp_rank_01_tp_rank_00_pp_rank_00": NxD Training's names. Ranks of cp count
/// as more of dp.
std::string rankName(const plan::Mesh &mesh, int64_t rank);

/// "pp 1 x dp 2 x cp 1 x tp 2".
std::string meshText(const plan::Mesh &mesh);

/// Equal for families whose ranks hold the same parts of the same weights and
/// optimizer states: 16 hexadecimal digits.
std::string layoutOf(const plan::PlanFamily &family);

/// What is not padding of a rank's part.
Region regionOf(const std::vector<plan::DimSlice> &place);

/// Which rank writes what.
using plan::writesPart;

} // namespace nxdt::runtime

#endif // NXDT_RUNTIME_CHECKPOINT_RANKPARTS_H
