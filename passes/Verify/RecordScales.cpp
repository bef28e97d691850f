//===- RecordScales.cpp - which factors the model brings along ------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Scales.h"

namespace nxdt {
#define GEN_PASS_DEF_RECORDSCALES
#include "nxdt/Passes/Passes.h.inc"
} // namespace nxdt

using namespace mlir;
using namespace nxdt;

namespace {
struct RecordScalesPass : nxdt::impl::RecordScalesBase<RecordScalesPass> {
  void runOnOperation() override;
};
} // namespace

void RecordScalesPass::runOnOperation() {
  ModuleOp module = getOperation();
  if (module->hasAttr(kScalesAttr)) {
    module.emitError("the factors are recorded already, in '")
        << kScalesAttr << "'; a second record would hide what came since";
    return signalPassFailure();
  }
  Builder builder(&getContext());
  NamedAttrList programs;
  for (auto func : module.getOps<func::FuncOp>()) {
    NamedAttrList counts;
    for (auto &[scale, ops] : scalesOf(func, /*again=*/true))
      counts.set(scale, builder.getI64IntegerAttr(ops.size()));
    programs.set(func.getName(), counts.getDictionary(&getContext()));
  }
  module->setAttr(kScalesAttr, programs.getDictionary(&getContext()));
}
