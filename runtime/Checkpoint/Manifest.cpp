//===- Manifest.cpp - a checkpoint's manifest.json ------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Checkpoint/Manifest.h"

#include "nxdt/Support/UserError.h"
#include "runtime/Checkpoint/Crc.h"
#include "runtime/Checkpoint/Files.h"
#include "runtime/Checkpoint/Json.h"

#include "nlohmann/json.hpp"

#include <cmath>
#include <cstdio>
#include <filesystem>

namespace nxdt::runtime {

using Json = nlohmann::ordered_json;
using plan::DType;

namespace {

constexpr const char *kFormat = "nxdt-checkpoint";
constexpr const char *kChecksum = "checksum";

std::string hex(uint32_t value) {
  char text[16];
  std::snprintf(text, sizeof(text), "%08x", value);
  return text;
}

uint32_t textChecksum(const Json &json) {
  std::string text = json.dump();
  return crc32c(0, text.data(), text.size());
}

Json toJson(const ManifestTensor &tensor) {
  return {{"file", tensor.file},
          {"dtype", std::string(plan::name(tensor.dtype))},
          {"logical_shape", tensor.logicalShape},
          {"slice_start", tensor.sliceStart},
          {"shape", tensor.shape}};
}

Json toJson(const ManifestTensors &tensors) {
  Json json = Json::object();
  for (const auto &[name, parts] : tensors) {
    json[name] = Json::array();
    for (const ManifestTensor &part : parts)
      json[name].push_back(toJson(part));
  }
  return json;
}

DType dtypeNamed(const std::string &name) {
  for (DType dtype : {DType::F64, DType::F32, DType::BF16, DType::F16,
                      DType::I64, DType::I32, DType::U8, DType::Bool})
    if (plan::name(dtype) == name)
      return dtype;
  throw std::invalid_argument("unknown dtype '" + name + "'");
}

ManifestTensor tensorFrom(const Json &json) {
  return {json.at("file").get<std::string>(),
          dtypeNamed(json.at("dtype").get<std::string>()),
          json.at("logical_shape").get<std::vector<int64_t>>(),
          json.at("slice_start").get<std::vector<int64_t>>(),
          json.at("shape").get<std::vector<int64_t>>()};
}

ManifestTensors tensorsFrom(const Json &json) {
  ManifestTensors tensors;
  for (const auto &[name, entry] : json.items()) {
    std::vector<ManifestTensor> &parts = tensors[name];
    // Version 1 has one part, and no list.
    if (entry.is_object())
      parts.push_back(tensorFrom(entry));
    else
      for (const Json &part : entry)
        parts.push_back(tensorFrom(part));
    if (parts.empty())
      throw std::invalid_argument("tensor '" + name + "' is in no file");
  }
  return tensors;
}

/// Throws nlohmann's exceptions and std::invalid_argument.
Manifest fromJson(const Json &json) {
  Manifest manifest;
  manifest.info.step = json.at("step").get<int64_t>();
  manifest.info.consumedSamples = json.at("consumed_samples").get<int64_t>();
  manifest.info.last = json.at("last").get<bool>();
  manifest.info.mesh = json.value("mesh", "");
  manifest.info.layout = json.value("layout", "");
  for (const auto &[name, value] : json.at("metrics").items())
    manifest.info.metrics[name] =
        value.is_null() ? std::nan("") : value.get<double>();
  for (const auto &[name, entry] : json.at("files").items()) {
    std::filesystem::path file(name);
    if (file.is_absolute() || name.find("..") != std::string::npos)
      throw std::invalid_argument("'" + name +
                                  "' is no file of the checkpoint");
    manifest.files[name] = {
        entry.at("bytes").get<int64_t>(),
        static_cast<uint32_t>(
            std::stoul(entry.at("crc32c").get<std::string>(), nullptr, 16))};
  }
  manifest.model = tensorsFrom(json.at("model"));
  for (const auto &[state, tensors] : json.at("optimizer").items())
    manifest.optimizer[state] = tensorsFrom(tensors);
  return manifest;
}

} // namespace

std::string manifestText(const Manifest &manifest) {
  Json json = {{"format", kFormat},
               {"version", kManifestVersion},
               {"step", manifest.info.step},
               {"consumed_samples", manifest.info.consumedSamples},
               {"last", manifest.info.last},
               {"mesh", manifest.info.mesh},
               {"layout", manifest.info.layout},
               {"metrics", Json::object()},
               {"files", Json::object()},
               {"model", toJson(manifest.model)},
               {"optimizer", Json::object()}};
  // NaN becomes null: JSON has none.
  for (const auto &[name, value] : manifest.info.metrics)
    json["metrics"][name] = value;
  for (const auto &[name, file] : manifest.files)
    json["files"][name] = {{"bytes", file.sizeBytes},
                           {"crc32c", hex(file.crc32c)}};
  for (const auto &[state, tensors] : manifest.optimizer)
    json["optimizer"][state] = toJson(tensors);
  // Through text once, so that the checksum is of what a reader parses.
  json = Json::parse(json.dump());
  json[kChecksum] = hex(textChecksum(json));
  return json.dump(1) + "\n";
}

void merge(Manifest &manifest, const Manifest &other) {
  for (const auto &[name, file] : other.files)
    if (!manifest.files.emplace(name, file).second)
      throw UserError("two ranks write the checkpoint's file " + name);
  auto add = [](ManifestTensors &to, const ManifestTensors &from) {
    for (const auto &[name, parts] : from)
      to[name].insert(to[name].end(), parts.begin(), parts.end());
  };
  add(manifest.model, other.model);
  for (const auto &[state, tensors] : other.optimizer)
    add(manifest.optimizer[state], tensors);
}

Manifest parseManifest(std::string_view text, const std::string &path) {
  Json json = parseJson(text, path);
  if (!json.is_object() || json.value("format", Json()) != kFormat)
    throw UserError(path + ": is no manifest of an nxdt checkpoint");
  Json version = json.value("version", Json());
  if (version != kManifestVersion && version != 1)
    throw UserError(path + ": is of version " + version.dump() +
                    ", this program reads the versions 1 and " +
                    std::to_string(kManifestVersion));
  Json checksum = json.value(kChecksum, Json());
  json.erase(kChecksum);
  if (checksum != hex(textChecksum(json)))
    throw UserError(path + ": is damaged (its checksum does not match)");
  try {
    return fromJson(json);
  } catch (const std::exception &error) {
    // nlohmann's errors and those of fromJson: a hand-made manifest.
    throw UserError(path + ": is broken: " + error.what());
  }
}

Manifest readManifest(const std::string &tagDir) {
  std::string path = tagDir + "/manifest.json";
  if (!std::filesystem::exists(path))
    throw UserError(tagDir + ": has no manifest.json: no checkpoint of nxdt "
                             "(those of NxD Training cannot be read yet)");
  Manifest manifest = parseManifest(readFile(path), path);
  manifest.info.path = tagDir;
  return manifest;
}

} // namespace nxdt::runtime
