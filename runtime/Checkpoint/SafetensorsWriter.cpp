//===- SafetensorsWriter.cpp - safetensors files, written -----------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "nxdt/Support/UserError.h"
#include "runtime/Checkpoint/Files.h"
#include "runtime/Checkpoint/Safetensors.h"

#include "nlohmann/json.hpp"

#include <algorithm>
#include <cstdio>

namespace nxdt::runtime {

using Json = nlohmann::ordered_json;
using plan::DType;

namespace {

const char *dtypeName(DType dtype) {
  switch (dtype) {
  case DType::F64:
    return "F64";
  case DType::F32:
    return "F32";
  case DType::BF16:
    return "BF16";
  case DType::F16:
    return "F16";
  case DType::I64:
    return "I64";
  case DType::I32:
    return "I32";
  case DType::U8:
    return "U8";
  case DType::Bool:
    return "BOOL";
  }
  throw std::logic_error("dtypeName: unknown dtype");
}

bool isFloating(DType dtype) {
  return dtype == DType::F64 || dtype == DType::F32 || dtype == DType::BF16 ||
         dtype == DType::F16;
}

/// The type a tensor is stored in.
DType storedType(const HostTensor &tensor, DType wanted) {
  return isFloating(tensor.dtype) ? wanted : tensor.dtype;
}

int64_t storedBytes(const HostTensor &tensor, DType wanted) {
  return tensor.numel() * plan::byteSize(storedType(tensor, wanted));
}

using Names = std::vector<std::string>;

void writeFile(const std::string &path, const TensorMap &tensors,
               const Names &names, DType dtype) {
  // Wide types first: every tensor is then aligned to its own type.
  Names order = names;
  std::stable_sort(order.begin(), order.end(),
                   [&](const auto &a, const auto &b) {
                     return plan::byteSize(storedType(tensors.at(a), dtype)) >
                            plan::byteSize(storedType(tensors.at(b), dtype));
                   });
  Json header = {{"__metadata__", {{"format", "pt"}}}};
  int64_t offset = 0;
  for (const std::string &name : order) {
    const HostTensor &tensor = tensors.at(name);
    int64_t end = offset + storedBytes(tensor, dtype);
    header[name] = {{"dtype", dtypeName(storedType(tensor, dtype))},
                    {"shape", tensor.shape},
                    {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  uint64_t length = text.size();

  FileWriter writer(path);
  writer.write(&length, sizeof(length));
  writer.write(text);
  for (const std::string &name : order) {
    const HostTensor &tensor = tensors.at(name);
    HostTensor stored =
        isFloating(tensor.dtype)
            ? convert(tensor, dtype, path + ": tensor '" + name + "'")
            : tensor;
    writer.write(stored.data.get(), static_cast<size_t>(stored.sizeBytes()));
  }
  writer.finish();
}

std::string shardName(size_t i, size_t count) {
  char name[64];
  std::snprintf(name, sizeof(name), "model-%05zu-of-%05zu.safetensors", i + 1,
                count);
  return name;
}

} // namespace

void writeSafetensors(const std::string &path, const TensorMap &tensors,
                      DType dtype) {
  Names names;
  for (const auto &[name, tensor] : tensors)
    names.push_back(name);
  writeFile(path, tensors, names, dtype);
}

void writeSafetensorsFolder(const std::string &dir, const TensorMap &tensors,
                            DType dtype, int64_t maxShardBytes) {
  std::vector<Names> shards(1);
  int64_t shardBytes = 0;
  int64_t totalBytes = 0;
  int64_t totalElements = 0;
  for (const auto &[name, tensor] : tensors) {
    int64_t bytes = storedBytes(tensor, dtype);
    if (!shards.back().empty() && shardBytes + bytes > maxShardBytes) {
      shards.emplace_back();
      shardBytes = 0;
    }
    shards.back().push_back(name);
    shardBytes += bytes;
    totalBytes += bytes;
    totalElements += tensor.numel();
  }
  if (shards.size() == 1) {
    writeFile(dir + "/model.safetensors", tensors, shards[0], dtype);
    return;
  }
  Json index = {
      {"metadata",
       {{"total_parameters", totalElements}, {"total_size", totalBytes}}},
      {"weight_map", Json::object()}};
  for (size_t i = 0; i < shards.size(); ++i) {
    std::string file = shardName(i, shards.size());
    writeFile(dir + "/" + file, tensors, shards[i], dtype);
    for (const std::string &name : shards[i])
      index["weight_map"][name] = file;
  }
  runtime::writeFile(dir + "/model.safetensors.index.json",
                     index.dump(2) + "\n");
}

} // namespace nxdt::runtime
