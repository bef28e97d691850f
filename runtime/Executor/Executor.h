//===- Executor.h - runs a plan's programs -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Instructions are resolved once, when the plan is loaded: a run looks nothing
// up by name. Temporaries die where the plan says. The device is the plan's.
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_EXECUTOR_EXECUTOR_H
#define NXDT_RUNTIME_EXECUTOR_EXECUTOR_H

#include "nxdt/Plan/Mesh.h"
#include "nxdt/Plan/Plan.h"
#include "runtime/Comm/RankView.h"

#include "ATen/core/Tensor.h"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace nxdt::runtime {

class Recorder;

struct ExecutorOptions {
  /// The plan's name in messages (its path).
  std::string what = "plan";
  /// Compare every result with the type in the plan on every run, not only on
  /// the first run of a program. NXDT_CHECK_SHAPES=1 in the environment does
  /// the same.
  bool alwaysCheckTypes = false;
  /// This rank among those of the plan's mesh, with the groups that groupSpecs
  /// (Collectives.h) names; it must outlive the executor. Null: one rank.
  comm::RankView *world = nullptr;
  /// Called before a program's first instruction, with the tensors of its
  /// buffers and carries among its values.
  std::function<void(const plan::Program &program, int64_t microBatch,
                     const std::vector<at::Tensor> &values)>
      beginObserver = {};
  /// Called after each instruction with the program's values as they are then:
  /// results are there, what the instruction used last may be gone.
  std::function<void(const plan::Program &program, size_t index,
                     const std::vector<at::Tensor> &values)>
      observer = {};
  /// While it is on, programs, collectives and messages are recorded; it must
  /// outlive the executor. Null: never.
  Recorder *recorder = nullptr;
};

class Executor {
public:
  /// Verifies the plan, opens its device and libraries, allocates its buffers
  /// (zeros, coordinates set) and resolves its instructions. UserError if any
  /// of it fails, and if the plan's mesh is not the world's.
  explicit Executor(plan::Plan plan, ExecutorOptions options = {});
  ~Executor();
  Executor(const Executor &) = delete;
  Executor &operator=(const Executor &) = delete;

  const plan::Plan &plan() const;
  c10::Device device() const;
  /// The plan's mesh, and the place of this process on it.
  const plan::Mesh &mesh() const;
  int64_t rank() const;

  /// Handle of a program for `run`, or -1.
  int find(std::string_view program) const;
  bool has(std::string_view program) const { return find(program) >= 0; }

  /// Runs a program. What fails inside an operator is a UserError that names
  /// program, instruction, operator, module and the types of the arguments;
  /// buffers may then have been changed by earlier instructions. CommError, as
  /// it is, if a rank failed.
  /// `microBatch` is for the recorder.
  void run(int program, int64_t microBatch = 0);
  /// The same by name; UserError if the plan lacks it.
  void run(std::string_view program);

  bool hasSchedule(std::string_view name) const;
  /// Called before each program that a schedule runs, with its index in
  /// plan().programs: the time to set inputs.
  using BeforeRun = std::function<void(int program, int64_t microBatch)>;
  /// Runs a schedule, from its first action until everything that it started
  /// has ended. UserError and CommError as of `run`; nothing is left of its
  /// micro-batches then. UserError if the plan lacks it.
  void runSchedule(std::string_view name, const BeforeRun &beforeRun = {});
  /// Tensors that carries hold now: none outside of schedules.
  int64_t carriedTensors() const;

  /// The tensor of a buffer, undefined for carries. It never changes: write
  /// into it (copy_). UserError if the plan lacks it.
  const at::Tensor &buffer(std::string_view name) const;
  /// The same, or nullptr.
  const at::Tensor *findBuffer(std::string_view name) const;
  /// In the order of plan().buffers.
  const std::vector<at::Tensor> &buffers() const;

  /// Indices of the buffers that a program changes, ascending.
  std::vector<int32_t> writtenBy(int program) const;

private:
  struct Impl;
  std::unique_ptr<Impl> impl;
};

} // namespace nxdt::runtime

#endif // NXDT_RUNTIME_EXECUTOR_EXECUTOR_H
