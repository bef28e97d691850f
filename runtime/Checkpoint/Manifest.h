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

/// Version 1, of one rank, is read too.
constexpr int64_t kManifestVersion = 2;

/// A part of a tensor, in one of the files.
struct ManifestTensor {
  std::string file; ///< relative to the tag
  plan::DType dtype = plan::DType::F32;
  std::vector<int64_t> logicalShape;
  std::vector<int64_t> sliceStart;
  std::vector<int64_t> shape; ///< of the slice
};

/// By name, the parts that together are the whole. What several ranks hold
/// alike may be in several files.
using ManifestTensors = std::map<std::string, std::vector<ManifestTensor>>;

/// docs/Checkpoints.md is the schema.
struct Manifest {
  TagInfo info;
  std::map<std::string, WrittenFile> files; ///< by name relative to the tag
  ManifestTensors model;
  std::map<std::string, ManifestTensors> optimizer;
};

/// Adds the files and tensors of another rank's. UserError if a file is in
/// both.
void merge(Manifest &manifest, const Manifest &other);

/// With a checksum of its own content.
std::string manifestText(const Manifest &manifest);
/// UserError "<path>: ..." if it is broken, or of another version.
Manifest parseManifest(std::string_view text, const std::string &path);
/// Reads <tagDir>/manifest.json.
Manifest readManifest(const std::string &tagDir);

} // namespace nxdt::runtime

#endif // NXDT_RUNTIME_CHECKPOINT_MANIFEST_H
