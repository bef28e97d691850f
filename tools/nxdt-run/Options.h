//===- Options.h - nxdt-run's command line -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_TOOLS_NXDT_RUN_OPTIONS_H
#define NXDT_TOOLS_NXDT_RUN_OPTIONS_H

#include <cstdint>
#include <string>
#include <vector>

namespace nxdt::run {

struct Options {
  enum class Action {
    Train,
    Simulate,
    Calibrate,
    Help,
    HelpConfig
  } action = Action::Train;
  std::string config;        ///< CONFIG, or empty
  std::string planFolder;    ///< --plan, or empty
  std::string configSection; ///< of --help-config, or empty
  std::vector<std::string> overrides;
  // Of Action::Train.
  std::string trace; ///< --trace, or empty
  int64_t traceStep = 3;
  bool traceStepGiven = false;
  std::string calibration; ///< of Action::Calibrate: the file to write
  // Of Action::Simulate.
  int64_t steps = 2;
  bool stepsGiven = false;
  bool simulateOps = false;
  bool simulateAfterEachPass = false;
};

/// UserError for what cannot be understood.
Options parseOptions(const std::vector<std::string> &arguments);

const char *usage();

} // namespace nxdt::run

#endif // NXDT_TOOLS_NXDT_RUN_OPTIONS_H
