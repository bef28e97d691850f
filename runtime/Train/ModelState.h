//===- ModelState.h - a plan's weights, from and to files -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_TRAIN_MODELSTATE_H
#define NXDT_RUNTIME_TRAIN_MODELSTATE_H

#include "nxdt/Plan/Slice.h"
#include "runtime/Checkpoint/CheckpointReader.h"
#include "runtime/Executor/Executor.h"

#include <map>
#include <set>
#include <string>
#include <vector>

namespace nxdt::runtime {

/// Parameters, masters and optimizer state of an executor's buffers: of this
/// rank, each its own part. Weights are read into the masters too, where there
/// are any.
class ModelState {
public:
  /// `family`: what all stages hold, the executor's plan among them; programs
  /// are not needed.
  ModelState(Executor &executor, const plan::PlanFamily &family);
  /// Of a single plan.
  explicit ModelState(Executor &executor);

  int64_t numParameters() const; ///< logical elements, of all stages
  /// How the ranks cut the tensors, see layoutOf.
  const std::string &layout() const { return familyLayout; }
  /// UserError if a checkpoint cannot hold all that training changes here.
  void requireStorable() const;

  /// Draws by (seed, name, index); optimizer state is zero.
  void initialize(int64_t seed);
  /// The weights of a Hugging Face folder.
  void loadHuggingFace(const std::string &dir);
  /// The weights of a checkpoint (its masters, where it has any), whatever the
  /// number of ranks that wrote it.
  void loadWeights(CheckpointReader &reader);
  /// Weights, optimizer state and module buffers that training changes.
  void loadAll(CheckpointReader &reader);
  /// What this rank writes of all that into `data` (step and the like are the
  /// caller's). Tensors on the CPU are shared, not copied: write them before
  /// the next step.
  void store(CheckpointData &data) const;

private:
  struct Parameter {
    std::string name;
    int32_t param = -1;
    int32_t master = -1;
    std::map<std::string, int32_t> states;
  };
  /// Where weights are read into: the param, and its master.
  static std::vector<int32_t> targets(const Parameter &parameter);
  void write(int32_t buffer, const HostTensor &whole,
             const std::string &what) const;
  void write(int32_t buffer, CheckpointReader &reader, const std::string &state,
             const std::string &name) const;
  void store(int32_t buffer, const std::string &name, TensorMap &tensors,
             PlaceMap &places) const;
  at::Tensor validPart(int32_t buffer) const;
  void loadModuleBuffers(const CheckpointData &data,
                         const std::string &path) const;

  Executor &executor;
  plan::Plan whole; ///< the weights of all stages
  std::string familyLayout;
  /// Parameters that another stage keeps: they are read, but not written.
  std::set<std::string> foreign;
  std::vector<Parameter> parameters;
  /// For each buffer of the plan, the part that this rank holds.
  std::vector<std::vector<plan::DimSlice>> places;
  /// Module buffers that some program other than `init` changes.
  std::vector<int32_t> moduleBuffers;
};

} // namespace nxdt::runtime

#endif // NXDT_RUNTIME_TRAIN_MODELSTATE_H
