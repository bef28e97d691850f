//===- Explain.h - why a tensor lies as it does -----------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_ANALYSIS_EXPLAIN_H
#define NXDT_ANALYSIS_EXPLAIN_H

#include "nxdt/Config/RunConfig.h"
#include "nxdt/Plan/Plan.h"

#include "mlir/IR/BuiltinOps.h"

#include <string>

namespace nxdt {

/// `name`: a buffer or another name of a parameter (tied), a module path, or
/// the location of an operator ("model.layers.0.mlp.up_proj^" is the backward).
/// Says how its tensors lie on the mesh and why, and which collectives belong
/// to it. UserError for a name that nothing has, with the nearest ones.
std::string explain(const std::string &name, const RunConfig &run,
                    const plan::Plan &plan, mlir::ModuleOp module);

} // namespace nxdt

#endif // NXDT_ANALYSIS_EXPLAIN_H
