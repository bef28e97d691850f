//===- PtFile.cpp - torch.save files of plain containers ------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Checkpoint/PtFile.h"

#include "nxdt/Support/UserError.h"
#include "runtime/Checkpoint/Pickle.h"
#include "runtime/Checkpoint/Zip.h"

#include <unordered_map>

namespace nxdt::runtime {

namespace {

/// Names inside the archive, as torch.save has them.
constexpr const char *kRoot = "archive/";
constexpr const char *kPickleName = "data.pkl";

} // namespace

const PtValue *PtValue::find(std::string_view key) const {
  const PtDict *dict = get<PtDict>();
  if (!dict)
    return nullptr;
  for (const auto &[name, entry] : *dict)
    if (const std::string *text = name.get<std::string>(); text && *text == key)
      return &entry;
  return nullptr;
}

WrittenFile writePt(const std::string &path, const PtValue &value) {
  std::vector<HostTensor> tensors;
  std::string pickle = writePickle(value, tensors);
  std::string root = kRoot;
  ZipWriter zip(path);
  zip.add(root + kPickleName, pickle.data(), pickle.size());
  zip.add(root + "byteorder", "little", 6);
  for (size_t i = 0; i < tensors.size(); ++i)
    zip.add(root + "data/" + std::to_string(i), tensors[i].data.get(),
            static_cast<size_t>(tensors[i].sizeBytes()));
  zip.add(root + "version", "3\n", 2);
  zip.finish();
  return {zip.sizeBytes(), zip.checksum()};
}

PtValue readPt(const std::string &path, bool verifyRecords) {
  auto file = MappedFile::open(path);
  std::unordered_map<std::string, ZipRecord> records;
  std::string root;
  for (ZipRecord &record : readZip(*file, path, verifyRecords)) {
    // The archive's root folder has any name: that of the first record.
    if (root.empty())
      root = record.name.substr(0, record.name.find('/') + 1);
    std::string name = record.name;
    if (!records.emplace(name, std::move(record)).second)
      throw UserError(path + ": holds the record '" + name + "' twice");
  }
  auto order = records.find(root + "byteorder");
  if (order != records.end() &&
      std::string_view(reinterpret_cast<const char *>(order->second.data),
                       order->second.size) != "little")
    throw UserError(path + ": is not little-endian");
  auto pickle = records.find(root + kPickleName);
  if (pickle == records.end())
    throw UserError(path + ": is no file of torch.save (it has no record '" +
                    root + kPickleName + "')");
  StorageLoader loader = [&](const std::string &key) -> StorageBytes {
    auto it = records.find(root + "data/" + key);
    if (it == records.end())
      throw UserError(path + ": misses the storage '" + key + "'");
    return {std::shared_ptr<const std::byte>(file, it->second.data),
            it->second.size};
  };
  const ZipRecord &record = pickle->second;
  return readPickle({reinterpret_cast<const char *>(record.data), record.size},
                    loader, path);
}

} // namespace nxdt::runtime
