//===- ModelState.cpp - a plan's weights, from and to files -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "runtime/Train/ModelState.h"
#include "nxdt/Plan/Family.h"
#include "nxdt/Support/UserError.h"
#include "runtime/Checkpoint/HuggingFace.h"
#include "runtime/Checkpoint/RankParts.h"
#include "runtime/Checkpoint/Reshard.h"
#include "runtime/Checkpoint/TorchTensor.h"
#include "runtime/Executor/InitWeights.h"

#include <algorithm>
#include <set>

namespace nxdt::runtime {
namespace {

const char kBuffersKey[] = "module_buffers";

} // namespace

ModelState::ModelState(Executor &executor)
    : ModelState(executor, {{executor.plan()}}) {}

ModelState::ModelState(Executor &executor, const plan::PlanFamily &family)
    : executor(executor), whole(plan::wholeOf(family)),
      familyLayout(layoutOf(family)) {
  int64_t stage = plan::stageOf(executor.mesh(), executor.rank());
  for (const auto &[param, owner] : plan::ownersOf(family))
    if (owner != stage)
      foreign.insert(param);
  std::map<std::string, size_t> indices;
  const std::vector<plan::Buffer> &buffers = executor.plan().buffers;
  for (const plan::Buffer &buffer : buffers)
    places.push_back(plan::sliceOf(buffer, executor.mesh(), executor.rank()));
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
  for (const plan::Buffer &buffer : whole.buffers) {
    if (buffer.role != plan::Role::Param)
      continue;
    int64_t elements = 1;
    for (int64_t size : buffer.logicalShape)
      elements *= size;
    count += elements;
  }
  return count;
}

void ModelState::requireStorable() const {
  int64_t stage = plan::stageOf(executor.mesh(), executor.rank());
  if (stage == 0 || moduleBuffers.empty())
    return;
  throw UserError(
      "the module buffer '" + executor.plan().buffers[moduleBuffers[0]].name +
      "', which training changes, lies on stage " + std::to_string(stage) +
      " of the pipeline, but checkpoints hold those of stage 0 "
      "only; exp_manager.create_checkpoint_callback=False trains "
      "without checkpoints");
}

std::vector<int32_t> ModelState::targets(const Parameter &parameter) {
  if (parameter.master < 0)
    return {parameter.param};
  return {parameter.param, parameter.master};
}

void ModelState::initialize(int64_t seed) {
  for (const Parameter &parameter : parameters) {
    // The param is not cast from its master: that may be a part of it. The
    // draws are the same, rounded to the type.
    for (int32_t index : targets(parameter))
      initWeights(executor.buffers()[index], executor.plan().buffers[index],
                  places[index], executor.plan().buffers[parameter.param].init,
                  seed);
    for (const auto &[state, index] : parameter.states)
      executor.buffers()[index].zero_();
  }
}

void ModelState::loadHuggingFace(const std::string &dir) {
  std::vector<ParamSpec> specs;
  for (const plan::Buffer &buffer : whole.buffers)
    if (buffer.role == plan::Role::Param)
      specs.push_back({buffer.param, buffer.logicalShape});
  HuggingFaceWeights weights =
      HuggingFaceWeights::open(dir, specs, executor.plan().tied);
  for (const Parameter &parameter : parameters)
    for (int32_t index : targets(parameter))
      write(index, weights.view(parameter.name),
            dir + ": '" + parameter.name + "'");
}

void ModelState::loadWeights(CheckpointReader &reader) {
  requireWeightsOf(reader, whole);
  for (const Parameter &parameter : parameters)
    for (int32_t index : targets(parameter))
      write(index, reader, weightState(reader, parameter.name), parameter.name);
}

void ModelState::loadAll(CheckpointReader &reader) {
  requireWeightsOf(reader, whole);
  requireOptimizerOf(reader, whole);
  loadWeights(reader);
  for (const Parameter &parameter : parameters)
    for (const auto &[state, index] : parameter.states)
      write(index, reader, state, parameter.name);
  loadModuleBuffers(reader.head(), reader.path());
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

void ModelState::store(int32_t index, const std::string &name,
                       TensorMap &tensors, PlaceMap &tensorPlaces) const {
  const plan::Buffer &buffer = executor.plan().buffers[index];
  if (!writesPart(buffer, executor.mesh(), executor.rank()))
    return;
  tensors[name] = toHost(validPart(index));
  Region region = regionOf(places[index]);
  if (region.shape != buffer.logicalShape)
    tensorPlaces[name] = {buffer.logicalShape, region.start};
}

void ModelState::store(CheckpointData &data) const {
  for (const Parameter &parameter : parameters) {
    if (foreign.count(parameter.name))
      continue;
    store(parameter.param, parameter.name, data.model, data.modelPlaces);
    if (parameter.master >= 0)
      store(parameter.master, parameter.name, data.optimizer["master"],
            data.optimizerPlaces["master"]);
    for (const auto &[state, index] : parameter.states)
      store(index, parameter.name, data.optimizer[state],
            data.optimizerPlaces[state]);
  }
  data.tied = executor.plan().tied;
  data.mesh = meshText(executor.mesh());
  data.layout = familyLayout;
  data.rankName = rankName(executor.mesh(), executor.rank());
  if (moduleBuffers.empty())
    return;
  PtDict stored;
  for (int32_t index : moduleBuffers)
    stored.emplace_back(executor.plan().buffers[index].name,
                        toHost(executor.buffers()[index]));
  data.extra.emplace_back(kBuffersKey, std::move(stored));
}

at::Tensor ModelState::validPart(int32_t index) const {
  at::Tensor out = executor.buffers()[index];
  for (size_t dim = 0; dim < places[index].size(); ++dim)
    out = out.narrow(int64_t(dim), 0, places[index][dim].valid);
  return out;
}

void ModelState::write(int32_t index, const HostTensor &whole,
                       const std::string &what) const {
  const plan::Buffer &buffer = executor.plan().buffers[index];
  const std::vector<int64_t> &expected =
      buffer.logicalShape.empty() ? buffer.shape : buffer.logicalShape;
  if (whole.shape != expected)
    throw UserError(what + ": has the shape " + shapeText(whole.shape) +
                    ", the model has " + shapeText(expected));
  at::Tensor part = toTorch(whole);
  for (size_t dim = 0; dim < places[index].size(); ++dim)
    part = part.narrow(int64_t(dim), places[index][dim].start,
                       places[index][dim].valid);
  executor.buffers()[index].zero_(); // padding
  validPart(index).copy_(part);
}

void ModelState::write(int32_t index, CheckpointReader &reader,
                       const std::string &state,
                       const std::string &name) const {
  executor.buffers()[index].zero_(); // padding
  Region region = regionOf(places[index]);
  if (region.numel() > 0)
    validPart(index).copy_(toTorch(reader.read(state, name, region)));
}

} // namespace nxdt::runtime
