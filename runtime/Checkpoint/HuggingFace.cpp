//===- HuggingFace.cpp - Hugging Face model folders -----------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Checkpoint/HuggingFace.h"

#include "nxdt/Support/UserError.h"
#include "runtime/Checkpoint/Checkpoint.h"
#include "runtime/Checkpoint/Files.h"
#include "runtime/Checkpoint/Json.h"
#include "runtime/Checkpoint/Safetensors.h"

#include "nlohmann/json.hpp"

#include <cstring>
#include <filesystem>
#include <set>

namespace fs = std::filesystem;

namespace nxdt::runtime {

using plan::DType;

namespace {

/// Names in a message before "and N more".
constexpr size_t kMaxListed = 8;

std::string listed(const std::vector<std::string> &names) {
  std::string text;
  for (size_t i = 0; i < names.size() && i < kMaxListed; ++i)
    text += (i ? ", " : "") + names[i];
  if (names.size() > kMaxListed)
    text += " and " + std::to_string(names.size() - kMaxListed) + " more";
  return text;
}

bool endsWith(const std::string &text, std::string_view end) {
  return text.size() >= end.size() &&
         std::string_view(text).substr(text.size() - end.size()) == end;
}

bool equal(const HostTensor &a, const HostTensor &b) {
  return a.dtype == b.dtype && a.shape == b.shape &&
         std::memcmp(a.data.get(), b.data.get(),
                     static_cast<size_t>(a.sizeBytes())) == 0;
}

/// Folds aliases into the parameter that is stored.
void untie(TensorMap &tensors, const TiedNames &tied, const std::string &dir) {
  for (const auto &[alias, stored] : tied) {
    auto copy = tensors.extract(alias);
    if (copy.empty())
      continue;
    auto it = tensors.find(stored);
    if (it == tensors.end()) {
      copy.key() = stored;
      tensors.insert(std::move(copy));
      continue;
    }
    if (!equal(it->second, copy.mapped()))
      throw UserError(dir + ": '" + alias + "' and '" + stored +
                      "' are tied in this model, but their values differ "
                      "(tie_word_embeddings in config.json?)");
  }
}

const char *torchName(DType dtype) {
  switch (dtype) {
  case DType::F32:
    return "float32";
  case DType::BF16:
    return "bfloat16";
  case DType::F16:
    return "float16";
  default:
    throw UserError("a Hugging Face folder is written in f32, bf16 or f16, "
                    "not in " +
                    std::string(plan::name(dtype)));
  }
}

/// config.json with the type of the weights that lie beside it. transformers 5
/// calls it `dtype`, before that `torch_dtype`, which 5 reads too.
std::string configWithType(const std::string &configJson, DType dtype) {
  auto config = parseJson(configJson, "config.json");
  if (!config.is_object())
    throw UserError("config.json: is no JSON object");
  bool known = false;
  for (const char *key : {"dtype", "torch_dtype"}) {
    if (!config.contains(key))
      continue;
    config[key] = torchName(dtype);
    known = true;
  }
  if (!known)
    config["torch_dtype"] = torchName(dtype);
  return config.dump(2) + "\n";
}

/// Replaces the model in a folder that has other things (a tokenizer), which
/// stay. Old weights go first: an interrupted replacement lacks weights, it
/// never mixes two models.
void moveInto(const std::string &from, const fs::path &out) {
  for (const auto &entry : fs::directory_iterator(out)) {
    std::string name = entry.path().filename().string();
    if (name.starts_with("model") &&
        (endsWith(name, ".safetensors") ||
         endsWith(name, ".safetensors.index.json")))
      removeTree(entry.path().string());
  }
  for (const auto &entry : fs::directory_iterator(from))
    renamePath(entry.path().string(), (out / entry.path().filename()).string());
  removeTree(from);
}

} // namespace

//===----------------------------------------------------------------------===//
// Import
//===----------------------------------------------------------------------===//

HuggingFaceWeights
HuggingFaceWeights::open(const std::string &dir,
                         const std::vector<ParamSpec> &params,
                         const TiedNames &tied) {
  HuggingFaceWeights weights;
  weights.dir = dir;
  weights.tensors = readSafetensorsFolder(dir);
  TensorMap &tensors = weights.tensors;
  std::erase_if(tensors, [](const auto &entry) {
    return endsWith(entry.first, "rotary_emb.inv_freq");
  });
  untie(tensors, tied, dir);

  std::vector<std::string> missing;
  std::vector<std::string> misshapen;
  std::set<std::string> wanted;
  for (const ParamSpec &param : params) {
    wanted.insert(param.name);
    auto it = tensors.find(param.name);
    if (it == tensors.end())
      missing.push_back(param.name);
    else if (it->second.shape != param.shape)
      misshapen.push_back(param.name + " is " + shapeText(it->second.shape) +
                          ", the model has " + shapeText(param.shape));
  }
  std::vector<std::string> unexpected;
  for (const auto &[name, tensor] : tensors)
    if (!wanted.count(name))
      unexpected.push_back(name);

  std::string problem;
  if (!missing.empty())
    problem += "; missing: " + listed(missing);
  if (!unexpected.empty())
    problem += "; unexpected: " + listed(unexpected);
  if (!misshapen.empty())
    problem += "; of another shape: " + listed(misshapen);
  if (!problem.empty())
    throw UserError(dir + ": these weights are not of this model" + problem);
  return weights;
}

HostTensor HuggingFaceWeights::fp32(const std::string &name) const {
  auto it = tensors.find(name);
  if (it == tensors.end())
    throw UserError(dir + ": has no weight '" + name + "'");
  return convert(it->second, DType::F32, dir + ": tensor '" + name + "'");
}

HostTensor HuggingFaceWeights::view(const std::string &name) const {
  auto it = tensors.find(name);
  bool isSmallFloat = it != tensors.end() && (it->second.dtype == DType::F32 ||
                                              it->second.dtype == DType::BF16 ||
                                              it->second.dtype == DType::F16);
  return isSmallFloat ? it->second : fp32(name);
}

bool isHuggingFaceFolder(const std::string &path) {
  return fs::exists(path + "/config.json") &&
         (fs::exists(path + "/model.safetensors") ||
          fs::exists(path + "/model.safetensors.index.json"));
}

//===----------------------------------------------------------------------===//
// Export
//===----------------------------------------------------------------------===//

void exportHuggingFace(const std::string &outDir, const std::string &configJson,
                       TensorMap tensors, DType dtype, const TiedNames &tied,
                       bool force, int64_t maxShardBytes) {
  fs::path out = fs::absolute(outDir).lexically_normal();
  if (!out.has_filename())
    out = out.parent_path();
  bool exists = fs::exists(out);
  if (exists && !fs::is_directory(out))
    throw UserError(outDir + ": exists and is no folder");
  bool occupied = exists && !fs::is_empty(out);
  if (occupied && !force)
    throw UserError(outDir +
                    ": exists and is not empty (--force replaces the model "
                    "in it)");
  torchName(dtype);
  untie(tensors, tied, outDir);

  makeFolders(out.parent_path().string());
  std::string temporary =
      (out.parent_path() / ("." + out.filename().string() + ".nxdt-tmp"))
          .string();
  removeTree(temporary);
  makeFolders(temporary);
  try {
    if (!configJson.empty())
      writeFile(temporary + "/config.json", configWithType(configJson, dtype));
    writeSafetensorsFolder(temporary, tensors, dtype, maxShardBytes);
    syncFolder(temporary);
  } catch (...) {
    removeTree(temporary);
    throw;
  }
  if (!occupied) {
    // rename(2) replaces an empty folder.
    renamePath(temporary, out.string());
    return;
  }
  moveInto(temporary, out);
}

TensorMap exportableWeights(const CheckpointData &data) {
  TensorMap weights = data.model;
  auto master = data.optimizer.find("master");
  if (master == data.optimizer.end())
    return weights;
  for (const auto &[name, tensor] : master->second)
    weights.insert_or_assign(name, tensor);
  return weights;
}

} // namespace nxdt::runtime
