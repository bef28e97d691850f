//===- Load.h - from a YAML file to a typed configuration ----- -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_CONFIG_LOAD_H
#define NXDT_CONFIG_LOAD_H

#include "nxdt/Config/RunConfig.h"

namespace nxdt {

struct LoadOptions {
  /// The YAML file.
  std::string path;
  /// Hydra overrides in order: "a.b=v", "+a.b=v", "++a.b=v", "~a.b".
  std::vector<std::string> overrides;
  /// Refuse what this version cannot run (see LoadedConfig::unsupported).
  /// Without it such files load too, so that they can be reported on.
  bool forExecution = false;
};

struct LoadedConfig {
  RunConfig run;
  /// One line for each key of the file that is ignored, with the reason, and
  /// for each whose meaning may surprise those who know NxD Training.
  std::vector<std::string> notices;
  /// One message for each thing that is switched on and not supported yet:
  /// "file:line:col: key = value: not supported yet: ... (now: legal values)".
  std::vector<std::string> unsupported;
};

/// Reads, checks and types a configuration. Neither data nor weights need to
/// exist; config.json does, unless model.plugin is given. Throws UserError with
/// all errors that were found, each on its own line.
LoadedConfig loadRunConfig(const LoadOptions &options);

/// Throws UserError with all of `config.unsupported`, if there is any.
void checkSupported(const LoadedConfig &config);

/// All keys of a section with type, default, legal values and status; of all
/// sections if empty. Throws UserError naming the nearest section.
std::string helpConfig(const std::string &section);

/// One line for each key of the file: key = value: what becomes of it and why.
/// Needs nothing but the file. Throws UserError if it cannot be read.
std::string explainConfig(const LoadOptions &options);

} // namespace nxdt

#endif // NXDT_CONFIG_LOAD_H
