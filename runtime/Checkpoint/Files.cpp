//===- Files.cpp - files that are whole or not there ----------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Checkpoint/Files.h"

#include "nxdt/Support/UserError.h"
#include "runtime/Checkpoint/Crc.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace fs = std::filesystem;

namespace nxdt::runtime {

namespace {

/// Small writes are collected up to this size.
constexpr size_t kBufferBytes = 1 << 16;
/// Linux writes at most 2 GiB at once.
constexpr size_t kMaxWriteBytes = 1 << 30;

/// Closes on every way out.
struct Descriptor {
  int fd = -1;
  ~Descriptor() {
    if (fd >= 0)
      ::close(fd);
  }
};

std::string parentOf(const std::string &path) {
  fs::path parent = fs::path(path).parent_path();
  return parent.empty() ? "." : parent.string();
}

} // namespace

void throwSystemError(const std::string &path, std::string_view what) {
  std::string reason = std::strerror(errno);
  throw UserError(path + ": " + std::string(what) + ": " + reason);
}

//===----------------------------------------------------------------------===//
// MappedFile
//===----------------------------------------------------------------------===//

std::shared_ptr<const MappedFile> MappedFile::open(const std::string &path) {
  Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.fd < 0)
    throwSystemError(path, "cannot be opened");
  struct stat info;
  if (::fstat(file.fd, &info) != 0)
    throwSystemError(path, "cannot be read");
  if (!S_ISREG(info.st_mode))
    throw UserError(path + ": is no file");
  std::shared_ptr<MappedFile> mapped(new MappedFile);
  mapped->length = static_cast<size_t>(info.st_size);
  if (mapped->length == 0)
    return mapped;
  void *memory =
      ::mmap(nullptr, mapped->length, PROT_READ, MAP_SHARED, file.fd, 0);
  if (memory == MAP_FAILED) {
    mapped->length = 0;
    throwSystemError(path, "cannot be mapped into memory");
  }
  mapped->begin = static_cast<const std::byte *>(memory);
  return mapped;
}

MappedFile::~MappedFile() {
  if (begin)
    ::munmap(const_cast<std::byte *>(begin), length);
}

//===----------------------------------------------------------------------===//
// FileWriter
//===----------------------------------------------------------------------===//

FileWriter::FileWriter(std::string filePath) : path(std::move(filePath)) {
  fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0)
    throwSystemError(path, "cannot be written");
  buffer.reserve(kBufferBytes);
}

FileWriter::~FileWriter() {
  if (fd >= 0)
    ::close(fd);
}

void FileWriter::write(const void *data, size_t bytes) {
  if (bytes == 0)
    return;
  crc = crc32c(crc, data, bytes);
  size += static_cast<int64_t>(bytes);
  if (buffer.size() + bytes <= kBufferBytes) {
    buffer.append(static_cast<const char *>(data), bytes);
    return;
  }
  flush();
  writeThrough(data, bytes);
}

void FileWriter::flush() {
  writeThrough(buffer.data(), buffer.size());
  buffer.clear();
}

void FileWriter::writeThrough(const void *data, size_t bytes) {
  const char *p = static_cast<const char *>(data);
  while (bytes > 0) {
    ssize_t done = ::write(fd, p, std::min(bytes, kMaxWriteBytes));
    if (done < 0 && errno == EINTR)
      continue;
    if (done < 0)
      throwSystemError(path, "cannot be written");
    p += done;
    bytes -= static_cast<size_t>(done);
  }
}

void FileWriter::finish() {
  flush();
  if (::fsync(fd) != 0)
    throwSystemError(path, "cannot be synced to disk");
  int closing = fd;
  fd = -1;
  if (::close(closing) != 0)
    throwSystemError(path, "cannot be written");
}

//===----------------------------------------------------------------------===//
// Whole files and folders
//===----------------------------------------------------------------------===//

std::string readFile(const std::string &path, int64_t maxBytes) {
  auto file = MappedFile::open(path);
  if (static_cast<int64_t>(file->size()) > maxBytes)
    throw UserError(path + ": has " + std::to_string(file->size()) +
                    " bytes, more than the " + std::to_string(maxBytes) +
                    " that such a file can need");
  return std::string(file->text());
}

void writeFile(const std::string &path, std::string_view text) {
  FileWriter writer(path);
  writer.write(text);
  writer.finish();
}

void replaceFile(const std::string &path, std::string_view text) {
  std::string temporary = path + ".tmp";
  writeFile(temporary, text);
  renamePath(temporary, path);
}

void syncFolder(const std::string &path) {
  Descriptor folder{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (folder.fd < 0)
    throwSystemError(path, "cannot be opened");
  // Some file systems know no fsync of folders, and need none.
  if (::fsync(folder.fd) != 0 && errno != EINVAL && errno != ENOTSUP)
    throwSystemError(path, "cannot be synced to disk");
}

void makeFolders(const std::string &path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error)
    throw UserError(path + ": the folder cannot be made: " + error.message());
  if (!fs::is_directory(path, error))
    throw UserError(path + ": is no folder");
}

void removeTree(const std::string &path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (error)
    throw UserError(path + ": cannot be removed: " + error.message());
}

void renamePath(const std::string &from, const std::string &to) {
  if (::rename(from.c_str(), to.c_str()) != 0)
    throwSystemError(from, "cannot be renamed to " + to);
  syncFolder(parentOf(to));
  if (parentOf(from) != parentOf(to))
    syncFolder(parentOf(from));
}

} // namespace nxdt::runtime
