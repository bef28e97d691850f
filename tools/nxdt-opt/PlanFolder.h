//===- PlanFolder.h - what nxdt-run --plan takes ----------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_TOOLS_NXDT_OPT_PLANFOLDER_H
#define NXDT_TOOLS_NXDT_OPT_PLANFOLDER_H

#include "nxdt/Config/RunConfig.h"
#include "nxdt/Plan/Plan.h"

namespace nxdt {

/// Writes plan.json, config.yaml (resolved, paths absolute) and
/// model_config.json to `folder`, which is made if need be.
void writePlanFolder(const RunConfig &run, const plan::PlanFamily &family,
                     const std::string &folder);

/// Writes a file and the folders above it; stdout for "" and "-".
void writeText(const std::string &path, const std::string &text);

} // namespace nxdt

#endif // NXDT_TOOLS_NXDT_OPT_PLANFOLDER_H
