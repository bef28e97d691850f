//===- CheckpointReader.h - parts of a checkpoint's tensors ------*- C++
//-*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_CHECKPOINT_CHECKPOINTREADER_H
#define NXDT_RUNTIME_CHECKPOINT_CHECKPOINTREADER_H

#include "runtime/Checkpoint/Checkpoint.h"
#include "runtime/Checkpoint/Manifest.h"
#include "runtime/Checkpoint/TensorParts.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace nxdt::runtime {

/// A complete checkpoint, read by logical regions from whatever files hold
/// them: the ranks that wrote it need not be those that read it. A file is
/// opened, and its checksum compared, when something of it is read first.
/// Everything throws UserError that names the file. Not thread-safe.
class CheckpointReader {
public:
  /// Checks `done`, the manifest, that every tensor's parts make a whole, and
  /// reads user_content.pt.
  explicit CheckpointReader(const std::string &tagDir);

  const std::string &path() const { return tagDir; }
  /// Everything but the tensors.
  const CheckpointData &head() const { return content; }

  /// "master", "exp_avg", ...; not the weights.
  std::vector<std::string> states() const;
  /// Names of the tensors of a state; of the weights for "".
  std::vector<std::string> names(const std::string &state) const;
  bool has(const std::string &state, const std::string &name) const;
  /// The unpadded whole.
  const std::vector<int64_t> &shape(const std::string &state,
                                    const std::string &name) const;
  plan::DType dtype(const std::string &state, const std::string &name) const;

  /// A region of a tensor, which must lie in it: a view of the file where it is
  /// exactly what a file holds, else a copy.
  HostTensor read(const std::string &state, const std::string &name,
                  const Region &region);
  HostTensor readWhole(const std::string &state, const std::string &name);

  /// Checks every file, read or not.
  void verifyFiles();

private:
  struct File {
    TensorMap model;
    std::map<std::string, TensorMap> optimizer;
  };
  const std::vector<ManifestTensor> &parts(const std::string &state,
                                           const std::string &name) const;
  const File &open(const std::string &file);
  void checkTensors(const std::string &file, const File &content) const;

  std::string tagDir;
  Manifest manifest;
  /// Checked, without repetitions; the weights under "".
  std::map<std::string, ManifestTensors> tensors;
  CheckpointData content;
  std::map<std::string, File> files;
};

} // namespace nxdt::runtime

#endif // NXDT_RUNTIME_CHECKPOINT_CHECKPOINTREADER_H
