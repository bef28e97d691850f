//===- Algorithms.h - collectives as exchanges of blocks -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_COMM_ALGORITHMS_H
#define NXDT_RUNTIME_COMM_ALGORITHMS_H

#include "runtime/Comm/Signature.h"
#include "runtime/Comm/Transport.h"

#include <cstdint>
#include <memory>

namespace nxdt::comm {

/// Contiguous memory seen around one dimension: outer x extent x inner bytes.
struct BlockView {
  int64_t outer = 1;
  int64_t extent = 1;
  int64_t innerBytes = 0;
  int64_t bytes() const { return outer * extent * innerBytes; }
};

/// One collective on plain memory; no libtorch, no threads of its own.
class Algorithms {
public:
  Algorithms(Transport &transport, int64_t index, int64_t size)
      : transport(transport), index(index), size(size) {}

  void allReduce(const char *in, char *out, int64_t count, DType dtype,
                 Reduction reduction);
  /// `in` is cut along its extent into `size` blocks; `out` is one block.
  void reduceScatter(const char *in, char *out, const BlockView &view,
                     DType dtype, Reduction reduction);
  /// `view` is one block; `out` is `size` of them joined along its extent.
  void allGather(const char *in, char *out, const BlockView &view);
  /// `split`: the input; `join`: one received block.
  void allToAll(const char *in, char *out, const BlockView &split,
                const BlockView &join);
  void broadcast(const char *in, char *out, int64_t bytes, int64_t root);
  /// Everyone's signature to everyone.
  void exchangeSignatures(std::vector<Signature> &signatures);

  /// Bytes sent to others since the last call.
  int64_t takeSentBytes();

private:
  char *scratchOf(int which, int64_t bytes);
  void exchange(const std::vector<SendSpan> &sends,
                const std::vector<ReceiveSpan> &receives);

  Transport &transport;
  int64_t index;
  int64_t size;
  int64_t sent = 0;
  /// Grows to the largest collective and stays.
  std::unique_ptr<char[]> scratch[2];
  int64_t scratchBytes[2] = {0, 0};
};

} // namespace nxdt::comm

#endif // NXDT_RUNTIME_COMM_ALGORITHMS_H
