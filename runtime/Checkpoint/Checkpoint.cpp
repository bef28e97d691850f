//===- Checkpoint.cpp - one checkpoint, saved and loaded ------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Checkpoint/Checkpoint.h"

#include "nxdt/Support/UserError.h"
#include "runtime/Checkpoint/CheckpointReader.h"
#include "runtime/Checkpoint/Files.h"
#include "runtime/Checkpoint/Manifest.h"
#include "runtime/Checkpoint/PtJson.h"
#include "runtime/Checkpoint/TagFiles.h"

#include <filesystem>

namespace fs = std::filesystem;

namespace nxdt::runtime {

namespace {

//===----------------------------------------------------------------------===//
// Content of the files
//===----------------------------------------------------------------------===//

PtValue toPt(const TensorMap &tensors) {
  PtDict dict;
  for (const auto &[name, tensor] : tensors)
    dict.emplace_back(name, tensor);
  return dict;
}

PtValue optimizerToPt(const CheckpointData &data) {
  PtDict states;
  for (const auto &[state, tensors] : data.optimizer)
    states.emplace_back(state, toPt(tensors));
  return states;
}

PtValue userContent(const CheckpointData &data) {
  PtDict metrics;
  for (const auto &[name, value] : data.metrics)
    metrics.emplace_back(name, value);
  PtDict tied;
  for (const auto &[alias, stored] : data.tied)
    tied.emplace_back(alias, stored);
  PtDict content;
  content.emplace_back("step", data.step);
  content.emplace_back("consumed_samples", data.consumedSamples);
  content.emplace_back("seed", data.seed);
  content.emplace_back("metrics", std::move(metrics));
  content.emplace_back("tied", std::move(tied));
  content.emplace_back("config", data.configJson.empty()
                                     ? PtValue()
                                     : jsonToPt(data.configJson, "config"));
  // As text: an export must give the user's file back.
  content.emplace_back("config.json", data.hfConfigJson);
  content.emplace_back("extra", data.extra);
  return content;
}

ManifestTensors describe(const TensorMap &tensors, const PlaceMap &places,
                         const std::string &file) {
  ManifestTensors described;
  for (const auto &[name, tensor] : tensors) {
    auto place = places.find(name);
    if (place == places.end())
      described[name] = {{file, tensor.dtype, tensor.shape,
                          std::vector<int64_t>(tensor.shape.size(), 0),
                          tensor.shape}};
    else
      described[name] = {{file, tensor.dtype, place->second.logicalShape,
                          place->second.start, tensor.shape}};
  }
  return described;
}

std::string fileName(const char *folder, const CheckpointData &data) {
  return std::string(folder) + "/" + data.rankName + ".pt";
}

/// Writes the tensors of one rank. Its files are there even if they are empty
/// where `always`.
Manifest writeTensors(const std::string &folder, const CheckpointData &data,
                      bool always) {
  Manifest manifest;
  std::string model = fileName("model", data);
  if (always || !data.model.empty()) {
    manifest.files[model] = writePt(folder + "/" + model, toPt(data.model));
    manifest.model = describe(data.model, data.modelPlaces, model);
  }
  std::string optim = fileName("optim", data);
  bool hasStates = false;
  for (const auto &[state, tensors] : data.optimizer) {
    hasStates |= !tensors.empty();
    auto places = data.optimizerPlaces.find(state);
    manifest.optimizer[state] = describe(
        tensors,
        places == data.optimizerPlaces.end() ? PlaceMap() : places->second,
        optim);
  }
  if (always || hasStates)
    manifest.files[optim] = writePt(folder + "/" + optim, optimizerToPt(data));
  return manifest;
}

/// Fills a temporary folder with everything but `done`.
void writeTree(const std::string &folder, const CheckpointData &data, bool last,
               SavePeers *peers) {
  makeFolders(folder + "/model");
  makeFolders(folder + "/optim");
  if (peers)
    peers->begin(folder);
  writeFile(folder + "/" + kMarkerFile, "1");
  Manifest manifest = writeTensors(folder, data, /*always=*/true);
  manifest.info.step = data.step;
  manifest.info.consumedSamples = data.consumedSamples;
  manifest.info.last = last;
  manifest.info.metrics = data.metrics;
  manifest.info.mesh = data.mesh;
  manifest.info.layout = data.layout;
  manifest.files[kUserContentFile] =
      writePt(folder + "/" + kUserContentFile, userContent(data));
  if (peers)
    for (const std::string &text : peers->finish())
      merge(manifest, parseManifest(text, folder + ": another rank's part"));
  writeFile(folder + "/" + kManifestFile, manifestText(manifest));
  syncFolder(folder + "/model");
  syncFolder(folder + "/optim");
  syncFolder(folder);
}

} // namespace

std::string saveCheckpoint(const std::string &dir, const std::string &tagName,
                           const CheckpointData &data, bool last,
                           SavePeers *peers) {
  if (tagName.empty() || tagName.find('/') != std::string::npos ||
      tagName.front() == '.')
    throw UserError("a checkpoint cannot be named '" + tagName + "'");
  makeFolders(dir);
  std::string temporary = temporaryName(dir, tagName);
  removeTree(temporary);
  try {
    writeTree(temporary, data, last, peers);
  } catch (...) {
    // A full disk must not stay full.
    std::error_code ignored;
    fs::remove_all(temporary, ignored);
    throw;
  }
  return publishTag(dir, tagName, temporary);
}

std::string writeCheckpointPart(const std::string &folder,
                                const CheckpointData &data) {
  return manifestText(writeTensors(folder, data, /*always=*/false));
}

CheckpointData loadCheckpoint(const std::string &tagDir) {
  CheckpointReader reader(tagDir);
  reader.verifyFiles();
  CheckpointData data = reader.head();
  for (const std::string &name : reader.names(""))
    data.model[name] = reader.readWhole("", name);
  for (const std::string &state : reader.states())
    for (const std::string &name : reader.names(state))
      data.optimizer[state][name] = reader.readWhole(state, name);
  return data;
}

} // namespace nxdt::runtime
