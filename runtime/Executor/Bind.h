//===- Bind.h - instructions resolved to operators -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Everything about an instruction that can be known before it runs: which
// operator, whether its arguments fit the operator's schema, and the argument
// stack with all but the temporaries filled in.
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_EXECUTOR_BIND_H
#define NXDT_RUNTIME_EXECUTOR_BIND_H

#include "nxdt/Plan/Plan.h"

#include "ATen/core/dispatch/Dispatcher.h"
#include "ATen/core/ivalue.h"

#include <cstdint>
#include <string>
#include <vector>

namespace nxdt::runtime {

/// An instruction ready to run.
struct BoundInstruction {
  explicit BoundInstruction(c10::OperatorHandle op) : op(op) {}

  c10::OperatorHandle op;
  bool isVjp = false;
  /// The arguments; those that `tensors` and `lists` name are filled in per
  /// run, as they are or hold temporaries.
  std::vector<c10::IValue> stack;
  struct TensorSlot {
    int32_t argument;
    int32_t value;
  };
  std::vector<TensorSlot> tensors;
  struct ListSlot {
    int32_t argument;
    bool hasOptionalElements; ///< Tensor?[]
    std::vector<int32_t> values;
  };
  std::vector<ListSlot> lists;
  /// As in plan::Instruction.
  std::vector<int32_t> outs;
  std::vector<int32_t> gradOuts;
  /// `frees` of arguments, dropped when the stack has them, and so gone as soon
  /// as the operator has let go of them.
  std::vector<int32_t> freesBefore;
  /// `frees` of results that nobody uses and of incoming gradients.
  std::vector<int32_t> freesAfter;
  /// Buffers that the instruction changes.
  std::vector<int32_t> written;
};

/// What a program's instructions are bound to.
struct BindContext {
  const plan::Plan &plan;
  const plan::Program &program;
  const std::vector<at::Tensor> &buffers; ///< in the order of plan.buffers
  c10::Device device;
  const std::string &what; ///< the plan's name in messages

  /// Whether a value bound to `buffer` (or -1) is that buffer's tensor for
  /// good. Those of carries come and go as temporaries do.
  bool isPersistent(int32_t buffer) const {
    return buffer >= 0 && plan.buffers[buffer].role != plan::Role::Carry;
  }
};

/// Resolves `program.instructions[index]`. UserError if the operator does not
/// exist, or if arguments, results or mutations do not fit its schema.
BoundInstruction bind(const BindContext &context, size_t index);

/// "plan.json: program 'train_step', instruction 12 (aten::mm in model.norm)".
std::string placeOf(const std::string &what, const plan::Program &program,
                    size_t index);

} // namespace nxdt::runtime

#endif // NXDT_RUNTIME_EXECUTOR_BIND_H
