//===- Checkpoint.cpp - one checkpoint, saved and loaded ------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Checkpoint/Checkpoint.h"

#include "nxdt/Support/UserError.h"
#include "runtime/Checkpoint/Crc.h"
#include "runtime/Checkpoint/Files.h"
#include "runtime/Checkpoint/Manifest.h"
#include "runtime/Checkpoint/PtJson.h"
#include "runtime/Checkpoint/TagFiles.h"

#include <filesystem>
#include <set>

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

std::map<std::string, ManifestTensor> describe(const TensorMap &tensors,
                                               const std::string &file) {
  std::map<std::string, ManifestTensor> described;
  for (const auto &[name, tensor] : tensors)
    described[name] = {file, tensor.dtype, tensor.shape,
                       std::vector<int64_t>(tensor.shape.size(), 0),
                       tensor.shape};
  return described;
}

/// Fills a temporary folder with everything but `done`.
void writeTree(const std::string &folder, const CheckpointData &data,
               bool last) {
  makeFolders(folder + "/model");
  makeFolders(folder + "/optim");
  Manifest manifest;
  manifest.info.step = data.step;
  manifest.info.consumedSamples = data.consumedSamples;
  manifest.info.last = last;
  manifest.info.metrics = data.metrics;
  writeFile(folder + "/" + kMarkerFile, "1");
  auto add = [&](const char *name, const PtValue &value) {
    manifest.files[name] = writePt(folder + "/" + name, value);
  };
  add(kModelFile, toPt(data.model));
  add(kOptimFile, optimizerToPt(data));
  add(kUserContentFile, userContent(data));
  manifest.model = describe(data.model, kModelFile);
  for (const auto &[state, tensors] : data.optimizer)
    manifest.optimizer[state] = describe(tensors, kOptimFile);
  writeFile(folder + "/" + kManifestFile, manifestText(manifest));
  syncFolder(folder + "/model");
  syncFolder(folder + "/optim");
  syncFolder(folder);
}

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

void verifyFile(const std::string &path, const WrittenFile &expected) {
  auto file = MappedFile::open(path);
  if (static_cast<int64_t>(file->size()) != expected.sizeBytes)
    throw UserError(path + ": is damaged: it has " +
                    std::to_string(file->size()) + " bytes, " +
                    std::to_string(expected.sizeBytes) + " were written");
  if (crc32c(0, file->data(), file->size()) != expected.crc32c)
    throw UserError(path + ": is damaged (its checksum does not match)");
}

TensorMap tensorsFrom(const PtValue &value, const std::string &path) {
  const PtDict *dict = value.get<PtDict>();
  if (!dict)
    throw UserError(path + ": holds no dict of tensors");
  TensorMap tensors;
  for (const auto &[key, entry] : *dict) {
    const auto *name = key.get<std::string>();
    const auto *tensor = entry.get<HostTensor>();
    if (!name || !tensor)
      throw UserError(path + ": holds something that is no tensor");
    if (!tensors.emplace(*name, *tensor).second)
      throw UserError(path + ": holds tensor '" + *name + "' twice");
  }
  return tensors;
}

/// Manifest and file must tell the same: names, types, shapes.
void compare(const TensorMap &tensors,
             const std::map<std::string, ManifestTensor> &expected,
             const std::string &path) {
  for (const auto &[name, entry] : expected) {
    auto it = tensors.find(name);
    if (it == tensors.end())
      throw UserError(path + ": misses tensor '" + name +
                      "' of the checkpoint's manifest");
    if (it->second.dtype != entry.dtype || it->second.shape != entry.shape)
      throw UserError(path + ": tensor '" + name + "' is " +
                      std::string(plan::name(it->second.dtype)) +
                      shapeText(it->second.shape) + ", its manifest says " +
                      std::string(plan::name(entry.dtype)) +
                      shapeText(entry.shape));
  }
  for (const auto &[name, tensor] : tensors)
    if (!expected.count(name))
      throw UserError(path + ": holds tensor '" + name +
                      "', which the checkpoint's manifest does not know");
}

/// A value of user_content.pt.
template <typename T>
const T &want(const PtValue &content, const char *key,
              const std::string &path) {
  const PtValue *value = content.find(key);
  const T *typed = value ? value->get<T>() : nullptr;
  if (!typed)
    throw UserError(path + ": has no usable entry '" + key + "'");
  return *typed;
}

void readUserContent(const PtValue &content, const std::string &path,
                     CheckpointData &data) {
  data.step = want<int64_t>(content, "step", path);
  data.consumedSamples = want<int64_t>(content, "consumed_samples", path);
  data.seed = want<int64_t>(content, "seed", path);
  data.hfConfigJson = want<std::string>(content, "config.json", path);
  data.extra = want<PtDict>(content, "extra", path);
  for (const auto &[key, value] : want<PtDict>(content, "metrics", path)) {
    if (!key.get<std::string>() || !value.get<double>())
      throw UserError(path + ": has no usable entry 'metrics'");
    data.metrics[*key.get<std::string>()] = *value.get<double>();
  }
  for (const auto &[key, value] : want<PtDict>(content, "tied", path)) {
    if (!key.get<std::string>() || !value.get<std::string>())
      throw UserError(path + ": has no usable entry 'tied'");
    data.tied.emplace_back(*key.get<std::string>(), *value.get<std::string>());
  }
  const PtValue *config = content.find("config");
  if (config && !config->get<std::monostate>())
    data.configJson = ptToJson(*config, path);
}

} // namespace

std::string saveCheckpoint(const std::string &dir, const std::string &tagName,
                           const CheckpointData &data, bool last) {
  if (tagName.empty() || tagName.find('/') != std::string::npos ||
      tagName.front() == '.')
    throw UserError("a checkpoint cannot be named '" + tagName + "'");
  makeFolders(dir);
  std::string temporary = temporaryName(dir, tagName);
  removeTree(temporary);
  try {
    writeTree(temporary, data, last);
  } catch (...) {
    // A full disk must not stay full.
    std::error_code ignored;
    fs::remove_all(temporary, ignored);
    throw;
  }
  return publishTag(dir, tagName, temporary);
}

CheckpointData loadCheckpoint(const std::string &tagDir) {
  requireComplete(tagDir);
  Manifest manifest = readManifest(tagDir);
  for (const char *name : {kModelFile, kOptimFile, kUserContentFile})
    if (!manifest.files.count(name))
      throw UserError(tagDir + "/" + kManifestFile + ": does not list " + name);
  for (const auto &[name, file] : manifest.files)
    verifyFile(tagDir + "/" + name, file);

  CheckpointData data;
  auto read = [&](const char *name) {
    return readPt(tagDir + "/" + name, /*verifyRecords=*/false);
  };
  std::string modelPath = tagDir + "/" + kModelFile;
  data.model = tensorsFrom(read(kModelFile), modelPath);
  compare(data.model, manifest.model, modelPath);

  std::string optimPath = tagDir + "/" + kOptimFile;
  PtValue states = read(kOptimFile);
  if (!states.get<PtDict>())
    throw UserError(optimPath + ": holds no dict");
  for (const auto &[key, value] : *states.get<PtDict>()) {
    const auto *state = key.get<std::string>();
    auto expected =
        state ? manifest.optimizer.find(*state) : manifest.optimizer.end();
    if (expected == manifest.optimizer.end())
      throw UserError(optimPath + ": holds a state that the checkpoint's "
                                  "manifest does not know");
    data.optimizer[*state] = tensorsFrom(value, optimPath);
    compare(data.optimizer[*state], expected->second, optimPath);
  }
  for (const auto &[state, tensors] : manifest.optimizer)
    if (!data.optimizer.count(state))
      throw UserError(optimPath + ": misses the state '" + state + "'");

  std::string contentPath = tagDir + "/" + kUserContentFile;
  readUserContent(read(kUserContentFile), contentPath, data);
  if (data.step != manifest.info.step)
    throw UserError(contentPath + ": is of step " + std::to_string(data.step) +
                    ", the checkpoint's manifest of step " +
                    std::to_string(manifest.info.step));
  return data;
}

} // namespace nxdt::runtime
