//===- Channel.h - tensors from one stage to another -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A channel is a group of two: member 0 broadcasts to member 1, over a
// connection and in a thread of their own. So sends and receives are compared,
// counted and watched as all collectives are, and no channel waits for another.
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_COMM_CHANNEL_H
#define NXDT_RUNTIME_COMM_CHANNEL_H

#include "nxdt/Plan/Mesh.h"
#include "runtime/Comm/Group.h"

#include <cstdint>
#include <string>
#include <vector>

namespace nxdt::comm {

/// From each rank of a stage to that of another with the same coordinates along
/// all axes but pp.
struct ChannelSpec {
  std::string name; ///< unique
  int64_t from = 0; ///< coordinate along pp
  int64_t to = 0;
};

/// Sorted by name: the order in which all ranks make them. UserError if a name
/// stands twice, or if the mesh has no such stages.
std::vector<ChannelSpec>
canonicalChannels(const plan::Mesh &mesh,
                  const std::vector<ChannelSpec> &channels);

/// The sender and the receiver of a channel that `rank` is an end of; empty if
/// it is none.
std::vector<int64_t> channelRanks(const plan::Mesh &mesh,
                                  const ChannelSpec &channel, int64_t rank);

/// What the group of a channel is called.
std::string channelGroupName(const std::string &channel);

/// Starts sending `tensor`, on the CPU, which must not be changed before the
/// work is done. `channel` is RankView::channel where this rank sends.
WorkPtr startSend(Group &channel, const at::Tensor &tensor, std::string label);

/// Starts receiving a tensor of the same type into `tensor`, contiguous; the
/// work's result is that.
WorkPtr startReceive(Group &channel, const at::Tensor &tensor,
                     std::string label);

} // namespace nxdt::comm

#endif // NXDT_RUNTIME_COMM_CHANNEL_H
