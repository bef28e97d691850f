//===- StrategyAttributes.h - the strategy, for the passes ------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_TOOLS_NXDTOPT_STRATEGYATTRIBUTES_H
#define NXDT_TOOLS_NXDTOPT_STRATEGYATTRIBUTES_H

#include "nxdt/Config/RunConfig.h"

#include "mlir/IR/BuiltinOps.h"

namespace nxdt {

/// Sets `nxdt.mesh`, `nxdt.strategy`, `nxdt.sharding_rules` and
/// `nxdt.recompute`. The rules are
/// those of `distributed_strategy.sharding_rules`, else, for a model of the
/// hub, the roles of its parameters.
void annotateStrategy(mlir::ModuleOp module, const RunConfig &config);

} // namespace nxdt

#endif // NXDT_TOOLS_NXDTOPT_STRATEGYATTRIBUTES_H
