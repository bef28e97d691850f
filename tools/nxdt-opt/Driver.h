//===- Driver.h - nxdt-opt on a YAML file -----------------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_TOOLS_NXDT_OPT_DRIVER_H
#define NXDT_TOOLS_NXDT_OPT_DRIVER_H

#include <string>
#include <vector>

namespace nxdt {

/// What `nxdt-opt CONFIG ...` was asked for.
struct DriverOptions {
  std::string config;
  std::vector<std::string> overrides;
  std::string emit; ///< empty = the one-screen summary
  std::string output;
  std::string dumpPhases;
  bool explainConfig = false;
  std::string report;  ///< "text", "json"; empty = none
  std::string explain; ///< a parameter, buffer or module
  std::string diff;    ///< the other configuration
  std::string trace;   ///< file of the predicted timeline
  std::string cluster; ///< what it runs on: a file
  bool markOrigins = false;
  bool overlapCollectives = true;
};

/// True if the command line names a YAML file: everything else is for MLIR's
/// opt driver.
bool isConfigCommand(int argc, char **argv);

/// Runs; returns the exit code.
int runDriver(int argc, char **argv);

/// The usage of the YAML form.
const char *driverUsage();

} // namespace nxdt

#endif // NXDT_TOOLS_NXDT_OPT_DRIVER_H
