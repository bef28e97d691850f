//===- Algorithms.cpp - collectives as exchanges of blocks -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reductions bring all contributions of a block to one rank, which adds them in
// the order of the members. Per rank this sends as many bytes as a ring does
// ((n-1)/n of the input for a reduce_scatter), takes one round instead of n-1,
// and makes an element's bits independent of sizes, cuts and algorithms.
//
//===----------------------------------------------------------------------===//
#include "runtime/Comm/Algorithms.h"
#include "runtime/Comm/Bytes.h"

namespace nxdt::comm {

/// Up to here everyone sends everything to everyone: one round.
constexpr int64_t kOneRoundBytes = 16 * 1024;
/// From here on a broadcast is a scatter and an all_gather.
constexpr int64_t kScatterBroadcastBytes = 64 * 1024;

char *Algorithms::scratchOf(int which, int64_t bytes) {
  if (scratchBytes[which] < bytes) {
    scratch[which].reset(new char[bytes]);
    scratchBytes[which] = bytes;
  }
  return scratch[which].get();
}

void Algorithms::exchange(const std::vector<SendSpan> &sends,
                          const std::vector<ReceiveSpan> &receives) {
  for (int64_t j = 0; j < size; ++j)
    if (j != index)
      sent += static_cast<int64_t>(sends[j].bytes);
  transport.exchange(sends, receives);
}

int64_t Algorithms::takeSentBytes() {
  int64_t result = sent;
  sent = 0;
  return result;
}

/// Copies block `block` of `blocks` of a view (cut along its extent) to or from
/// contiguous memory.
static void packBlock(const char *whole, char *packed, const BlockView &view,
                      int64_t block, int64_t blocks) {
  int64_t run = view.extent / blocks * view.innerBytes;
  for (int64_t o = 0; o < view.outer; ++o)
    copyBytes(packed + o * run, whole + (o * blocks + block) * run, run);
}
static void unpackBlock(const char *packed, char *whole, const BlockView &view,
                        int64_t block, int64_t blocks) {
  int64_t run = view.extent / blocks * view.innerBytes;
  for (int64_t o = 0; o < view.outer; ++o)
    copyBytes(whole + (o * blocks + block) * run, packed + o * run, run);
}

void Algorithms::exchangeSignatures(std::vector<Signature> &signatures) {
  std::vector<SendSpan> sends(size);
  std::vector<ReceiveSpan> receives(size);
  for (int64_t j = 0; j < size; ++j) {
    if (j == index)
      continue;
    sends[j] = {&signatures[index], sizeof(Signature)};
    receives[j] = {&signatures[j], sizeof(Signature)};
  }
  transport.exchange(sends, receives);
}

void Algorithms::allReduce(const char *in, char *out, int64_t count,
                           DType dtype, Reduction reduction) {
  int64_t element = byteSize(dtype);
  int64_t bytes = count * element;
  std::vector<SendSpan> sends(size);
  std::vector<ReceiveSpan> receives(size);
  std::vector<const void *> sources(size);

  if (bytes <= kOneRoundBytes) {
    char *all = scratchOf(0, bytes * size);
    for (int64_t j = 0; j < size; ++j) {
      sources[j] = j == index ? in : all + j * bytes;
      if (j == index)
        continue;
      sends[j] = {in, static_cast<size_t>(bytes)};
      receives[j] = {all + j * bytes, static_cast<size_t>(bytes)};
    }
    exchange(sends, receives);
    reduce(sources, out, count, dtype, reduction);
    return;
  }

  auto begin = [&](int64_t j) { return count * j / size * element; };
  auto length = [&](int64_t j) { return begin(j + 1) - begin(j); };
  int64_t own = length(index);
  char *all = scratchOf(0, own * size);
  for (int64_t j = 0; j < size; ++j) {
    sources[j] = j == index ? in + begin(index) : all + j * own;
    if (j == index)
      continue;
    sends[j] = {in + begin(j), static_cast<size_t>(length(j))};
    receives[j] = {all + j * own, static_cast<size_t>(own)};
  }
  exchange(sends, receives);
  reduce(sources, out + begin(index), own / element, dtype, reduction);
  for (int64_t j = 0; j < size; ++j) {
    if (j == index)
      continue;
    sends[j] = {out + begin(index), static_cast<size_t>(own)};
    receives[j] = {out + begin(j), static_cast<size_t>(length(j))};
  }
  exchange(sends, receives);
}

void Algorithms::reduceScatter(const char *in, char *out, const BlockView &view,
                               DType dtype, Reduction reduction) {
  int64_t block = view.bytes() / size;
  const char *packed = in;
  if (view.outer > 1) {
    char *target = scratchOf(1, view.bytes());
    for (int64_t j = 0; j < size; ++j)
      packBlock(in, target + j * block, view, j, size);
    packed = target;
  }
  char *all = scratchOf(0, view.bytes());
  std::vector<SendSpan> sends(size);
  std::vector<ReceiveSpan> receives(size);
  std::vector<const void *> sources(size);
  for (int64_t j = 0; j < size; ++j) {
    sources[j] = j == index ? packed + j * block : all + j * block;
    if (j == index)
      continue;
    sends[j] = {packed + j * block, static_cast<size_t>(block)};
    receives[j] = {all + j * block, static_cast<size_t>(block)};
  }
  exchange(sends, receives);
  reduce(sources, out, block / byteSize(dtype), dtype, reduction);
}

void Algorithms::allGather(const char *in, char *out, const BlockView &view) {
  int64_t block = view.bytes();
  bool direct = view.outer <= 1;
  char *all = direct ? out : scratchOf(0, block * size);
  std::vector<SendSpan> sends(size);
  std::vector<ReceiveSpan> receives(size);
  for (int64_t j = 0; j < size; ++j) {
    if (j == index)
      continue;
    sends[j] = {in, static_cast<size_t>(block)};
    receives[j] = {all + j * block, static_cast<size_t>(block)};
  }
  exchange(sends, receives);
  if (direct) {
    if (block > 0)
      copyBytes(out + index * block, in, block);
    return;
  }
  BlockView whole = view;
  whole.extent *= size;
  for (int64_t j = 0; j < size; ++j)
    unpackBlock(j == index ? in : all + j * block, out, whole, j, size);
}

void Algorithms::allToAll(const char *in, char *out, const BlockView &split,
                          const BlockView &join) {
  int64_t block = join.bytes();
  const char *packed = in;
  if (split.outer > 1) {
    char *target = scratchOf(1, split.bytes());
    for (int64_t j = 0; j < size; ++j)
      packBlock(in, target + j * block, split, j, size);
    packed = target;
  }
  bool direct = join.outer <= 1;
  char *all = direct ? out : scratchOf(0, block * size);
  std::vector<SendSpan> sends(size);
  std::vector<ReceiveSpan> receives(size);
  for (int64_t j = 0; j < size; ++j) {
    if (j == index)
      continue;
    sends[j] = {packed + j * block, static_cast<size_t>(block)};
    receives[j] = {all + j * block, static_cast<size_t>(block)};
  }
  exchange(sends, receives);
  const char *own = packed + index * block;
  if (direct) {
    if (block > 0)
      copyBytes(out + index * block, own, block);
    return;
  }
  BlockView whole = join;
  whole.extent *= size;
  for (int64_t j = 0; j < size; ++j)
    unpackBlock(j == index ? own : all + j * block, out, whole, j, size);
}

void Algorithms::broadcast(const char *in, char *out, int64_t bytes,
                           int64_t root) {
  std::vector<SendSpan> sends(size);
  std::vector<ReceiveSpan> receives(size);
  bool isRoot = index == root;
  if (isRoot && in != out && bytes > 0)
    copyBytes(out, in, bytes);
  if (bytes < kScatterBroadcastBytes || size == 2) {
    for (int64_t j = 0; isRoot && j < size; ++j)
      if (j != index)
        sends[j] = {in, static_cast<size_t>(bytes)};
    if (!isRoot)
      receives[root] = {out, static_cast<size_t>(bytes)};
    exchange(sends, receives);
    return;
  }
  // Member j hands block j on to all but the root, which has it.
  auto begin = [&](int64_t j) { return bytes * j / size; };
  auto length = [&](int64_t j) {
    return static_cast<size_t>(begin(j + 1) - begin(j));
  };
  for (int64_t j = 0; isRoot && j < size; ++j)
    if (j != index)
      sends[j] = {in + begin(j), length(j)};
  if (!isRoot)
    receives[root] = {out + begin(index), length(index)};
  exchange(sends, receives);
  for (int64_t j = 0; j < size; ++j) {
    sends[j] = {};
    receives[j] = {};
    if (j == index)
      continue;
    if (j != root)
      sends[j] = {out + begin(index), length(index)};
    if (!isRoot)
      receives[j] = {out + begin(j), length(j)};
  }
  exchange(sends, receives);
}

} // namespace nxdt::comm
