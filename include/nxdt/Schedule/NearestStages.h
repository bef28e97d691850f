//===- NearestStages.h - sizes of a pipeline that layers allow --*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_SCHEDULE_NEARESTSTAGES_H
#define NXDT_SCHEDULE_NEARESTSTAGES_H

#include <cstdint>
#include <string>

namespace nxdt::schedule {

/// The nearest sizes of which every chunk holds a layer, as keys of the YAML:
/// fewer chunks per stage first, then fewer stages. `layers` is at least 1.
std::string nearestStages(int64_t stages, int64_t layers);

} // namespace nxdt::schedule

#endif // NXDT_SCHEDULE_NEARESTSTAGES_H
