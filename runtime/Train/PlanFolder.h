//===- PlanFolder.h - what nxdt-opt --emit=plan wrote -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_TRAIN_PLANFOLDER_H
#define NXDT_RUNTIME_TRAIN_PLANFOLDER_H

#include "nxdt/Config/RunConfig.h"
#include "nxdt/Plan/Plan.h"

#include <optional>
#include <string>
#include <vector>

namespace nxdt::runtime {

/// plan.json, and config.yaml with the overrides of this run applied.
struct PlanFolder {
  std::string planPath;
  std::string planText;    ///< the bytes of plan.json
  plan::PlanFamily family; ///< verified; of one without a pipeline
  RunConfig config;
  std::vector<std::string> notices; ///< of loading the configuration

  /// Of the first stage: its head is that of all.
  const plan::Plan &plan() const { return family.stages.at(0); }
};

/// Opens a folder. An override of a key that the compiler has built into the
/// plan (model, optimizer's constants, batch sizes, ...) is a UserError: it
/// would do nothing. So is a plan that does not fit its configuration.
///
/// `planText`: plan.json as rank 0 has read it; the file itself is not opened
/// then.
PlanFolder openPlanFolder(const std::string &dir,
                          const std::vector<std::string> &overrides,
                          const std::optional<std::string> &planText = {});

/// Dotted keys whose values differ between two resolved configurations (JSON),
/// among those that the runtime does not read itself.
std::vector<std::string> compiledKeysThatDiffer(const std::string &oldJson,
                                                const std::string &newJson);

} // namespace nxdt::runtime

#endif // NXDT_RUNTIME_TRAIN_PLANFOLDER_H
