//===- Zip.h - the zip archives of torch.save -------------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_CHECKPOINT_ZIP_H
#define NXDT_RUNTIME_CHECKPOINT_ZIP_H

#include "runtime/Checkpoint/Files.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace nxdt::runtime {

/// Writes stored (uncompressed) records whose data starts at multiples of 64
/// bytes, so that a reader can map the file. Always in zip64 form.
class ZipWriter {
public:
  explicit ZipWriter(const std::string &path) : file(path) {}
  void add(const std::string &name, const void *data, size_t size);
  /// Writes the directory, syncs and closes.
  void finish();

  int64_t sizeBytes() const { return file.sizeBytes(); }
  uint32_t checksum() const { return file.checksum(); }

private:
  struct Entry {
    std::string name;
    uint64_t size;
    uint64_t offset;
    uint32_t crc;
  };
  FileWriter file;
  std::vector<Entry> entries;
};

/// A record of a mapped archive.
struct ZipRecord {
  std::string name;
  const std::byte *data;
  size_t size;
};

/// Reads the directory of a mapped archive. Nothing in it is trusted. UserError
/// naming `path` for anything that is no whole archive of stored records.
/// `verify` also checks each record's CRC.
std::vector<ZipRecord> readZip(const MappedFile &file, const std::string &path,
                               bool verify);

} // namespace nxdt::runtime

#endif // NXDT_RUNTIME_CHECKPOINT_ZIP_H
