//===- Summary.h - one screen on a configuration ----------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_TOOLS_NXDT_OPT_SUMMARY_H
#define NXDT_TOOLS_NXDT_OPT_SUMMARY_H

#include "nxdt/Config/RunConfig.h"
#include "nxdt/Plan/Plan.h"

namespace nxdt {

/// Model, parameters, mesh, tokens per step, predicted bytes by category, what
/// is ignored; `unsupported` is what nxdt-run would refuse.
std::string summarize(const RunConfig &run, const plan::PlanFamily &family,
                      const std::vector<std::string> &notices,
                      const std::vector<std::string> &unsupported);

} // namespace nxdt

#endif // NXDT_TOOLS_NXDT_OPT_SUMMARY_H
