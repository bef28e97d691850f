//===- ModelState.h - a plan's weights, from and to files -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_TRAIN_MODELSTATE_H
#define NXDT_RUNTIME_TRAIN_MODELSTATE_H

#include "nxdt/Plan/Slice.h"
#include "runtime/Checkpoint/Checkpoint.h"
#include "runtime/Executor/Executor.h"

#include <map>
#include <string>
#include <vector>

namespace nxdt::runtime {

/// Parameters, masters and optimizer state of an executor's buffers. Weights
/// are read into the masters where there are any, and the parameters are cast
/// from them.
class ModelState {
public:
  explicit ModelState(Executor &executor);

  int64_t numParameters() const; ///< logical elements

  /// Draws by (seed, name, index); optimizer state is zero.
  void initialize(int64_t seed);
  /// The weights of a Hugging Face folder.
  void loadHuggingFace(const std::string &dir);
  /// The weights of a checkpoint. `path` is for messages.
  void loadWeights(const CheckpointData &data, const std::string &path);
  /// Weights, optimizer state and module buffers that training changes.
  void loadAll(const CheckpointData &data, const std::string &path);
  /// All of that into `data` (step and the like are the caller's). Tensors on
  /// the CPU are shared, not copied: write them before the next step.
  void store(CheckpointData &data) const;

private:
  struct Parameter {
    std::string name;
    int32_t param = -1;
    int32_t master = -1;
    std::map<std::string, int32_t> states;
  };
  /// Where weights are read into.
  int32_t target(const Parameter &parameter) const {
    return parameter.master >= 0 ? parameter.master : parameter.param;
  }
  void write(int32_t buffer, const HostTensor &whole,
             const std::string &what) const;
  HostTensor read(int32_t buffer) const;
  void castFromMasters() const;
  void loadOptimizer(const CheckpointData &data, const std::string &path) const;
  void loadModuleBuffers(const CheckpointData &data,
                         const std::string &path) const;

  Executor &executor;
  std::vector<Parameter> parameters;
  /// For each buffer of the plan, the part that this rank holds.
  std::vector<std::vector<plan::DimSlice>> places;
  /// Module buffers that some program other than `init` changes.
  std::vector<int32_t> moduleBuffers;
};

} // namespace nxdt::runtime

#endif // NXDT_RUNTIME_TRAIN_MODELSTATE_H
