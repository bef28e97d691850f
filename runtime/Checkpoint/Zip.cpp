//===- Zip.cpp - the zip archives of torch.save ---------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Checkpoint/Zip.h"

#include "nxdt/Support/UserError.h"
#include "runtime/Checkpoint/Crc.h"

#include <algorithm>
#include <cstring>

namespace nxdt::runtime {

namespace {

constexpr uint32_t kLocalMagic = 0x04034b50;
constexpr uint32_t kDirectoryMagic = 0x02014b50;
constexpr uint32_t kEndMagic = 0x06054b50;
constexpr uint32_t kEnd64Magic = 0x06064b50;
constexpr uint32_t kLocator64Magic = 0x07064b50;

constexpr size_t kLocalBytes = 30;
constexpr size_t kDirectoryBytes = 46;
constexpr size_t kEndBytes = 22;
constexpr size_t kEnd64Bytes = 56;
constexpr size_t kLocator64Bytes = 20;
constexpr size_t kMaxCommentBytes = 0xffff;

/// Extra field of sizes (and offset) that do not fit 32 bits.
constexpr uint16_t kZip64Field = 1;
/// Extra field that only pads, as PyTorch names it.
constexpr uint16_t kPaddingField = 0x4246;
constexpr size_t kAlignment = 64;
constexpr uint16_t kVersion = 45; // zip64
/// 1980-01-01: the same content gives the same bytes.
constexpr uint32_t kDate = 0x00210000;

/// Little-endian fields.
class Bytes {
public:
  template <typename T> Bytes &put(T value) {
    for (size_t i = 0; i < sizeof(T); ++i)
      text.push_back(static_cast<char>(value >> (8 * i)));
    return *this;
  }
  Bytes &add(std::string_view more) {
    text.append(more);
    return *this;
  }
  std::string text;
};

} // namespace

void ZipWriter::add(const std::string &name, const void *data, size_t size) {
  uint64_t offset = static_cast<uint64_t>(file.sizeBytes());
  uint32_t crc = crc32(0, data, size);

  Bytes extra;
  extra.put(kZip64Field)
      .put<uint16_t>(16)
      .put<uint64_t>(size)
      .put<uint64_t>(size);
  size_t dataAt = offset + kLocalBytes + name.size() + extra.text.size() + 4;
  size_t padding = (kAlignment - dataAt % kAlignment) % kAlignment;
  extra.put(kPaddingField)
      .put(static_cast<uint16_t>(padding))
      .add(std::string(padding, 'Z'));

  Bytes header;
  header.put(kLocalMagic).put(kVersion);
  header.put<uint16_t>(0).put<uint16_t>(0).put(kDate).put(crc);
  header.put<uint32_t>(0xffffffff).put<uint32_t>(0xffffffff);
  header.put(static_cast<uint16_t>(name.size()));
  header.put(static_cast<uint16_t>(extra.text.size()));
  header.add(name).add(extra.text);
  file.write(header.text);
  file.write(data, size);
  entries.push_back({name, size, offset, crc});
}

void ZipWriter::finish() {
  auto start = static_cast<uint64_t>(file.sizeBytes());
  for (const Entry &entry : entries) {
    Bytes header;
    header.put(kDirectoryMagic).put(kVersion).put(kVersion);
    header.put<uint16_t>(0).put<uint16_t>(0).put(kDate).put(entry.crc);
    header.put<uint32_t>(0xffffffff).put<uint32_t>(0xffffffff);
    header.put(static_cast<uint16_t>(entry.name.size()));
    header.put<uint16_t>(4 + 24);             // extra
    header.put<uint16_t>(0);                  // comment
    header.put<uint16_t>(0);                  // disk
    header.put<uint16_t>(0).put<uint32_t>(0); // attributes
    header.put<uint32_t>(0xffffffff);         // offset
    header.add(entry.name);
    header.put(kZip64Field).put<uint16_t>(24);
    header.put(entry.size).put(entry.size).put(entry.offset);
    file.write(header.text);
  }
  auto end = static_cast<uint64_t>(file.sizeBytes());
  uint64_t count = entries.size();

  Bytes tail;
  tail.put(kEnd64Magic).put<uint64_t>(kEnd64Bytes - 12);
  tail.put(kVersion).put(kVersion).put<uint32_t>(0).put<uint32_t>(0);
  tail.put(count).put(count).put(end - start).put(start);
  tail.put(kLocator64Magic).put<uint32_t>(0).put(end).put<uint32_t>(1);
  tail.put(kEndMagic).put<uint16_t>(0).put<uint16_t>(0);
  tail.put<uint16_t>(0xffff).put<uint16_t>(0xffff);
  tail.put<uint32_t>(0xffffffff).put<uint32_t>(0xffffffff);
  tail.put<uint16_t>(0);
  file.write(tail.text);
  file.finish();
}

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

namespace {

class Reader {
public:
  Reader(const MappedFile &file, const std::string &path)
      : data(file.data()), size(file.size()), path(path) {}

  std::vector<ZipRecord> records(bool verify);

private:
  [[noreturn]] void fail(const std::string &what) const {
    throw UserError(path + ": " + what);
  }
  /// A field at `at`; the caller has checked that it lies inside.
  template <typename T> T field(size_t at) const {
    T value;
    std::memcpy(&value, data + at, sizeof(T));
    return value;
  }
  /// True if `count` bytes at `at` lie inside the file.
  bool inside(uint64_t at, uint64_t count) const {
    return at <= size && count <= size - at;
  }
  size_t findEnd() const;
  ZipRecord record(size_t at, bool verify) const;

  const std::byte *data;
  size_t size;
  const std::string &path;
};

size_t Reader::findEnd() const {
  if (size >= kEndBytes) {
    size_t last = size - kEndBytes;
    size_t first = last > kMaxCommentBytes ? last - kMaxCommentBytes : 0;
    for (size_t at = last + 1; at-- > first;)
      if (field<uint32_t>(at) == kEndMagic &&
          at + kEndBytes + field<uint16_t>(at + 20) == size)
        return at;
  }
  fail("is no zip archive of torch.save, or is truncated (no end record in " +
       std::to_string(size) + " bytes)");
}

ZipRecord Reader::record(size_t at, bool verify) const {
  auto flags = field<uint16_t>(at + 8);
  auto method = field<uint16_t>(at + 10);
  auto crc = field<uint32_t>(at + 16);
  uint64_t packed = field<uint32_t>(at + 20);
  uint64_t unpacked = field<uint32_t>(at + 24);
  auto nameSize = field<uint16_t>(at + 28);
  auto extraSize = field<uint16_t>(at + 30);
  uint64_t offset = field<uint32_t>(at + 42);
  std::string name(reinterpret_cast<const char *>(data + at + kDirectoryBytes),
                   nameSize);
  if (flags & 1)
    fail("record '" + name + "' is encrypted");
  if (method != 0)
    fail("record '" + name + "' is compressed; torch.save does not compress");

  // 64-bit values stand in the extra field, only those that did not fit.
  size_t extra = at + kDirectoryBytes + nameSize;
  size_t extraEnd = extra + extraSize;
  while (extra + 4 <= extraEnd) {
    auto id = field<uint16_t>(extra);
    auto bytes = field<uint16_t>(extra + 2);
    size_t value = extra + 4;
    extra = value + bytes;
    if (extra > extraEnd)
      fail("record '" + name + "' has a broken extra field");
    if (id != kZip64Field)
      continue;
    for (uint64_t *target : {&unpacked, &packed, &offset}) {
      if (*target != 0xffffffff)
        continue;
      if (value + 8 > extra)
        fail("record '" + name + "' has a broken zip64 field");
      *target = field<uint64_t>(value);
      value += 8;
    }
  }
  if (packed != unpacked)
    fail("record '" + name + "' has two different sizes");
  if (!inside(offset, kLocalBytes) || field<uint32_t>(offset) != kLocalMagic)
    fail("record '" + name + "' starts at byte " + std::to_string(offset) +
         ", where there is none");
  uint64_t start = offset + kLocalBytes + field<uint16_t>(offset + 26) +
                   field<uint16_t>(offset + 28);
  if (!inside(start, unpacked))
    fail("record '" + name + "' ends behind the file's " +
         std::to_string(size) + " bytes");
  if (verify && crc32(0, data + start, unpacked) != crc)
    fail("record '" + name + "' is damaged (its checksum does not match)");
  return {std::move(name), data + start, static_cast<size_t>(unpacked)};
}

std::vector<ZipRecord> Reader::records(bool verify) {
  size_t end = findEnd();
  uint64_t count = field<uint16_t>(end + 10);
  uint64_t start = field<uint32_t>(end + 16);
  if (end >= kLocator64Bytes &&
      field<uint32_t>(end - kLocator64Bytes) == kLocator64Magic) {
    auto end64 = field<uint64_t>(end - kLocator64Bytes + 8);
    if (!inside(end64, kEnd64Bytes) || field<uint32_t>(end64) != kEnd64Magic)
      fail("has a broken zip64 end record");
    count = field<uint64_t>(end64 + 32);
    start = field<uint64_t>(end64 + 48);
  }
  std::vector<ZipRecord> records;
  uint64_t at = start;
  for (uint64_t i = 0; i < count; ++i) {
    if (!inside(at, kDirectoryBytes) || field<uint32_t>(at) != kDirectoryMagic)
      fail("has a broken directory (entry " + std::to_string(i) + " of " +
           std::to_string(count) + ")");
    uint64_t length = kDirectoryBytes + field<uint16_t>(at + 28) +
                      field<uint16_t>(at + 30) + field<uint16_t>(at + 32);
    if (!inside(at, length))
      fail("has a truncated directory");
    records.push_back(record(at, verify));
    at += length;
  }
  return records;
}

} // namespace

std::vector<ZipRecord> readZip(const MappedFile &file, const std::string &path,
                               bool verify) {
  return Reader(file, path).records(verify);
}

} // namespace nxdt::runtime
