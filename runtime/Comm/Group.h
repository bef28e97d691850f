//===- Group.h - collectives over some ranks -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_COMM_GROUP_H
#define NXDT_RUNTIME_COMM_GROUP_H

#include "runtime/Comm/Signature.h"

#include <ATen/core/Tensor.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace nxdt::comm {

/// n = members. Tensors are on the CPU and may be non-contiguous (they are
/// copied then); an `output`, where given, is contiguous and of the result's
/// shape.
struct CollectiveCall {
  CollectiveOp op = CollectiveOp::Barrier;
  /// AllReduce and ReduceScatter.
  Reduction reduction = Reduction::Sum;
  /// AllReduce, Broadcast: any shape, the same on all members (Broadcast reads
  /// the root's only). AllGather: [.., d, ..]. ReduceScatter: dimension `dim`
  /// of size n*d. AllToAll: dimension `dim` of size n*d.
  at::Tensor input;
  /// Where the result goes; undefined = a new tensor. AllReduce and Broadcast
  /// may have output == input.
  at::Tensor output;
  /// AllGather: dimension of the result whose size is n times the input's.
  /// ReduceScatter: dimension that is cut in n. AllToAll: dimension that is cut
  /// in n; block j goes to member j. Negative counts from the end.
  int64_t dim = 0;
  /// AllToAll: dimension along which the received blocks are joined, in the
  /// order of the members.
  int64_t dim2 = 0;
  /// Broadcast: index in the group, not a global rank.
  int64_t root = 0;
  /// For messages: module path and reason.
  std::string label;
};

/// A collective that was started. Wait once (further calls return the same).
class Work {
public:
  virtual ~Work() = default;
  /// Blocks until the result is there. Throws CommError if this or any other
  /// rank failed; the message is then the same on all ranks.
  virtual at::Tensor wait() = 0;
  virtual bool done() const = 0;
  /// By the steady clock, once it is done: from when its turn on this rank
  /// came, so with the wait for other members. Zero where nothing was sent.
  struct Span {
    std::chrono::steady_clock::time_point begin, end;
  };
  virtual Span span() const { return {}; }
};
using WorkPtr = std::shared_ptr<Work>;

/// What went over the wire, for comparison with what was predicted.
struct CollectiveCounter {
  int64_t calls = 0;
  /// Bytes of the inputs.
  int64_t inputBytes = 0;
  /// Payload this rank sent to other ranks (signatures are in headerBytes).
  int64_t sentBytes = 0;
  int64_t headerBytes = 0;
};

/// Members start the same collectives in the same order; each is compared
/// before its data moves. A group's collectives run in the order of their
/// start, those of different groups at the same time. Input and output must not
/// be touched between start and wait. Not for several threads at once.
///
/// Results do not depend on timing: element i of a reduction is
/// ((x0 op x1) op x2) ... in the order of the members, see reduce() in
/// Reduce.h.
class Group {
public:
  virtual ~Group() = default;

  virtual const std::string &name() const = 0;
  /// Global ranks in the group's order.
  virtual const std::vector<int64_t> &ranks() const = 0;
  /// Of this rank in ranks().
  virtual int64_t index() const = 0;
  int64_t size() const { return static_cast<int64_t>(ranks().size()); }

  /// Throws UserError for a call that cannot be (dimension, dtype, device,
  /// output), before anyone is bothered.
  virtual WorkPtr start(CollectiveCall call) = 0;

  /// Returns when everything that was started has ended, or something failed.
  virtual void drain() = 0;

  virtual std::array<CollectiveCounter, kCollectiveOps> counters() const = 0;

  WorkPtr startAllReduce(at::Tensor input, Reduction reduction,
                         std::string label = "");
  WorkPtr startAllGather(at::Tensor input, int64_t dim, std::string label = "");
  WorkPtr startReduceScatter(at::Tensor input, Reduction reduction, int64_t dim,
                             std::string label = "");
  WorkPtr startAllToAll(at::Tensor input, int64_t splitDim, int64_t concatDim,
                        std::string label = "");
  WorkPtr startBroadcast(at::Tensor input, int64_t root,
                         std::string label = "");
  void barrier(std::string label = "");
};

} // namespace nxdt::comm

#endif // NXDT_RUNTIME_COMM_GROUP_H
