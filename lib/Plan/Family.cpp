//===- Family.cpp - the plans of a pipeline -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "nxdt/Plan/Family.h"

#include <map>

namespace nxdt::plan {
namespace {

/// How much a stage has of a parameter: the more, the sooner it is its owner.
int64_t claimOf(Role role) {
  switch (role) {
  case Role::OptState:
    return 3;
  case Role::Master:
    return 2;
  case Role::Param:
    return 1;
  default:
    return 0;
  }
}

} // namespace

std::map<std::string, int64_t> ownersOf(const PlanFamily &family) {
  std::map<std::string, int64_t> owners;
  std::map<std::string, int64_t> claims;
  for (size_t stage = 0; stage < family.stages.size(); ++stage)
    for (const Buffer &buffer : family.stages[stage].buffers) {
      int64_t claim = claimOf(buffer.role);
      if (claim <= claims[buffer.param])
        continue;
      claims[buffer.param] = claim;
      owners[buffer.param] = int64_t(stage);
    }
  return owners;
}

int64_t stageOf(const Mesh &mesh, int64_t rank) {
  std::vector<int64_t> at = mesh.coordinates(rank);
  for (size_t i = 0; i < mesh.axes.size(); ++i)
    if (mesh.axes[i].name == "pp")
      return at[i];
  return 0;
}

/// All but the programs and what runs them.
static Plan withoutPrograms(const Plan &plan) {
  Plan out;
  out.version = plan.version;
  out.device = plan.device;
  out.mesh = plan.mesh;
  out.libraries = plan.libraries;
  out.microBatchSize = plan.microBatchSize;
  out.sequenceLength = plan.sequenceLength;
  out.vocabSize = plan.vocabSize;
  out.tied = plan.tied;
  out.buffers = plan.buffers;
  out.memory = plan.memory;
  return out;
}

Plan wholeOf(const PlanFamily &family) {
  Plan out = withoutPrograms(family.stages.at(0));
  out.buffers.clear();
  out.memory = {};
  std::map<std::string, int64_t> owners = ownersOf(family);
  for (size_t stage = 0; stage < family.stages.size(); ++stage)
    for (const Buffer &buffer : family.stages[stage].buffers)
      if (claimOf(buffer.role) > 0 && owners.at(buffer.param) == int64_t(stage))
        out.buffers.push_back(buffer);
  return out;
}

PlanFamily buffersOf(const PlanFamily &family) {
  PlanFamily out;
  for (const Plan &plan : family.stages)
    out.stages.push_back(withoutPrograms(plan));
  return out;
}

const Schedule *findSchedule(const Plan &plan, std::string_view name) {
  for (const Schedule &schedule : plan.schedules)
    if (schedule.name == name)
      return &schedule;
  return nullptr;
}

} // namespace nxdt::plan
