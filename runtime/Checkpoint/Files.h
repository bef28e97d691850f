//===- Files.h - files that are whole or not there --------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_CHECKPOINT_FILES_H
#define NXDT_RUNTIME_CHECKPOINT_FILES_H

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace nxdt::runtime {

/// UserError "<path>: <what>: <the system's reason>".
[[noreturn]] void throwSystemError(const std::string &path,
                                   std::string_view what);

/// A file mapped read-only. Truncating a mapped file from outside is not
/// survived; nothing of nxdt does that.
class MappedFile {
public:
  /// UserError if `path` cannot be opened or is no regular file.
  static std::shared_ptr<const MappedFile> open(const std::string &path);
  ~MappedFile();
  MappedFile(const MappedFile &) = delete;
  MappedFile &operator=(const MappedFile &) = delete;

  const std::byte *data() const { return begin; }
  size_t size() const { return length; }
  std::string_view text() const {
    return {reinterpret_cast<const char *>(begin), length};
  }

private:
  MappedFile() = default;
  const std::byte *begin = nullptr;
  size_t length = 0;
};

/// Writes a new file front to back and counts size and CRC-32C on the way.
/// Errors are UserErrors with the path ("No space left on device").
class FileWriter {
public:
  /// Creates or truncates.
  explicit FileWriter(std::string path);
  ~FileWriter();
  FileWriter(const FileWriter &) = delete;
  FileWriter &operator=(const FileWriter &) = delete;

  void write(const void *data, size_t size);
  void write(std::string_view text) { write(text.data(), text.size()); }
  /// Writes what is buffered, fsyncs and closes.
  void finish();

  int64_t sizeBytes() const { return size; }
  uint32_t checksum() const { return crc; }

private:
  void flush();
  void writeThrough(const void *data, size_t size);
  std::string path;
  std::string buffer;
  int fd = -1;
  int64_t size = 0;
  uint32_t crc = 0;
};

/// The whole file. UserError if it cannot be read or is larger than `maxBytes`.
std::string readFile(const std::string &path, int64_t maxBytes = 1 << 30);
/// A synced file with this text.
void writeFile(const std::string &path, std::string_view text);
/// The same under a temporary name, renamed, folder synced: readers see the
/// old or the new whole.
void replaceFile(const std::string &path, std::string_view text);
/// Makes the names in a folder durable.
void syncFolder(const std::string &path);
/// mkdir -p.
void makeFolders(const std::string &path);
/// rm -r; silent if there is nothing.
void removeTree(const std::string &path);
/// rename(2), both folders synced.
void renamePath(const std::string &from, const std::string &to);

} // namespace nxdt::runtime

#endif // NXDT_RUNTIME_CHECKPOINT_FILES_H
