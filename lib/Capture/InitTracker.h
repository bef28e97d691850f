//===- InitTracker.h - how parameters are initialised -----------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_CAPTURE_INITTRACKER_H
#define NXDT_CAPTURE_INITTRACKER_H

#include "Recorder.h"

#include <c10/core/StorageImpl.h>

#include <optional>
#include <unordered_map>

namespace nxdt::capture {

/// Follows, over the operators of a constructor, what each piece of memory is
/// filled with: a constant, or independent normal or uniform numbers, also
/// after scaling, shifting, copies, reshapes and casts.
class InitTracker : public OpObserver {
public:
  void observe(const RecordedOp &op, bool isRandom,
               c10::ArrayRef<at::Tensor> operands,
               c10::ArrayRef<at::Tensor> results) override;

  struct State {
    /// Absent: nothing that can be expressed; `reason` says why.
    std::optional<ParamInit> init;
    std::string reason;
    /// Which draw the random numbers come from; 0 = none.
    int64_t draw = 0;
    bool operator==(const State &other) const;
  };
  /// The state of a tensor's memory.
  State stateOf(const at::Tensor &tensor) const;

  /// By operator of the record: whether it drew random numbers.
  const std::vector<bool> &randomOps() const { return isRandomOp; }

private:
  State apply(const RecordedOp &op, c10::ArrayRef<at::Tensor> operands);
  State draw(ParamInit::Kind kind, double a, double b);

  std::unordered_map<const c10::StorageImpl *, State> states;
  std::vector<bool> isRandomOp;
  int64_t numDraws = 0;
};

} // namespace nxdt::capture

#endif // NXDT_CAPTURE_INITTRACKER_H
