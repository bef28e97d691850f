//===- Pending.h - collectives that are under way -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_EXECUTOR_PENDING_H
#define NXDT_RUNTIME_EXECUTOR_PENDING_H

#include "runtime/Executor/Collectives.h"

#include <map>
#include <string>
#include <vector>

namespace nxdt::runtime {

/// What a program has started and not yet waited for. Several tensors travel as
/// one: packed into a tensor of their bytes, and the results are views of what
/// comes back or, after an all_gather, copies out of it. nxdt::predictMemory
/// counts these tensors too: change both together.
class PendingCollectives {
public:
  /// Starts what instruction `index` says. `values` are the program's.
  void start(size_t index, const BoundCollective &bound,
             const std::vector<at::Tensor> &values);
  /// The results of what instruction `index` started, in their order; sets
  /// `moved` if given. Throws CommError if any rank failed.
  std::vector<at::Tensor> wait(size_t index, comm::Work::Span *moved = nullptr);
  /// UserError if something under way reads or writes the memory of `tensor`,
  /// which an instruction is about to change. Such a plan would compute
  /// something else each time.
  void checkMayChange(const at::Tensor &tensor, const std::string &name) const;
  bool empty() const { return list.empty(); }
  void clear() { list.clear(); }

private:
  struct Pending {
    const BoundCollective *bound = nullptr;
    comm::WorkPtr work; ///< null for a group of one
    std::vector<at::Tensor> inputs;
    at::Tensor packed;
  };

  std::map<size_t, Pending> list; ///< by the start's index
};

} // namespace nxdt::runtime

#endif // NXDT_RUNTIME_EXECUTOR_PENDING_H
