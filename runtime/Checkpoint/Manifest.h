//===- Manifest.h - a checkpoint's manifest.json ----------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_CHECKPOINT_MANIFEST_H
#define NXDT_RUNTIME_CHECKPOINT_MANIFEST_H

#include "runtime/Checkpoint/Checkpoint.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace nxdt::runtime {

constexpr int64_t kManifestVersion = 1;

/// A tensor as the manifest describes it: this rank's slice of the whole.
struct ManifestTensor {
  std::string file; ///< relative to the tag
  plan::DType dtype = plan::DType::F32;
  std::vector<int64_t> logicalShape;
  std::vector<int64_t> sliceStart;
  std::vector<int64_t> shape; ///< of the slice
};

/// docs/Checkpoints.md is the schema.
struct Manifest {
  TagInfo info;
  std::map<std::string, WrittenFile> files; ///< by name relative to the tag
  std::map<std::string, ManifestTensor> model;
  std::map<std::string, std::map<std::string, ManifestTensor>> optimizer;
};

/// With a checksum of its own content.
std::string manifestText(const Manifest &manifest);
/// UserError "<path>: ..." if it is broken, or of another version.
Manifest parseManifest(std::string_view text, const std::string &path);
/// Reads <tagDir>/manifest.json.
Manifest readManifest(const std::string &tagDir);

} // namespace nxdt::runtime

#endif // NXDT_RUNTIME_CHECKPOINT_MANIFEST_H
