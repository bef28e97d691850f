//===- Tags.cpp - the tags of a checkpoints folder ------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "nxdt/Support/UserError.h"
#include "runtime/Checkpoint/Checkpoint.h"
#include "runtime/Checkpoint/Files.h"
#include "runtime/Checkpoint/Manifest.h"
#include "runtime/Checkpoint/TagFiles.h"

#include <algorithm>
#include <filesystem>

namespace fs = std::filesystem;

namespace nxdt::runtime {

namespace {

constexpr const char *kTemporaryStart = ".";
constexpr const char *kTemporaryEnding = ".tmp";
/// A complete tag that is being replaced by one of the same name.
constexpr const char *kReplacedEnding = "-replaced.ckpt";

bool endsWith(const std::string &text, std::string_view end) {
  return text.size() >= end.size() &&
         std::string_view(text).substr(text.size() - end.size()) == end;
}

bool isTemporary(const std::string &name) {
  return name.starts_with(kTemporaryStart) &&
         endsWith(name, std::string(kTagEnding) + kTemporaryEnding);
}

bool isDone(const std::string &tagDir) {
  return fs::exists(tagDir + "/" + kDoneFile);
}

/// The folders in `dir` that a predicate of the name wants, sorted.
template <typename Predicate>
std::vector<std::string> folders(const std::string &dir, Predicate wanted) {
  std::vector<std::string> found;
  std::error_code error;
  for (fs::directory_iterator it(dir, error), end; !error && it != end;
       it.increment(error))
    if (it->is_directory() && wanted(it->path().filename().string()))
      found.push_back(it->path().string());
  if (error && error != std::errc::no_such_file_or_directory)
    throw UserError(dir + ": cannot be read: " + error.message());
  std::sort(found.begin(), found.end());
  return found;
}

std::vector<std::string> tagFolders(const std::string &dir) {
  return folders(dir, [](const std::string &name) {
    return endsWith(name, kTagEnding) && !name.starts_with(kTemporaryStart);
  });
}

/// True if an unfinished tag is older than `newest`. By step where its manifest
/// can still be read (it is written early and removed last), else by time.
bool isOlder(const std::string &tagDir, const TagInfo &newest) {
  try {
    return readManifest(tagDir).info.step <= newest.step;
  } catch (const UserError &) {
    std::error_code error;
    auto own = fs::last_write_time(tagDir, error);
    auto other = fs::last_write_time(newest.path + "/" + kDoneFile, error);
    return !error && own <= other;
  }
}

} // namespace

std::string temporaryName(const std::string &dir, const std::string &tagName) {
  return dir + "/" + kTemporaryStart + tagName + kTagEnding + kTemporaryEnding;
}

std::string publishTag(const std::string &dir, const std::string &tagName,
                       const std::string &temporary) {
  std::string tag = dir + "/" + tagName + kTagEnding;
  std::string replaced = dir + "/" + tagName + kReplacedEnding;
  if (fs::exists(tag) && isDone(tag)) {
    removeTag(replaced);
    renamePath(tag, replaced);
  } else {
    removeTag(tag);
  }
  renamePath(temporary, tag);
  writeFile(tag + "/" + kDoneFile, "1");
  syncFolder(tag);
  removeTag(replaced);
  return tag;
}

void requireComplete(const std::string &tagDir) {
  if (!fs::is_directory(tagDir))
    throw UserError(tagDir + ": there is no such checkpoint");
  if (!fs::exists(tagDir + "/" + kMarkerFile) &&
      !fs::exists(tagDir + "/" + kManifestFile))
    throw UserError(tagDir + ": is no checkpoint (a tag folder holds "
                             "'checkpoint', 'manifest.json' and 'done')");
  if (!isDone(tagDir))
    throw UserError(tagDir + ": is incomplete (no file 'done': its save was "
                             "interrupted)");
}

TagInfo readTagInfo(const std::string &tagDir) {
  requireComplete(tagDir);
  return readManifest(tagDir).info;
}

bool isTagFolder(const std::string &path) {
  return fs::exists(path + "/" + kMarkerFile) ||
         fs::exists(path + "/" + kManifestFile);
}

std::vector<TagInfo> listTags(const std::string &dir) {
  std::vector<TagInfo> tags;
  for (const std::string &path : tagFolders(dir)) {
    if (!isDone(path))
      continue;
    try {
      tags.push_back(readManifest(path).info);
    } catch (const UserError &error) {
      throw UserError(std::string(error.what()) + "; " + path +
                      " is marked complete: move it away to use another "
                      "checkpoint");
    }
  }
  std::stable_sort(tags.begin(), tags.end(), [](const auto &a, const auto &b) {
    return a.step < b.step;
  });
  return tags;
}

std::optional<TagInfo> findLatest(const std::string &dir) {
  std::vector<TagInfo> tags = listTags(dir);
  if (tags.empty())
    return std::nullopt;
  return tags.back();
}

void removeTag(const std::string &tagDir) {
  if (!fs::exists(tagDir))
    return;
  // Without `done` it is not loaded; its manifest tells until the end that it
  // is an old one.
  if (isDone(tagDir)) {
    removeTree(tagDir + "/" + kDoneFile);
    syncFolder(tagDir);
  }
  for (const auto &entry : fs::directory_iterator(tagDir))
    if (entry.path().filename() != kManifestFile)
      removeTree(entry.path().string());
  removeTree(tagDir);
}

std::vector<std::string> removeLeftovers(const std::string &dir) {
  std::vector<std::string> removed;
  for (const std::string &path : folders(dir, isTemporary)) {
    removeTree(path);
    removed.push_back(path);
  }
  std::optional<TagInfo> newest = findLatest(dir);
  if (!newest)
    return removed;
  for (const std::string &path : tagFolders(dir)) {
    bool ours = isTagFolder(path) || fs::is_empty(path);
    bool old = ours && !isDone(path) && isOlder(path, *newest);
    // A replacement that was interrupted after the new tag was complete.
    std::string other = path;
    if (endsWith(path, kReplacedEnding))
      other.resize(path.size() - std::string_view(kReplacedEnding).size());
    bool superseded = other != path && isDone(other + kTagEnding);
    if (!old && !superseded)
      continue;
    removeTag(path);
    removed.push_back(path);
  }
  return removed;
}

} // namespace nxdt::runtime
