//===- Collectives.h - instructions between ranks -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_EXECUTOR_COLLECTIVES_H
#define NXDT_RUNTIME_EXECUTOR_COLLECTIVES_H

#include "nxdt/Plan/Plan.h"
#include "runtime/Comm/RankView.h"

#include "ATen/core/Tensor.h"

#include <cstdint>
#include <string>
#include <vector>

namespace nxdt::runtime {

/// What World::createGroups and LoopbackWorld must be given for `plan`: the
/// axes of each of its collectives, and worldSpec. Sorted, the same on all
/// ranks. The plan is one that plan::verify accepts.
std::vector<std::string> groupSpecs(const plan::Plan &plan);

/// Of all stages: what every rank of a pipeline must be given.
std::vector<std::string> groupSpecs(const plan::PlanFamily &family);

/// Beside them the channels of all stages. The family is one that
/// plan::verifyFamily accepts.
std::vector<comm::ChannelSpec> channelSpecs(const plan::PlanFamily &family);

/// The group of all ranks: all axes of the mesh.
std::string worldSpec(const plan::Mesh &mesh);

/// A collective resolved to this rank's group.
struct BoundCollective {
  plan::Collective kind = plan::Collective::AllReduce;
  plan::Reduction reduction = plan::Reduction::Sum;
  comm::Group *group = nullptr; ///< null for one member, and for all_slice
  int64_t members = 1;
  int64_t index = 0; ///< of this rank among them
  int64_t dim = 0;
  /// Values of the program; several only where a collective is started.
  std::vector<int32_t> inputs;
  std::vector<int32_t> outs;
  int32_t outBuffer = -1; ///< of the plan, no carry, or -1
  /// "model.layers.0.mlp: partial sums of down_proj", for messages.
  std::string label;
  std::vector<int32_t> frees;
};

/// Resolves `program.instructions[index]`. `world` is null for one rank.
/// UserError if the world lacks the group.
BoundCollective bindCollective(const plan::Plan &plan,
                               const plan::Program &program, size_t index,
                               const plan::Mesh &mesh, comm::RankView *world);

/// The call without its tensors.
comm::CollectiveCall callOf(const BoundCollective &bound);

/// The result: `out` where that is defined (the buffer it is bound to), else a
/// tensor of its own or, for all_slice, a view of `input`. Returns when it is
/// there, and sets `moved` if given. Throws CommError if any rank failed.
at::Tensor runCollective(const BoundCollective &bound, const at::Tensor &input,
                         const at::Tensor &out,
                         comm::Work::Span *moved = nullptr);

} // namespace nxdt::runtime

#endif // NXDT_RUNTIME_EXECUTOR_COLLECTIVES_H
