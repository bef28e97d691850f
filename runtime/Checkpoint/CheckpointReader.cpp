//===- CheckpointReader.cpp - parts of a checkpoint's tensors ----*- C++
//-*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "runtime/Checkpoint/CheckpointReader.h"

#include "nxdt/Support/UserError.h"
#include "runtime/Checkpoint/Crc.h"
#include "runtime/Checkpoint/Files.h"
#include "runtime/Checkpoint/PtJson.h"
#include "runtime/Checkpoint/TagFiles.h"

namespace nxdt::runtime {

namespace {

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

/// What the manifest says of the tensors in one file.
TensorMap expectedIn(const std::string &file, const ManifestTensors &tensors) {
  TensorMap out;
  for (const auto &[name, parts] : tensors)
    for (const ManifestTensor &part : parts)
      if (part.file == file)
        out[name] = {part.dtype, part.shape, nullptr};
  return out;
}

/// Manifest and file must tell the same: names, types, shapes.
void compare(const TensorMap &tensors, const TensorMap &expected,
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

CheckpointReader::CheckpointReader(const std::string &tagDir) : tagDir(tagDir) {
  requireComplete(tagDir);
  manifest = readManifest(tagDir);
  std::string manifestPath = tagDir + "/" + kManifestFile;
  if (!manifest.files.count(kUserContentFile))
    throw UserError(manifestPath + ": does not list " + kUserContentFile);
  auto check = [&](const std::string &state, const ManifestTensors &given) {
    for (const auto &[name, list] : given) {
      std::string what = manifestPath + ": " +
                         (state.empty() ? "" : "'" + state + "' of ") +
                         "tensor '" + name + "'";
      for (const ManifestTensor &part : list)
        if (!manifest.files.count(part.file))
          throw UserError(what + ": its file " + part.file + " is not listed");
      tensors[state][name] = checkParts(list, what);
    }
  };
  tensors[""];
  check("", manifest.model);
  for (const auto &[state, given] : manifest.optimizer) {
    tensors[state];
    check(state, given);
  }
  std::string contentPath = tagDir + "/" + kUserContentFile;
  verifyFile(contentPath, manifest.files.at(kUserContentFile));
  readUserContent(readPt(contentPath, /*verifyRecords=*/false), contentPath,
                  content);
  content.mesh = manifest.info.mesh;
  content.layout = manifest.info.layout;
  if (content.step != manifest.info.step)
    throw UserError(contentPath + ": is of step " +
                    std::to_string(content.step) +
                    ", the checkpoint's manifest of step " +
                    std::to_string(manifest.info.step));
}

std::vector<std::string> CheckpointReader::states() const {
  std::vector<std::string> out;
  for (const auto &[state, given] : tensors)
    if (!state.empty())
      out.push_back(state);
  return out;
}

std::vector<std::string>
CheckpointReader::names(const std::string &state) const {
  std::vector<std::string> out;
  if (auto it = tensors.find(state); it != tensors.end())
    for (const auto &[name, list] : it->second)
      out.push_back(name);
  return out;
}

bool CheckpointReader::has(const std::string &state,
                           const std::string &name) const {
  auto it = tensors.find(state);
  return it != tensors.end() && it->second.count(name);
}

const std::vector<ManifestTensor> &
CheckpointReader::parts(const std::string &state,
                        const std::string &name) const {
  if (!has(state, name))
    throw UserError(tagDir + ": has no " +
                    (state.empty() ? "" : "'" + state + "' of ") + "'" + name +
                    "'");
  return tensors.at(state).at(name);
}

const std::vector<int64_t> &
CheckpointReader::shape(const std::string &state,
                        const std::string &name) const {
  return parts(state, name)[0].logicalShape;
}

plan::DType CheckpointReader::dtype(const std::string &state,
                                    const std::string &name) const {
  return parts(state, name)[0].dtype;
}

void CheckpointReader::checkTensors(const std::string &file,
                                    const File &found) const {
  std::string path = tagDir + "/" + file;
  compare(found.model, expectedIn(file, manifest.model), path);
  for (const auto &[state, given] : found.optimizer)
    if (!manifest.optimizer.count(state))
      throw UserError(path + ": holds the state '" + state +
                      "', which the checkpoint's manifest does not know");
  for (const auto &[state, given] : manifest.optimizer) {
    auto it = found.optimizer.find(state);
    TensorMap expected = expectedIn(file, given);
    if (it == found.optimizer.end() && !expected.empty())
      throw UserError(path + ": misses the state '" + state + "'");
    if (it != found.optimizer.end())
      compare(it->second, expected, path);
  }
}

const CheckpointReader::File &CheckpointReader::open(const std::string &file) {
  auto it = files.find(file);
  if (it != files.end())
    return it->second;
  std::string path = tagDir + "/" + file;
  verifyFile(path, manifest.files.at(file));
  PtValue value = readPt(path, /*verifyRecords=*/false);
  const PtDict *dict = value.get<PtDict>();
  if (!dict)
    throw UserError(path + ": holds no dict");
  File found;
  if (file.starts_with("optim/")) {
    for (const auto &[key, entry] : *dict) {
      const auto *state = key.get<std::string>();
      if (!state)
        throw UserError(path + ": holds a state that has no name");
      found.optimizer[*state] = tensorsFrom(entry, path);
    }
  } else {
    found.model = tensorsFrom(value, path);
  }
  checkTensors(file, found);
  return files.emplace(file, std::move(found)).first->second;
}

HostTensor CheckpointReader::read(const std::string &state,
                                  const std::string &name,
                                  const Region &region) {
  const std::vector<ManifestTensor> &list = parts(state, name);
  auto tensorIn = [&](const ManifestTensor &part) {
    const File &file = open(part.file);
    return state.empty() ? file.model.at(name)
                         : file.optimizer.at(state).at(name);
  };
  for (const ManifestTensor &part : list)
    if (region == Region{part.sliceStart, part.shape})
      return tensorIn(part);
  HostTensor out = makeHostTensor(list[0].dtype, region.shape, nullptr);
  // Its own memory, which nobody else has seen yet.
  auto *to = const_cast<std::byte *>(out.data.get());
  for (const ManifestTensor &part : list) {
    Region from{part.sliceStart, part.shape};
    if (intersect(from, region).numel() == 0)
      continue;
    HostTensor tensor = tensorIn(part);
    copyRegion(tensor.data.get(), from, to, region,
               plan::byteSize(tensor.dtype));
  }
  return out;
}

HostTensor CheckpointReader::readWhole(const std::string &state,
                                       const std::string &name) {
  const std::vector<int64_t> &whole = shape(state, name);
  return read(state, name, {std::vector<int64_t>(whole.size(), 0), whole});
}

void CheckpointReader::verifyFiles() {
  for (const auto &[name, file] : manifest.files)
    if (name != kUserContentFile)
      open(name);
}

} // namespace nxdt::runtime
