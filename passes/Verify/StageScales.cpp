//===- StageScales.cpp - the factors of stages' programs ------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Scales.h"

#include "llvm/ADT/StringMap.h"

using namespace mlir;
using namespace nxdt;

/// The program that one of a stage is a part of; empty for exchanges between
/// stages.
static StringRef wholeOf(StringRef name) {
  StringRef first = name.split('.').first;
  if (first == "forward" || first == "backward")
    return "train_step";
  if (first == "eval")
    return "eval_step";
  return name.contains("_shared_") ? StringRef() : first;
}

LogicalResult nxdt::recordStageScales(ModuleOp module) {
  auto before = module->getAttrOfType<DictionaryAttr>(kScalesAttr);
  if (!before)
    return success();
  Builder builder(module.getContext());
  NamedAttrList programs;
  llvm::StringMap<std::map<std::string, int64_t>> parts;
  for (auto func : module.getOps<func::FuncOp>()) {
    NamedAttrList counts;
    for (auto &[scale, ops] : scalesOf(func, /*again=*/false)) {
      counts.set(scale, builder.getI64IntegerAttr(ops.size()));
      parts[wholeOf(func.getName())][scale] += ops.size();
    }
    programs.set(func.getName(), counts.getDictionary(module.getContext()));
  }
  for (NamedAttribute program : before) {
    auto counts = cast<DictionaryAttr>(program.getValue());
    StringRef name = program.getName();
    auto &found = parts[name];
    for (NamedAttribute scale : counts)
      if (found[scale.getName().str()] <
          cast<IntegerAttr>(scale.getValue()).getInt())
        return module.emitError("the stages' parts of program '")
               << name << "' have lost a '" << scale.getName().getValue()
               << "'";
    for (auto &[scale, count] : found)
      if (!counts.get(scale))
        return module.emitError("the stages' parts of program '")
               << name << "' have a '" << scale
               << "', which the step as it was built has not";
  }
  module->setAttr(kScalesAttr, programs.getDictionary(module.getContext()));
  return success();
}
