//===- ModuleState.cpp - parameters and buffers of a module ---------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "ModuleState.h"

#include "CallArguments.h"

#include <map>

using namespace nxdt::capture;

static const void *storageOf(const at::Tensor &tensor) {
  return tensor.has_storage() ? tensor.storage().unsafeGetStorageImpl()
                              : nullptr;
}

//===----------------------------------------------------------------------===//
// Reading a module
//===----------------------------------------------------------------------===//

static void checkParam(const std::string &name, const at::Tensor &tensor,
                       Problems &problems) {
  std::string what;
  auto complain = [&](const std::string &text) {
    problems.add("parameter '" + name + "' " + text, moduleOf(name));
  };
  if (!isSupported(tensor, what))
    complain("is " + what + ": not supported");
  else if (!tensor.is_floating_point())
    complain(std::string("has the type ") +
             c10::toString(tensor.scalar_type()) +
             ", which has no gradient: make it a buffer");
  else if (!tensor.requires_grad())
    complain("does not require a gradient: frozen parameters are not "
             "supported yet");
  else if (!tensor.is_leaf())
    complain("is the result of operators that autograd follows: compute it "
             "under torch::NoGradGuard");
}

ModuleState nxdt::capture::readState(const torch::nn::Module &module,
                                     Problems &problems) {
  ModuleState state;
  std::map<const void *, size_t> paramOf;
  std::map<const void *, std::string> ownerOf;
  /// Parameters first, so that a buffer in a parameter's memory is the odd one.
  auto claim = [&](const std::string &kind, const std::string &name,
                   const at::Tensor &tensor) {
    auto [it, isNew] = ownerOf.try_emplace(storageOf(tensor), name);
    if (!isNew && storageOf(tensor))
      problems.add(kind + " '" + name + "' shares memory with '" + it->second +
                       "' but is another tensor: register the same tensor "
                       "under both names, or a clone()",
                   moduleOf(name));
  };
  for (const auto &entry : module.named_parameters()) {
    const at::Tensor &tensor = entry.value();
    if (!tensor.defined())
      continue;
    auto [it, isNew] =
        paramOf.try_emplace(tensor.unsafeGetTensorImpl(), state.params.size());
    if (!isNew) {
      state.params[it->second].captured.tied.push_back(entry.key());
      continue;
    }
    checkParam(entry.key(), tensor, problems);
    claim("parameter", entry.key(), tensor);
    CapturedParam param;
    param.name = entry.key();
    param.type = typeOf(tensor);
    state.params.push_back({std::move(param), tensor});
  }
  for (const auto &entry : module.named_buffers()) {
    const at::Tensor &tensor = entry.value();
    if (!tensor.defined())
      continue;
    std::string what;
    if (!isSupported(tensor, what))
      problems.add("buffer '" + entry.key() + "' is " + what +
                       ": not supported",
                   moduleOf(entry.key()));
    claim("buffer", entry.key(), tensor);
    CapturedBuffer buffer;
    buffer.name = entry.key();
    buffer.type = typeOf(tensor);
    state.buffers.push_back({std::move(buffer), tensor});
  }
  return state;
}

//===----------------------------------------------------------------------===//
// Initial values
//===----------------------------------------------------------------------===//

void nxdt::capture::readInits(ModuleState &state, const InitTracker &inits,
                              const std::vector<bool> &used,
                              Problems &problems) {
  std::map<int64_t, std::string> paramOfDraw;
  for (size_t i = 0; i < state.params.size(); ++i) {
    auto &[param, tensor] = state.params[i];
    InitTracker::State init = inits.stateOf(tensor);
    std::string reason = init.reason;
    if (init.init && init.draw) {
      auto [it, isNew] = paramOfDraw.try_emplace(init.draw, param.name);
      if (!isNew) {
        reason = "its random numbers are those of '" + it->second + "'";
        init.init.reset();
      }
    }
    param.init = init.init;
    if (!init.init && used[i])
      problems.add("parameter '" + param.name +
                       "' is not initialised by a constant, a normal or a "
                       "uniform distribution: " +
                       reason,
                   moduleOf(param.name));
  }
}

//===----------------------------------------------------------------------===//
// Buffers
//===----------------------------------------------------------------------===//

/// Marks the operators that `storage` depends on.
static std::vector<bool> dependencies(const Record &record,
                                      const Recorder &recorder,
                                      const void *storage) {
  std::map<const void *, bool> needed = {{storage, true}};
  auto key = [&](ValueId value) -> const void * {
    return recorder.bornStorage(value);
  };
  std::vector<bool> keep(record.ops.size());
  for (size_t i = record.ops.size(); i-- > 0;) {
    const RecordedOp &op = record.ops[i];
    bool touches = false;
    for (ValueId result : op.results)
      touches |= needed.count(key(result)) > 0;
    for (int32_t operand : op.mutates)
      touches |= needed.count(key(op.operands[operand])) > 0;
    if (!touches)
      continue;
    keep[i] = true;
    for (ValueId operand : op.operands)
      needed[key(operand)] = true;
  }
  return keep;
}

Record nxdt::capture::sliceForBuffers(ModuleState &state, const Record &record,
                                      const Recorder &recorder,
                                      const InitTracker &inits,
                                      Problems &problems) {
  std::vector<bool> keep(record.ops.size());
  for (auto &[buffer, tensor] : state.buffers) {
    auto complain = [&](const std::string &text) {
      problems.add("buffer '" + buffer.name + "' " + text,
                   moduleOf(buffer.name));
    };
    buffer.initValue = recorder.find(tensor);
    // Module::to exchanges the tensor behind a buffer.
    if (buffer.initValue < 0 ||
        recorder.bornStorage(buffer.initValue) != storageOf(tensor))
      buffer.initValue = recorder.findAlias(tensor);
    if (buffer.initValue < 0) {
      complain("was not computed by operators of the constructor");
      continue;
    }
    std::vector<bool> own = dependencies(record, recorder, storageOf(tensor));
    bool isEmpty = true;
    for (size_t i = 0; i < own.size(); ++i) {
      if (!own[i])
        continue;
      keep[i] = true;
      isEmpty &= record.ops[i].callee.starts_with("aten::empty");
      if (inits.randomOps()[i]) {
        complain("depends on random numbers (" + record.ops[i].callee +
                 "): not supported yet");
        break;
      }
    }
    if (isEmpty)
      complain("is never filled");
  }

  // Renumber.
  Record slice;
  std::map<ValueId, ValueId> newId;
  auto renumber = [&](ValueId value) {
    auto [it, isNew] =
        newId.try_emplace(value, static_cast<ValueId>(slice.values.size()));
    if (isNew)
      slice.values.push_back(record.values[value]);
    return it->second;
  };
  for (size_t i = 0; i < record.ops.size(); ++i) {
    if (!keep[i])
      continue;
    RecordedOp op = record.ops[i];
    for (ValueId &operand : op.operands)
      operand = renumber(operand);
    for (ValueId &result : op.results)
      result = renumber(result);
    slice.ops.push_back(std::move(op));
  }
  for (auto &[buffer, tensor] : state.buffers)
    if (buffer.initValue >= 0)
      buffer.initValue = renumber(buffer.initValue);
  return slice;
}
