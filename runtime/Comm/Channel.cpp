//===- Channel.cpp - tensors from one stage to another -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "runtime/Comm/Channel.h"

#include "nxdt/Support/UserError.h"

#include <algorithm>

namespace nxdt::comm {

namespace {

/// The place of pp among the axes, or their number.
size_t stageAxis(const plan::Mesh &mesh) {
  size_t axis = 0;
  while (axis < mesh.axes.size() && mesh.axes[axis].name != "pp")
    ++axis;
  return axis;
}

WorkPtr start(Group &channel, const at::Tensor &tensor, std::string label) {
  CollectiveCall call;
  call.op = CollectiveOp::Broadcast;
  call.root = 0;
  // In place: the sender's tensor is only read.
  call.input = tensor;
  call.output = tensor;
  call.label = std::move(label);
  return channel.start(std::move(call));
}

} // namespace

std::vector<ChannelSpec>
canonicalChannels(const plan::Mesh &mesh,
                  const std::vector<ChannelSpec> &channels) {
  size_t axis = stageAxis(mesh);
  int64_t stages = axis < mesh.axes.size() ? mesh.axes[axis].size : 1;
  std::vector<ChannelSpec> sorted = channels;
  std::sort(sorted.begin(), sorted.end(),
            [](const auto &a, const auto &b) { return a.name < b.name; });
  for (size_t i = 0; i < sorted.size(); ++i) {
    const ChannelSpec &channel = sorted[i];
    if (channel.name.empty() || (i > 0 && sorted[i - 1].name == channel.name))
      throw UserError("the channel name '" + channel.name +
                      "' is empty or stands twice");
    for (int64_t stage : {channel.from, channel.to})
      if (stage < 0 || stage >= stages || channel.from == channel.to)
        throw UserError("channel '" + channel.name + "': goes from stage " +
                        std::to_string(channel.from) + " to stage " +
                        std::to_string(channel.to) + " of " +
                        std::to_string(stages));
  }
  return sorted;
}

std::vector<int64_t> channelRanks(const plan::Mesh &mesh,
                                  const ChannelSpec &channel, int64_t rank) {
  size_t axis = stageAxis(mesh);
  std::vector<int64_t> at = mesh.coordinates(rank);
  if (axis == at.size() || (at[axis] != channel.from && at[axis] != channel.to))
    return {};
  std::vector<int64_t> ranks;
  for (int64_t stage : {channel.from, channel.to}) {
    at[axis] = stage;
    ranks.push_back(mesh.rankOf(at));
  }
  return ranks;
}

std::string channelGroupName(const std::string &channel) {
  return "channel " + channel;
}

WorkPtr startSend(Group &channel, const at::Tensor &tensor, std::string label) {
  return start(channel, tensor.contiguous(), std::move(label));
}

WorkPtr startReceive(Group &channel, const at::Tensor &tensor,
                     std::string label) {
  return start(channel, tensor, std::move(label));
}

} // namespace nxdt::comm
