//===- Compile.cpp - runs the nxdt-opt beside this program -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Compile.h"
#include "nxdt/Config/Load.h"
#include "nxdt/Support/Compiler.h"

#include <filesystem>

namespace nxdt::run {
namespace {

namespace fs = std::filesystem;

/// A value in Hydra's single quotes.
std::string hydraQuoted(const std::string &text) {
  std::string out = "'";
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\'')
      out += '\\';
    out += text[i];
  }
  return out + "'";
}

} // namespace

std::string compile(const Options &options) {
  LoadOptions load;
  load.path = options.config;
  load.overrides = options.overrides;
  load.forExecution = true;
  std::string logDir = loadRunConfig(load).run.expManager.logDir;
  std::string folder = (fs::path(logDir) / "plan").string();
  std::vector<std::string> arguments = {options.config};
  arguments.insert(arguments.end(), options.overrides.begin(),
                   options.overrides.end());
  // A log folder named by the time of day must be the same one for both.
  arguments.push_back("++exp_manager.explicit_log_dir=" + hydraQuoted(logDir));
  arguments.push_back("--emit=plan");
  arguments.push_back("-o");
  arguments.push_back(folder);
  runCompiler(arguments);
  return folder;
}

} // namespace nxdt::run
