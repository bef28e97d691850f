//===- DatasetFolder.h - what save_to_disk leaves in a folder ---*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_DATA_DATASETFOLDER_H
#define NXDT_RUNTIME_DATA_DATASETFOLDER_H

#include <string>
#include <vector>

namespace nxdt::runtime {

/// The files of a dataset, whole paths, in the order of the samples.
struct DatasetFolder {
  std::vector<std::string> dataFiles;
  /// Arrow files with the column `indices`: sample -> row. Usually empty.
  std::vector<std::string> indicesFiles;
};

/// Reads state.json. UserErrors start with `what` (the key that named the
/// folder) and the path.
DatasetFolder readDatasetFolder(const std::string &path,
                                const std::string &what);

} // namespace nxdt::runtime

#endif // NXDT_RUNTIME_DATA_DATASETFOLDER_H
