//===- Strategy.cpp - what the passes know of the strategy ----------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Strategy.h"

using namespace mlir;
using namespace nxdt;

AxisAttr Strategy::axis(StringRef name) const {
  AxisAttr axis = wholeAxis(mesh, name);
  return axis && axis.getSize() > 1 ? axis : AxisAttr();
}

std::string Strategy::origin(StringRef name) const {
  auto text = origins ? origins.getAs<StringAttr>(name) : StringAttr();
  return text ? text.str() : name.str();
}

ShardingAttr Strategy::stateSharding(ShardingAttr param) const {
  if (!zero1 || param.getDims().empty())
    return param;
  SmallVector<Axes> dims;
  for (unsigned dim = 0; dim < param.getDims().size(); ++dim) {
    SmallVector<AxisAttr> axes = param.axesOf(dim);
    dims.emplace_back(axes.begin(), axes.end());
  }
  for (StringRef name : {"dp", "cp"})
    if (AxisAttr extra = axis(name))
      appendAxis(dims[0], extra);
  return makeSharding(mesh, dims);
}

FailureOr<Strategy> nxdt::readStrategy(ModuleOp module) {
  Strategy strategy;
  strategy.mesh = module->getAttrOfType<MeshAttr>(kMeshAttr);
  if (!strategy.mesh)
    return module.emitError("needs the module attribute '") << kMeshAttr << "'";
  auto dict = module->getAttrOfType<DictionaryAttr>(kStrategyAttr);
  auto flag = [&](StringRef name) {
    auto attr = dict ? dict.getAs<BoolAttr>(name) : BoolAttr();
    return attr && attr.getValue();
  };
  strategy.zero1 = flag("zero1");
  strategy.sequenceParallel = flag("sequence_parallel");
  if (dict)
    strategy.origins = dict.getAs<DictionaryAttr>("origins");
  return strategy;
}
