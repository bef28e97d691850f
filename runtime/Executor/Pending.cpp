//===- Pending.cpp - collectives that are under way -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "runtime/Executor/Pending.h"

#include "nxdt/Support/UserError.h"

#include "ATen/ops/clone.h"
#include "ATen/ops/copy.h"
#include "ATen/ops/empty.h"
#include "ATen/ops/movedim.h"
#include "ATen/ops/narrow.h"
#include "ATen/ops/reshape.h"
#include "ATen/ops/view.h"

#include <utility>

namespace nxdt::runtime {
namespace {

using Sizes = std::vector<int64_t>;

/// [members, d0, ..]: dimension `dim` of a tensor cut in parts, which come
/// first.
at::Tensor cut(const at::Tensor &tensor, int64_t dim, int64_t members) {
  Sizes sizes = tensor.sizes().vec();
  sizes[dim] /= members;
  sizes.insert(sizes.begin() + dim, members);
  return tensor.reshape(sizes).movedim(dim, 0);
}

/// Rows of the packed tensor: one for each member where the input is cut.
int64_t rowsOf(const BoundCollective &bound) {
  return bound.kind == plan::Collective::ReduceScatter ? bound.members : 1;
}

/// [rows, columns]: each input's part of a row behind that of the one before.
at::Tensor pack(const BoundCollective &bound,
                const std::vector<at::Tensor> &inputs) {
  int64_t rows = rowsOf(bound), columns = 0;
  for (const at::Tensor &input : inputs)
    columns += input.numel() / rows;
  at::Tensor packed = at::empty({rows, columns}, inputs[0].options());
  int64_t offset = 0;
  for (const at::Tensor &input : inputs) {
    at::Tensor source =
        rows > 1 ? cut(input, bound.dim, rows) : input.reshape(input.sizes());
    Sizes sizes = source.sizes().vec();
    if (rows == 1)
      sizes.insert(sizes.begin(), 1);
    int64_t width = input.numel() / rows;
    packed.narrow(1, offset, width).view(sizes).copy_(source);
    offset += width;
  }
  return packed;
}

/// The results out of what came back, [rows, columns] too.
std::vector<at::Tensor> unpack(const BoundCollective &bound,
                               const std::vector<at::Tensor> &inputs,
                               const at::Tensor &result) {
  std::vector<at::Tensor> list;
  int64_t offset = 0;
  for (const at::Tensor &input : inputs) {
    Sizes sizes = input.sizes().vec();
    int64_t width = input.numel() / rowsOf(bound);
    at::Tensor part = result.narrow(1, offset, width);
    offset += width;
    if (bound.kind == plan::Collective::AllGather) {
      // Rows are the members' parts: next to each other along `dim`.
      Sizes all = sizes;
      all.insert(all.begin(), bound.members);
      sizes[bound.dim] *= bound.members;
      part = part.view(all).movedim(0, bound.dim);
    } else if (bound.kind == plan::Collective::ReduceScatter) {
      sizes[bound.dim] /= bound.members;
    }
    list.push_back(part.reshape(sizes));
  }
  return list;
}

} // namespace

void PendingCollectives::start(size_t index, const BoundCollective &bound,
                               const std::vector<at::Tensor> &values) {
  Pending &pending = list[index];
  pending = {&bound, nullptr, {}, {}};
  for (int32_t input : bound.inputs)
    pending.inputs.push_back(values[input]);
  if (!bound.group)
    return;
  comm::CollectiveCall call = callOf(bound);
  call.input = pending.inputs[0];
  if (bound.inputs.size() > 1) {
    pending.packed = pack(bound, pending.inputs);
    call.input = pending.packed;
    call.dim = 0;
    if (bound.kind == plan::Collective::AllReduce)
      call.output = pending.packed;
  }
  pending.work = bound.group->start(std::move(call));
}

std::vector<at::Tensor> PendingCollectives::wait(size_t index,
                                                 comm::Work::Span *moved) {
  auto it = list.find(index);
  if (it == list.end())
    throw UserError("waits for what was not started");
  Pending pending = std::move(it->second);
  list.erase(it);
  if (!pending.work) {
    // Alone: the results are the inputs, but never an alias of a buffer.
    for (at::Tensor &input : pending.inputs)
      input = input.clone();
    return pending.inputs;
  }
  at::Tensor result = pending.work->wait();
  if (moved)
    *moved = pending.work->span();
  if (!pending.packed.defined())
    return {result};
  return unpack(*pending.bound, pending.inputs, result);
}

void PendingCollectives::checkMayChange(const at::Tensor &tensor,
                                        const std::string &name) const {
  for (const auto &[index, pending] : list)
    for (const at::Tensor &input : pending.inputs)
      if (input.is_alias_of(tensor))
        throw UserError("changes '" + name + "' while " + pending.bound->label +
                        " (instruction " + std::to_string(index) +
                        ") reads it");
}

} // namespace nxdt::runtime
