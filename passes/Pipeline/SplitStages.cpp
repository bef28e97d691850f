//===- SplitStages.cpp - programs of a pipeline's stages ------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "../Verify/Scales.h"
#include "StagePrograms.h"

namespace nxdt {
#define GEN_PASS_DEF_SPLITSTAGES
#include "nxdt/Passes/Passes.h.inc"
} // namespace nxdt

using namespace mlir;
using namespace nxdt;

namespace {
struct SplitStagesPass : nxdt::impl::SplitStagesBase<SplitStagesPass> {
  void runOnOperation() override {
    if (failed(run()))
      signalPassFailure();
  }

private:
  LogicalResult run();
};
} // namespace

LogicalResult SplitStagesPass::run() {
  ModuleOp module = getOperation();
  FailureOr<PipelineSettings> settings = readPipeline(module);
  if (failed(settings))
    return failure();
  if (settings->stages == 1)
    return success();
  SymbolTable symbols(module);
  auto train = symbols.lookup<func::FuncOp>("train_step");
  auto eval = symbols.lookup<func::FuncOp>("eval_step");
  if (!train)
    return module.emitError("split-stages needs @train_step");
  Layers layers(module);
  if (layers.size() == 0)
    return module.emitError("the model has no list of layers that stages could "
                            "share: parameters named like layers.0.weight [")
           << settings->origin << "]";

  StageGraph trainGraph(train, symbols, layers, settings->chunks());
  if (failed(trainGraph.findPhases()))
    return failure();
  FailureOr<SmallVector<int64_t>> chunkOfLayer =
      cutLayers(module, *settings, layers, trainGraph.layerCosts());
  if (failed(chunkOfLayer) || failed(trainGraph.assign(*chunkOfLayer)))
    return failure();
  Holders holders;
  holders.add(trainGraph.paramUsers(), *settings);
  std::optional<StageGraph> evalGraph;
  if (eval) {
    evalGraph.emplace(eval, symbols, layers, settings->chunks());
    if (failed(evalGraph->findPhases()) ||
        failed(evalGraph->assign(*chunkOfLayer)))
      return failure();
    holders.add(evalGraph->paramUsers(), *settings);
  }

  SmallVector<func::FuncOp> oncePerStep;
  for (auto func : module.getOps<func::FuncOp>())
    if (func != train && func != eval)
      oncePerStep.push_back(func);
  splitProgram(train, symbols, trainGraph, *settings, /*hasBackward=*/true);
  if (eval)
    splitProgram(eval, symbols, *evalGraph, *settings, /*hasBackward=*/false);
  for (func::FuncOp func : oncePerStep)
    splitOncePerStep(func, symbols, *settings, holders);
  linkShared(module, symbols, *settings, holders);
  SmallVector<Attribute> names;
  Builder b(module.getContext());
  for (auto [index, chunk] : llvm::enumerate(*chunkOfLayer))
    names.push_back(b.getDictionaryAttr(
        {b.getNamedAttr("layer", b.getStringAttr(layers.nameOf(index))),
         b.getNamedAttr("chunk", b.getI64IntegerAttr(chunk))}));
  module->setAttr(kChunksAttr, b.getArrayAttr(names));
  return recordStageScales(module);
}
