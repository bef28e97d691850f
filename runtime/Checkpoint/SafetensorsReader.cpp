//===- SafetensorsReader.cpp - safetensors files, read --------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "nxdt/Support/UserError.h"
#include "runtime/Checkpoint/Files.h"
#include "runtime/Checkpoint/Json.h"
#include "runtime/Checkpoint/Safetensors.h"

#include "nlohmann/json.hpp"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <optional>

namespace fs = std::filesystem;

namespace nxdt::runtime {

using Json = nlohmann::json;
using plan::DType;

namespace {

/// The format's own limit of the header.
constexpr uint64_t kMaxHeaderBytes = 100'000'000;
constexpr size_t kLengthBytes = 8;

std::optional<DType> dtypeOf(const std::string &name) {
  if (name == "F64")
    return DType::F64;
  if (name == "F32")
    return DType::F32;
  if (name == "BF16")
    return DType::BF16;
  if (name == "F16")
    return DType::F16;
  if (name == "I64")
    return DType::I64;
  if (name == "I32")
    return DType::I32;
  if (name == "U8")
    return DType::U8;
  if (name == "BOOL")
    return DType::Bool;
  return std::nullopt;
}

/// A count in JSON: an integer >= 0 that fits.
std::optional<int64_t> countOf(const Json &value) {
  if (!value.is_number_unsigned())
    return std::nullopt;
  auto number = value.get<uint64_t>();
  if (number > static_cast<uint64_t>(INT64_MAX))
    return std::nullopt;
  return static_cast<int64_t>(number);
}

class FileReader {
public:
  explicit FileReader(const std::string &path)
      : path(path), file(MappedFile::open(path)) {}

  TensorMap read();

private:
  struct Extent {
    int64_t begin;
    int64_t end;
    std::string name;
  };
  [[noreturn]] void fail(const std::string &what) const {
    throw UserError(path + ": " + what);
  }
  [[noreturn]] void fail(const std::string &tensor,
                         const std::string &what) const {
    fail("tensor '" + tensor + "': " + what);
  }
  HostTensor tensor(const std::string &name, const Json &entry);
  void checkExtents();

  const std::string &path;
  std::shared_ptr<const MappedFile> file;
  const std::byte *payload = nullptr;
  int64_t payloadBytes = 0;
  std::vector<Extent> extents;
};

TensorMap FileReader::read() {
  if (file->size() < kLengthBytes)
    fail("is no safetensors file: it has " + std::to_string(file->size()) +
         " bytes, the header's length alone needs 8");
  uint64_t headerBytes;
  std::memcpy(&headerBytes, file->data(), kLengthBytes);
  if (headerBytes > kMaxHeaderBytes)
    fail("is no safetensors file: its header would have " +
         std::to_string(headerBytes) + " bytes, at most " +
         std::to_string(kMaxHeaderBytes) + " are allowed");
  if (headerBytes > file->size() - kLengthBytes)
    fail("is truncated: its header should have " + std::to_string(headerBytes) +
         " bytes, but only " + std::to_string(file->size() - kLengthBytes) +
         " follow");
  payload = file->data() + kLengthBytes + headerBytes;
  payloadBytes =
      static_cast<int64_t>(file->size() - kLengthBytes - headerBytes);
  Json header =
      parseSortedJson(file->text().substr(kLengthBytes, headerBytes), path);
  if (!header.is_object())
    fail("its header is no JSON object");

  TensorMap tensors;
  for (const auto &[name, entry] : header.items())
    if (name != "__metadata__")
      tensors.emplace(name, tensor(name, entry));
  checkExtents();
  return tensors;
}

HostTensor FileReader::tensor(const std::string &name, const Json &entry) {
  if (!entry.is_object() || !entry.contains("dtype") ||
      !entry.contains("shape") || !entry.contains("data_offsets"))
    fail(name, "its entry needs dtype, shape and data_offsets");
  const Json &dtypeText = entry["dtype"];
  const Json &dims = entry["shape"];
  const Json &offsets = entry["data_offsets"];
  if (!dtypeText.is_string())
    fail(name, "its dtype is no string");
  std::optional<DType> dtype = dtypeOf(dtypeText.get<std::string>());
  if (!dtype)
    fail(name, "has the type '" + dtypeText.get<std::string>() +
                   "', which cannot be read (F64, F32, BF16, F16, I64, I32, U8 "
                   "and BOOL can)");

  HostTensor tensor{*dtype, {}, nullptr};
  if (!dims.is_array())
    fail(name, "its shape is no list");
  int64_t bytes = plan::byteSize(*dtype);
  for (const Json &dim : dims) {
    std::optional<int64_t> size = countOf(dim);
    if (!size)
      fail(name, "its shape holds " + dim.dump() + ", which is no count");
    if (__builtin_mul_overflow(bytes, *size, &bytes))
      fail(name, "its shape " + dims.dump() + " overflows");
    tensor.shape.push_back(*size);
  }

  if (!offsets.is_array() || offsets.size() != 2)
    fail(name, "its data_offsets are no pair");
  std::optional<int64_t> begin = countOf(offsets[0]);
  std::optional<int64_t> end = countOf(offsets[1]);
  if (!begin || !end || *begin > *end)
    fail(name, "its data_offsets " + offsets.dump() + " are no range");
  if (*end > payloadBytes)
    fail(name, "its data_offsets " + offsets.dump() + " end behind the " +
                   std::to_string(payloadBytes) +
                   " bytes of data: the file is truncated, or its header lies");
  if (*end - *begin != bytes)
    fail(name, "shape " + dims.dump() + " of type " +
                   dtypeText.get<std::string>() + " needs " +
                   std::to_string(bytes) + " bytes, its data_offsets " +
                   offsets.dump() + " span " + std::to_string(*end - *begin));
  extents.push_back({*begin, *end, name});

  const std::byte *data = payload + *begin;
  if (bytes == 0 || reinterpret_cast<uintptr_t>(data) %
                            static_cast<size_t>(plan::byteSize(*dtype)) !=
                        0)
    return makeHostTensor(*dtype, std::move(tensor.shape), data);
  tensor.data = std::shared_ptr<const std::byte>(file, data);
  return tensor;
}

/// The tensors must fill the data, without overlaps and holes.
void FileReader::checkExtents() {
  std::sort(extents.begin(), extents.end(),
            [](const Extent &a, const Extent &b) {
              return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
            });
  int64_t at = 0;
  std::string previous;
  for (const Extent &extent : extents) {
    if (extent.begin < at)
      fail(extent.name, "overlaps tensor '" + previous + "'");
    if (extent.begin > at)
      fail(extent.name, "bytes " + std::to_string(at) + " to " +
                            std::to_string(extent.begin) +
                            " before it belong to no tensor");
    at = extent.end;
    previous = extent.name;
  }
  if (at != payloadBytes)
    fail("its tensors end at byte " + std::to_string(at) + " of " +
         std::to_string(payloadBytes) + " bytes of data");
}

TensorMap readShards(const std::string &dir, const std::string &indexPath) {
  Json index = parseSortedJson(readFile(indexPath), indexPath);
  if (!index.is_object() || !index.contains("weight_map") ||
      !index["weight_map"].is_object())
    throw UserError(indexPath + ": has no object 'weight_map'");
  std::map<std::string, std::vector<std::string>> byFile;
  for (const auto &[name, file] : index["weight_map"].items()) {
    if (!file.is_string())
      throw UserError(indexPath + ": weight_map: '" + name +
                      "' names no file, but " + file.dump());
    auto text = file.get<std::string>();
    if (text.empty() || text.find('/') != std::string::npos || text == "..")
      throw UserError(indexPath + ": weight_map: '" + name + "' names '" +
                      text + "', which is no file of this folder");
    byFile[text].push_back(name);
  }
  TensorMap all;
  for (const auto &[file, names] : byFile) {
    std::string path = dir + "/" + file;
    TensorMap tensors = readSafetensors(path);
    for (const std::string &name : names) {
      auto it = tensors.find(name);
      if (it == tensors.end())
        throw UserError(path + ": misses tensor '" + name + "', which " +
                        indexPath + " expects there");
      all.emplace(name, std::move(it->second));
      tensors.erase(it);
    }
    if (!tensors.empty())
      throw UserError(path + ": holds tensor '" + tensors.begin()->first +
                      "', which " + indexPath + " does not list there");
  }
  return all;
}

} // namespace

TensorMap readSafetensors(const std::string &path) {
  return FileReader(path).read();
}

TensorMap readSafetensorsFolder(const std::string &dir) {
  if (!fs::is_directory(dir))
    throw UserError(dir + ": there is no such folder");
  std::string single = dir + "/model.safetensors";
  std::string index = dir + "/model.safetensors.index.json";
  if (fs::exists(index))
    return readShards(dir, index);
  if (fs::exists(single))
    return readSafetensors(single);
  std::string hint;
  if (fs::exists(dir + "/pytorch_model.bin") ||
      fs::exists(dir + "/pytorch_model.bin.index.json"))
    hint = "; its pytorch_model.bin must be saved as safetensors first "
           "(save_pretrained does)";
  throw UserError(dir +
                  ": has neither model.safetensors nor "
                  "model.safetensors.index.json" +
                  hint);
}

} // namespace nxdt::runtime
