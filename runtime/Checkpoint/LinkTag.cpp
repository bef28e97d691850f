//===- LinkTag.cpp - a second name for a checkpoint -----------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "nxdt/Support/UserError.h"
#include "runtime/Checkpoint/Files.h"
#include "runtime/Checkpoint/Manifest.h"
#include "runtime/Checkpoint/TagFiles.h"

#include <filesystem>

namespace fs = std::filesystem;

namespace nxdt::runtime {

std::optional<std::string> linkTag(const std::string &tagDir,
                                   const std::string &dir,
                                   const std::string &tagName) {
  Manifest manifest = readManifest(tagDir);
  manifest.info.last = true;
  std::string temporary = temporaryName(dir, tagName);
  removeTree(temporary);
  makeFolders(temporary + "/model");
  makeFolders(temporary + "/optim");
  for (const auto &[name, file] : manifest.files) {
    std::error_code error;
    fs::create_hard_link(tagDir + "/" + name, temporary + "/" + name, error);
    if (!error)
      continue;
    removeTree(temporary);
    return std::nullopt;
  }
  writeFile(temporary + "/" + kMarkerFile, "1");
  writeFile(temporary + "/" + kManifestFile, manifestText(manifest));
  syncFolder(temporary + "/model");
  syncFolder(temporary + "/optim");
  syncFolder(temporary);
  return publishTag(dir, tagName, temporary);
}

} // namespace nxdt::runtime
