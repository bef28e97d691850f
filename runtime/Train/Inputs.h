//===- Inputs.h - samples, where a program reads them -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_TRAIN_INPUTS_H
#define NXDT_RUNTIME_TRAIN_INPUTS_H

#include "runtime/Data/Dataset.h"
#include "runtime/Executor/Executor.h"

#include <functional>
#include <vector>

namespace nxdt::runtime {

/// The buffers input_ids and targets of a plan, which may lack them.
class Inputs {
public:
  explicit Inputs(const Executor &executor)
      : inputIds(executor.findBuffer("input_ids")),
        targets(executor.findBuffer("targets")) {
    const plan::Plan &plan = executor.plan();
    for (const plan::Program &program : plan.programs) {
      Use use;
      for (const plan::Value &value : program.values) {
        if (value.buffer < 0)
          continue;
        const std::string &name = plan.buffers[size_t(value.buffer)].name;
        use.inputIds |= name == "input_ids";
        use.targets |= name == "targets";
      }
      uses.push_back(use);
    }
  }

  /// Fills what `program`, an index into the plan's, reads; asks for samples
  /// only if it reads any.
  void fill(int program, const std::function<Batch()> &load) const {
    const Use &use = uses.at(size_t(program));
    if (!use.inputIds && !use.targets)
      return;
    Batch batch = load();
    if (use.inputIds)
      inputIds->copy_(batch.inputIds);
    if (use.targets)
      targets->copy_(batch.targets);
  }

private:
  struct Use {
    bool inputIds = false;
    bool targets = false;
  };
  const at::Tensor *inputIds;
  const at::Tensor *targets;
  std::vector<Use> uses;
};

} // namespace nxdt::runtime

#endif // NXDT_RUNTIME_TRAIN_INPUTS_H
