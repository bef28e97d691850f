//===- Signature.h - what a rank says before it moves data -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_COMM_SIGNATURE_H
#define NXDT_RUNTIME_COMM_SIGNATURE_H

#include "runtime/Comm/Reduce.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace nxdt::comm {

enum class CollectiveOp : uint8_t {
  AllReduce,
  AllGather,
  ReduceScatter,
  AllToAll,
  Broadcast,
  Barrier
};
constexpr int kCollectiveOps = 6;
std::string_view name(CollectiveOp op);

/// Largest payload that travels inside the signature: losses, counts and norms
/// cost one message per peer.
constexpr int64_t kInlineBytes = 128;

/// Sent to every member before the data of a collective, as it lies in memory
/// (all ranks run the same binary on the same architecture; `magic` says so).
struct Signature {
  uint32_t magic = kMagic;
  CollectiveOp op = CollectiveOp::Barrier;
  Reduction reduction = Reduction::None;
  DType dtype = DType::F32;
  uint8_t dimensions = 0;
  uint64_t groupHash = 0;
  uint64_t sequence = 0;
  uint64_t bytes = 0;
  /// Dimension, and second dimension or root.
  int64_t argument0 = 0;
  int64_t argument1 = 0;
  // From here on: only for messages.
  int64_t step = 0;
  int64_t rank = 0;
  char shape[48] = {};
  char label[72] = {};
  unsigned char payload[kInlineBytes] = {};

  static constexpr uint32_t kMagic = 0x4e584331; // "NXC1"

  void setLabel(std::string_view text);
  void setShape(const std::vector<int64_t> &sizes);
  /// "all_reduce(sum) of f32 [4,8], 128 bytes, #17".
  std::string describe() const;
};

/// Whether two members mean the same collective; the shape's text is compared
/// too.
bool agree(const Signature &a, const Signature &b);

/// Empty if all agree. Else the message: the group, and per distinct signature
/// the ranks that gave it with their step and label.
std::string compareSignatures(const std::string &groupText,
                              const std::vector<Signature> &signatures,
                              const std::vector<std::string> &hosts);

/// FNV-1a, 64 bits.
uint64_t hashText(std::string_view text);

} // namespace nxdt::comm

#endif // NXDT_RUNTIME_COMM_SIGNATURE_H
