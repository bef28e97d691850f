//===- Reshard.cpp - a checkpoint for other ranks -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "runtime/Checkpoint/Reshard.h"

#include "nxdt/Plan/Family.h"
#include "nxdt/Support/UserError.h"
#include "runtime/Checkpoint/RankParts.h"

#include <functional>
#include <map>
#include <set>

namespace nxdt::runtime {

namespace {

using plan::Buffer;
using plan::Role;

std::string listed(const std::vector<std::string> &names) {
  std::string out;
  for (size_t i = 0; i < names.size() && i < 5; ++i)
    out += (i ? ", " : "") + names[i];
  if (names.size() > 5)
    out += ", ... (" + std::to_string(names.size()) + " in all)";
  return out;
}

void requireShape(const CheckpointReader &reader, const Buffer &buffer,
                  const std::string &state) {
  const std::vector<int64_t> &found = reader.shape(state, buffer.param);
  if (found != buffer.logicalShape)
    throw UserError(reader.path() + ": " +
                    (state.empty() ? "" : "'" + state + "' of ") + "'" +
                    buffer.param + "': has the shape " + shapeText(found) +
                    ", the model has " + shapeText(buffer.logicalShape));
}

/// The ranks after the first one, one after the other.
class Others final : public SavePeers {
public:
  Others(int64_t ranks, std::function<CheckpointData(int64_t)> partOf)
      : ranks(ranks), partOf(std::move(partOf)) {}
  void begin(const std::string &given) override { folder = given; }
  std::vector<std::string> finish() override {
    std::vector<std::string> texts;
    for (int64_t rank = 1; rank < ranks; ++rank)
      texts.push_back(writeCheckpointPart(folder, partOf(rank)));
    return texts;
  }

private:
  int64_t ranks;
  std::function<CheckpointData(int64_t)> partOf;
  std::string folder;
};

} // namespace

void requireWeightsOf(const CheckpointReader &reader, const plan::Plan &plan) {
  std::vector<std::string> missing, unexpected;
  std::set<std::string> known;
  for (const Buffer &buffer : plan.buffers) {
    if (buffer.role != Role::Param)
      continue;
    known.insert(buffer.param);
    if (!reader.has("", buffer.param))
      missing.push_back(buffer.param);
  }
  for (const std::string &name : reader.names(""))
    if (!known.count(name))
      unexpected.push_back(name);
  if (!missing.empty())
    throw UserError(reader.path() + ": is of another model, it lacks " +
                    listed(missing));
  if (!unexpected.empty())
    throw UserError(reader.path() + ": is of another model, which has " +
                    listed(unexpected) + " too");
  for (const Buffer &buffer : plan.buffers)
    if (buffer.role == Role::Param)
      requireShape(reader, buffer, weightState(reader, buffer.param));
}

void requireOptimizerOf(const CheckpointReader &reader,
                        const plan::Plan &plan) {
  const std::string advice =
      "made with another model.optim.name; set model.weight_init_only to take "
      "its weights only";
  std::set<std::string> known = {"master"};
  for (const Buffer &buffer : plan.buffers) {
    if (buffer.role != Role::OptState)
      continue;
    known.insert(buffer.state);
    if (!reader.has(buffer.state, buffer.param))
      throw UserError(reader.path() + ": has no optimizer state '" +
                      buffer.state + "' of '" + buffer.param + "': it was " +
                      advice);
    requireShape(reader, buffer, buffer.state);
  }
  for (const std::string &state : reader.states())
    if (!known.count(state))
      throw UserError(reader.path() + ": has an optimizer state '" + state +
                      "' that this run's optimizer does not know: it was " +
                      advice);
}

std::string weightState(const CheckpointReader &reader,
                        const std::string &param) {
  return reader.has("master", param) ? "master" : "";
}

std::string reshard(CheckpointReader &reader, const plan::PlanFamily &family,
                    const std::string &dir, const std::string &tagName,
                    const std::string &configJson) {
  plan::Plan whole = plan::wholeOf(family);
  requireWeightsOf(reader, whole);
  requireOptimizerOf(reader, whole);
  plan::Mesh mesh = plan::meshOf(whole);
  std::string layout = layoutOf(family);
  std::map<std::string, int64_t> owners = plan::ownersOf(family);
  auto partOf = [&](int64_t rank) {
    CheckpointData data = reader.head();
    if (!configJson.empty())
      data.configJson = configJson;
    data.mesh = meshText(mesh);
    data.layout = layout;
    data.rankName = rankName(mesh, rank);
    int64_t stage = plan::stageOf(mesh, rank);
    for (const Buffer &buffer : family.stages[size_t(stage)].buffers) {
      bool isState = buffer.role == Role::OptState;
      if (buffer.role != Role::Param && buffer.role != Role::Master && !isState)
        continue;
      if (owners.at(buffer.param) != stage)
        continue;
      std::string state = isState                       ? buffer.state
                          : buffer.role == Role::Master ? "master"
                                                        : "";
      TensorMap &tensors = state.empty() ? data.model : data.optimizer[state];
      PlaceMap &places =
          state.empty() ? data.modelPlaces : data.optimizerPlaces[state];
      if (!writesPart(buffer, mesh, rank))
        continue;
      Region region = regionOf(plan::sliceOf(buffer, mesh, rank));
      HostTensor part =
          reader.read(isState ? state : weightState(reader, buffer.param),
                      buffer.param, region);
      tensors[buffer.param] = part.dtype == buffer.dtype
                                  ? part
                                  : convert(part, buffer.dtype, buffer.param);
      if (region.shape != buffer.logicalShape)
        places[buffer.param] = {buffer.logicalShape, region.start};
    }
    return data;
  };
  Others others(mesh.size(), partOf);
  return saveCheckpoint(dir, tagName, partOf(0), /*last=*/false, &others);
}

} // namespace nxdt::runtime
