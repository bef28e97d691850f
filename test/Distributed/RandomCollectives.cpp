//===- RandomCollectives.cpp - random collectives against plain arithmetic -*-
// C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "RandomCollectives.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/minimum.h>

#include <cstring>
#include <deque>
#include <random>
#include <stdexcept>

namespace nxdt::comm::test {

namespace {

using Random = std::mt19937_64;

int64_t pick(Random &random, int64_t low, int64_t high) {
  return low + static_cast<int64_t>(random() % (high - low + 1));
}

struct Draw {
  std::string group;
  CollectiveOp op;
  Reduction reduction;
  at::ScalarType dtype;
  std::vector<int64_t> shape;
  int64_t dim = 0, dim2 = 0, root = 0;
  bool transposed = false;
  uint64_t dataSeed = 0;
};

/// Values of very different sizes: another order of summation shows.
at::Tensor makeInput(const Draw &draw, int64_t rank) {
  Random random(draw.dataSeed * 1000003 + rank);
  std::vector<int64_t> shape = draw.shape;
  if (draw.transposed)
    std::swap(shape[0], shape[1]);
  at::Tensor t = at::empty(shape, at::TensorOptions().dtype(at::kDouble));
  double *data = t.data_ptr<double>();
  bool isFloat = at::isFloatingType(draw.dtype);
  for (int64_t i = 0; i < t.numel(); ++i) {
    double unit = static_cast<double>(random() >> 11) / (1ull << 53) - 0.5;
    double scale = 1;
    if (isFloat)
      for (int64_t e = static_cast<int64_t>(random() % 4); e > 0; --e)
        scale *= draw.dtype == at::kHalf ? 4 : 100;
    data[i] = isFloat ? unit * scale : static_cast<double>(int64_t(unit * 200));
  }
  if (draw.dtype == at::kBool || draw.dtype == at::kByte)
    t = t.abs();
  t = t.to(draw.dtype);
  return draw.transposed ? t.transpose(0, 1) : t;
}

at::Tensor combine(const at::Tensor &a, const at::Tensor &b,
                   Reduction reduction) {
  switch (reduction) {
  case Reduction::Max:
    return at::maximum(a, b);
  case Reduction::Min:
    return at::minimum(a, b);
  default:
    return a.add(b);
  }
}

at::Tensor reduceAll(const std::vector<at::Tensor> &inputs,
                     Reduction reduction) {
  at::ScalarType dtype = inputs[0].scalar_type();
  bool isSmall = dtype == at::kBFloat16 || dtype == at::kHalf;
  auto wide = [&](const at::Tensor &t) {
    return isSmall ? t.to(at::kFloat) : t;
  };
  at::Tensor sum = wide(inputs[0]);
  for (size_t i = 1; i < inputs.size(); ++i)
    sum = combine(sum, wide(inputs[i]), reduction);
  return sum.to(dtype);
}

at::Tensor block(const at::Tensor &t, int64_t dim, int64_t index, int64_t n) {
  int64_t length = t.size(dim) / n;
  return t.narrow(dim, index * length, length);
}

at::Tensor expected(const Draw &draw, const std::vector<int64_t> &members,
                    int64_t index) {
  int64_t n = static_cast<int64_t>(members.size());
  std::vector<at::Tensor> inputs;
  for (int64_t member : members)
    inputs.push_back(makeInput(draw, member));
  switch (draw.op) {
  case CollectiveOp::AllReduce:
    return reduceAll(inputs, draw.reduction);
  case CollectiveOp::AllGather:
    return at::cat(inputs, draw.dim);
  case CollectiveOp::ReduceScatter:
    return block(reduceAll(inputs, draw.reduction), draw.dim, index, n);
  case CollectiveOp::AllToAll: {
    std::vector<at::Tensor> blocks;
    for (const at::Tensor &input : inputs)
      blocks.push_back(block(input, draw.dim, index, n));
    return at::cat(blocks, draw.dim2);
  }
  default:
    return inputs[draw.root];
  }
}

Draw drawCall(Random &random, const std::vector<std::string> &groups,
              RankView &rank) {
  constexpr at::ScalarType dtypes[] = {at::kDouble, at::kFloat, at::kBFloat16,
                                       at::kHalf,   at::kLong,  at::kInt,
                                       at::kByte,   at::kBool};
  Draw draw;
  draw.group = groups[pick(random, 0, groups.size() - 1)];
  // Of equal size on all ranks, so all draw the same.
  int64_t n = rank.group(draw.group).size();
  draw.op = static_cast<CollectiveOp>(pick(random, 0, 4));
  draw.dtype = dtypes[pick(random, 0, 7)];
  draw.reduction = static_cast<Reduction>(
      draw.dtype == at::kBool ? pick(random, 2, 3) : pick(random, 1, 3));
  int64_t dims = pick(random, 1, 3);
  bool large = pick(random, 0, 5) == 0;
  for (int64_t d = 0; d < dims; ++d)
    draw.shape.push_back(pick(random, 1, large ? 40 : 4));
  draw.dim = pick(random, 0, dims - 1);
  draw.dim2 = pick(random, 0, dims - 1);
  if (draw.op == CollectiveOp::ReduceScatter ||
      draw.op == CollectiveOp::AllToAll)
    draw.shape[draw.dim] *= n;
  if (pick(random, 0, 19) == 0)
    draw.shape[pick(random, 0, dims - 1)] = 0;
  draw.root = pick(random, 0, n - 1);
  draw.transposed = dims >= 2 && pick(random, 0, 3) == 0;
  draw.dataSeed = random();
  return draw;
}

uint64_t hashBytes(uint64_t hash, const void *data, size_t bytes) {
  const unsigned char *p = static_cast<const unsigned char *>(data);
  for (size_t i = 0; i < bytes; ++i)
    hash = (hash ^ p[i]) * 1099511628211ull;
  return hash;
}

} // namespace

RandomMesh randomMesh(uint64_t seed, int64_t ranks) {
  Random random(seed);
  RandomMesh result;
  int64_t rest = ranks;
  std::vector<int64_t> sizes(4, 1);
  while (rest > 1) {
    int64_t factor = 2;
    while (rest % factor != 0)
      ++factor;
    sizes[pick(random, 0, 3)] *= factor;
    rest /= factor;
  }
  result.mesh = Mesh::nxd(sizes[0], sizes[1], sizes[2], sizes[3]);
  result.groups = {"pp", "dp", "cp", "tp", "dp,tp", "tp,dp", "pp,dp,cp,tp"};
  for (const MeshAxis &axis : result.mesh.axes) {
    if (axis.size < 4)
      continue;
    std::string half = std::to_string(axis.size / 2);
    result.groups.push_back(axis.name + ":(1)" + half);
    result.groups.push_back(axis.name + ":(2)" + half);
  }
  return result;
}

uint64_t runRandomCollectives(RankView &rank,
                              const std::vector<std::string> &groups,
                              uint64_t seed, int64_t count) {
  struct Pending {
    int64_t number;
    Draw draw;
    WorkPtr work;
  };
  Random random(seed);
  std::deque<Pending> pending;
  uint64_t hash = 14695981039346656037ull;
  auto finishOne = [&] {
    Pending p = std::move(pending.front());
    pending.pop_front();
    at::Tensor got = p.work->wait();
    Group &group = rank.group(p.draw.group);
    at::Tensor want =
        expected(p.draw, group.ranks(), group.index()).contiguous();
    if (got.sizes() != want.sizes() ||
        got.scalar_type() != want.scalar_type() ||
        (want.numel() > 0 &&
         std::memcmp(got.const_data_ptr(), want.const_data_ptr(),
                     want.nbytes()) != 0))
      throw std::runtime_error(
          "collective " + std::to_string(p.number) + " of seed " +
          std::to_string(seed) + ": " + std::string(name(p.draw.op)) + " of " +
          p.draw.group + " differs from plain arithmetic on rank " +
          std::to_string(rank.rank()));
    hash = hashBytes(hash, got.const_data_ptr(), got.nbytes());
  };
  for (int64_t k = 0; k < count; ++k) {
    rank.status().setStep(k);
    Draw draw = drawCall(random, groups, rank);
    CollectiveCall call;
    call.op = draw.op;
    call.reduction = draw.reduction;
    call.input = makeInput(draw, rank.rank());
    call.dim = draw.dim;
    call.dim2 = draw.dim2;
    call.root = draw.root;
    call.label = "draw " + std::to_string(k);
    WorkPtr work = rank.group(draw.group).start(std::move(call));
    pending.push_back({k, std::move(draw), std::move(work)});
    int64_t keep = pick(random, 0, 3);
    while (static_cast<int64_t>(pending.size()) > keep)
      finishOne();
  }
  while (!pending.empty())
    finishOne();
  return hash;
}

} // namespace nxdt::comm::test
