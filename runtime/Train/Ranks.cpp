//===- Ranks.cpp - what all ranks of a run say together -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "runtime/Train/Ranks.h"
#include "runtime/Executor/Collectives.h"

#include "ATen/ops/empty.h"
#include "ATen/ops/zeros.h"

#include <algorithm>
#include <cstring>

namespace nxdt::runtime {
namespace {

at::Tensor tensorOf(const std::string &bytes, int64_t size) {
  at::Tensor out = at::zeros({size}, at::kByte);
  std::memcpy(out.mutable_data_ptr(), bytes.data(), bytes.size());
  return out;
}

} // namespace

Ranks::Ranks(comm::RankView *view) : view(view) {
  if (view && view->size() > 1)
    group = &view->group(worldSpec(view->mesh()));
}

std::vector<int64_t> Ranks::max(std::vector<int64_t> values,
                                const std::string &label) {
  if (!group)
    return values;
  at::Tensor mine = at::empty({int64_t(values.size())}, at::kLong);
  std::copy(values.begin(), values.end(), mine.mutable_data_ptr<int64_t>());
  at::Tensor all =
      group->startAllReduce(mine, comm::Reduction::Max, label)->wait();
  const int64_t *data = all.const_data_ptr<int64_t>();
  return {data, data + values.size()};
}

std::string Ranks::broadcast(const std::string &bytes,
                             const std::string &label) {
  if (!group)
    return bytes;
  int64_t size = max({isFirst() ? int64_t(bytes.size()) : 0}, label)[0];
  if (size == 0)
    return "";
  at::Tensor mine = tensorOf(isFirst() ? bytes : std::string(), size);
  // The first of all axes is the slowest: rank 0 is the group's first.
  at::Tensor all = group->startBroadcast(mine, /*root=*/0, label)->wait();
  return {static_cast<const char *>(all.const_data_ptr()), size_t(size)};
}

std::vector<std::string> Ranks::gather(const std::string &bytes,
                                       const std::string &label) {
  if (!group)
    return {bytes};
  at::Tensor size = at::zeros({1}, at::kLong);
  size.mutable_data_ptr<int64_t>()[0] = int64_t(bytes.size());
  at::Tensor sizes = group->startAllGather(size, /*dim=*/0, label)->wait();
  const int64_t *counts = sizes.const_data_ptr<int64_t>();
  int64_t longest = *std::max_element(counts, counts + sizes.numel());
  std::vector<std::string> out(size_t(sizes.numel()));
  if (longest == 0)
    return out;
  at::Tensor all =
      group->startAllGather(tensorOf(bytes, longest), /*dim=*/0, label)->wait();
  const char *data = static_cast<const char *>(all.const_data_ptr());
  for (size_t rank = 0; rank < out.size(); ++rank)
    out[rank].assign(data + int64_t(rank) * longest, size_t(counts[rank]));
  return out;
}

void RankPeers::begin(const std::string &folder) {
  ranks.broadcast(folder, "a checkpoint's folder");
}

std::vector<std::string> RankPeers::finish() {
  std::vector<std::string> texts = ranks.gather("", "a checkpoint's files");
  texts.erase(texts.begin());
  return texts;
}

void RankPeers::end() { ranks.broadcast("", "a checkpoint's folder"); }

void RankPeers::serve(const CheckpointData &data) {
  while (true) {
    std::string folder = ranks.broadcast("", "a checkpoint's folder");
    if (folder.empty())
      return;
    ranks.gather(writeCheckpointPart(folder, data), "a checkpoint's files");
  }
}

void Ranks::setStep(int64_t step) {
  if (view)
    view->status().setStep(step);
}

} // namespace nxdt::runtime
