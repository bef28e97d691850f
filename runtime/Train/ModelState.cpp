//===- ModelState.cpp - a plan's weights, from and to files -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "runtime/Train/ModelState.h"
#include "nxdt/Support/UserError.h"
#include "runtime/Checkpoint/HuggingFace.h"
#include "runtime/Checkpoint/TorchTensor.h"
#include "runtime/Executor/InitWeights.h"

#include <algorithm>
#include <set>

namespace nxdt::runtime {
namespace {

const char kBuffersKey[] = "module_buffers";

/// The part of the local tensor that is not padding, and the same part of the
/// whole.
struct Overlap {
  at::Tensor local;
  at::Tensor whole;
};

Overlap overlap(const std::vector<plan::DimSlice> &place, at::Tensor local,
                at::Tensor whole) {
  for (size_t dim = 0; dim < place.size(); ++dim) {
    local = local.narrow(int64_t(dim), 0, place[dim].valid);
    if (whole.defined())
      whole = whole.narrow(int64_t(dim), place[dim].start, place[dim].valid);
  }
  return {local, whole};
}

std::string listed(const std::vector<std::string> &names) {
  std::string out;
  for (size_t i = 0; i < names.size() && i < 5; ++i)
    out += (i ? ", " : "") + names[i];
  if (names.size() > 5)
    out += ", ... (" + std::to_string(names.size()) + " in all)";
  return out;
}

} // namespace

ModelState::ModelState(Executor &executor) : executor(executor) {
  std::map<std::string, size_t> indices;
  const std::vector<plan::Buffer> &buffers = executor.plan().buffers;
  plan::Mesh mesh = plan::meshOf(executor.plan());
  for (const plan::Buffer &buffer : buffers)
    places.push_back(plan::sliceOf(buffer, mesh, /*rank=*/0));
  auto parameter = [&](const std::string &name) -> Parameter & {
    auto [it, isNew] = indices.emplace(name, parameters.size());
    if (isNew)
      parameters.push_back({name, -1, -1, {}});
    return parameters[it->second];
  };
  for (int32_t i = 0; i < int32_t(buffers.size()); ++i) {
    const plan::Buffer &buffer = buffers[i];
    if (buffer.role == plan::Role::Param)
      parameter(buffer.param).param = i;
    else if (buffer.role == plan::Role::Master)
      parameter(buffer.param).master = i;
    else if (buffer.role == plan::Role::OptState)
      parameter(buffer.param).states[buffer.state] = i;
  }
  std::set<int32_t> written;
  for (size_t i = 0; i < executor.plan().programs.size(); ++i)
    if (executor.plan().programs[i].name != "init")
      for (int32_t buffer : executor.writtenBy(int(i)))
        written.insert(buffer);
  for (int32_t buffer : written)
    if (buffers[buffer].role == plan::Role::Buffer)
      moduleBuffers.push_back(buffer);
}

int64_t ModelState::numParameters() const {
  int64_t count = 0;
  for (const Parameter &parameter : parameters) {
    int64_t elements = 1;
    for (int64_t size : executor.plan().buffers[parameter.param].logicalShape)
      elements *= size;
    count += elements;
  }
  return count;
}

void ModelState::initialize(int64_t seed) {
  for (const Parameter &parameter : parameters) {
    const plan::Buffer &buffer = executor.plan().buffers[target(parameter)];
    initWeights(executor.buffers()[target(parameter)], buffer,
                places[target(parameter)],
                executor.plan().buffers[parameter.param].init, seed);
    for (const auto &[state, index] : parameter.states)
      executor.buffers()[index].zero_();
  }
  castFromMasters();
}

void ModelState::loadHuggingFace(const std::string &dir) {
  std::vector<ParamSpec> specs;
  for (const Parameter &parameter : parameters)
    specs.push_back({parameter.name,
                     executor.plan().buffers[parameter.param].logicalShape});
  HuggingFaceWeights weights =
      HuggingFaceWeights::open(dir, specs, executor.plan().tied);
  for (const Parameter &parameter : parameters)
    write(target(parameter), weights.fp32(parameter.name),
          dir + ": '" + parameter.name + "'");
  castFromMasters();
}

void ModelState::loadWeights(const CheckpointData &data,
                             const std::string &path) {
  TensorMap weights = exportableWeights(data);
  std::vector<std::string> missing, unexpected;
  std::set<std::string> known;
  for (const Parameter &parameter : parameters) {
    known.insert(parameter.name);
    if (!weights.count(parameter.name))
      missing.push_back(parameter.name);
  }
  for (const auto &[name, tensor] : weights)
    if (!known.count(name))
      unexpected.push_back(name);
  if (!missing.empty())
    throw UserError(path + ": is of another model, it lacks " +
                    listed(missing));
  if (!unexpected.empty())
    throw UserError(path + ": is of another model, which has " +
                    listed(unexpected) + " too");
  for (const Parameter &parameter : parameters)
    write(target(parameter), weights.at(parameter.name),
          path + ": '" + parameter.name + "'");
  castFromMasters();
}

void ModelState::loadAll(const CheckpointData &data, const std::string &path) {
  loadWeights(data, path);
  loadOptimizer(data, path);
  loadModuleBuffers(data, path);
}

void ModelState::loadOptimizer(const CheckpointData &data,
                               const std::string &path) const {
  std::set<std::string> known = {"master"};
  for (const Parameter &parameter : parameters)
    for (const auto &[state, index] : parameter.states) {
      known.insert(state);
      auto tensors = data.optimizer.find(state);
      if (tensors == data.optimizer.end() ||
          !tensors->second.count(parameter.name))
        throw UserError(path + ": has no optimizer state '" + state + "' of '" +
                        parameter.name +
                        "': it was made with another model.optim.name; set "
                        "model.weight_init_only to take its weights only");
      write(index, tensors->second.at(parameter.name),
            path + ": '" + state + "' of '" + parameter.name + "'");
    }
  for (const auto &[state, tensors] : data.optimizer)
    if (!known.count(state))
      throw UserError(path + ": has an optimizer state '" + state +
                      "' that this run's optimizer does not know: it was made "
                      "with another model.optim.name; set "
                      "model.weight_init_only to take its weights only");
}

void ModelState::loadModuleBuffers(const CheckpointData &data,
                                   const std::string &path) const {
  const PtDict *stored = nullptr;
  for (const auto &[key, value] : data.extra)
    if (const auto *name = key.get<std::string>(); name && *name == kBuffersKey)
      stored = value.get<PtDict>();
  for (int32_t index : moduleBuffers) {
    const std::string &name = executor.plan().buffers[index].name;
    const HostTensor *tensor = nullptr;
    if (stored)
      for (const auto &[key, value] : *stored)
        if (const auto *text = key.get<std::string>(); text && *text == name)
          tensor = value.get<HostTensor>();
    if (!tensor)
      throw UserError(path + ": has no module buffer '" + name + "'");
    write(index, *tensor, path + ": '" + name + "'");
  }
}

void ModelState::store(CheckpointData &data) const {
  for (const Parameter &parameter : parameters) {
    data.model[parameter.name] = read(parameter.param);
    if (parameter.master >= 0)
      data.optimizer["master"][parameter.name] = read(parameter.master);
    for (const auto &[state, index] : parameter.states)
      data.optimizer[state][parameter.name] = read(index);
  }
  data.tied = executor.plan().tied;
  if (moduleBuffers.empty())
    return;
  PtDict stored;
  for (int32_t index : moduleBuffers)
    stored.emplace_back(executor.plan().buffers[index].name, read(index));
  data.extra.emplace_back(kBuffersKey, std::move(stored));
}

void ModelState::write(int32_t index, const HostTensor &whole,
                       const std::string &what) const {
  const plan::Buffer &buffer = executor.plan().buffers[index];
  const at::Tensor &local = executor.buffers()[index];
  const std::vector<int64_t> &expected =
      buffer.logicalShape.empty() ? buffer.shape : buffer.logicalShape;
  if (whole.shape != expected)
    throw UserError(what + ": has the shape " + shapeText(whole.shape) +
                    ", the model has " + shapeText(expected));
  local.zero_(); // padding
  Overlap parts = overlap(places[index], local, toTorch(whole));
  parts.local.copy_(parts.whole);
}

HostTensor ModelState::read(int32_t index) const {
  const plan::Buffer &buffer = executor.plan().buffers[index];
  for (size_t dim = 0; dim < places[index].size(); ++dim)
    if (places[index][dim].start != 0 ||
        buffer.shape[dim] < buffer.logicalShape[dim])
      throw UserError("buffer '" + buffer.name +
                      "' holds a part of its parameter: checkpoints of more "
                      "than one rank are not supported yet");
  return toHost(overlap(places[index], executor.buffers()[index], {}).local);
}

void ModelState::castFromMasters() const {
  for (const Parameter &parameter : parameters)
    if (parameter.master >= 0)
      executor.buffers()[parameter.param].copy_(
          executor.buffers()[parameter.master]);
}

} // namespace nxdt::runtime
