//===- Transport.h - bytes between the members of one group -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_COMM_TRANSPORT_H
#define NXDT_RUNTIME_COMM_TRANSPORT_H

#include <cstddef>
#include <vector>

namespace nxdt::comm {

struct SendSpan {
  const void *data = nullptr;
  size_t bytes = 0;
};
struct ReceiveSpan {
  void *data = nullptr;
  size_t bytes = 0;
};

/// The one primitive that every collective is made of. Used by one thread.
class Transport {
public:
  virtual ~Transport() = default;

  /// Sends sends[j] to member j and receives receives[j] from it, for all j but
  /// this one; returns when all have arrived and the sent memory may be
  /// changed. Empty spans move nothing. Member i's sends[j] must have as many
  /// bytes as member j's receives[i]. Throws std::exception when a peer is
  /// gone.
  virtual void exchange(const std::vector<SendSpan> &sends,
                        const std::vector<ReceiveSpan> &receives) = 0;
};

} // namespace nxdt::comm

#endif // NXDT_RUNTIME_COMM_TRANSPORT_H
