//===- ScheduleRun.h - a stage, action by action -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_EXECUTOR_SCHEDULERUN_H
#define NXDT_RUNTIME_EXECUTOR_SCHEDULERUN_H

#include "nxdt/Plan/Plan.h"
#include "runtime/Comm/RankView.h"

#include "ATen/core/Tensor.h"

#include <cstdint>
#include <functional>
#include <map>
#include <utility>
#include <vector>

namespace nxdt::runtime {

class Recorder;

/// The tensors of carries, by buffer and micro-batch. What a schedule does with
/// them is in order: plan::verify has run it.
class Carries {
public:
  /// The tensor, which is gone from here then; undefined if there is none.
  at::Tensor take(int32_t buffer, int64_t microBatch) {
    auto it = tensors.find({buffer, microBatch});
    if (it == tensors.end())
      return {};
    at::Tensor out = std::move(it->second);
    tensors.erase(it);
    return out;
  }
  const at::Tensor &get(int32_t buffer, int64_t microBatch) const {
    return tensors.at({buffer, microBatch});
  }
  void put(int32_t buffer, int64_t microBatch, at::Tensor tensor) {
    tensors[{buffer, microBatch}] = std::move(tensor);
  }
  void clear() { tensors.clear(); }
  int64_t size() const { return int64_t(tensors.size()); }

private:
  std::map<std::pair<int32_t, int64_t>, at::Tensor> tensors;
};

/// The plan's channels as groups of `world`, in their order. UserError if the
/// world lacks one or has other ranks at its ends.
std::vector<comm::Group *> bindChannels(const plan::Plan &plan,
                                        const plan::Mesh &mesh,
                                        comm::RankView *world);

/// Does what schedules say.
class ScheduleRun {
public:
  ScheduleRun(const plan::Plan &plan, std::vector<comm::Group *> channels,
              c10::Device device, Carries &carries,
              Recorder *recorder = nullptr)
      : plan(plan), channels(std::move(channels)), device(device),
        carries(carries), recorder(recorder) {}

  /// Calls `runProgram` with the index of a program and a micro-batch for each
  /// `run`. Throws CommError if any rank failed. After any exception nothing
  /// is left of the schedule.
  void run(const plan::Schedule &schedule,
           const std::function<void(int32_t, int64_t)> &runProgram);

private:
  void start(const plan::Action &action);
  void wait(const plan::Action &action);

  const plan::Plan &plan;
  std::vector<comm::Group *> channels;
  c10::Device device;
  Carries &carries;
  Recorder *recorder;
  /// By channel and micro-batch: started, not waited for.
  std::map<std::pair<int32_t, int64_t>, comm::WorkPtr> works;
};

} // namespace nxdt::runtime

#endif // NXDT_RUNTIME_EXECUTOR_SCHEDULERUN_H
