//===- Decompose.cpp - ops written out for how operands are split ---------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Partitioner.h"

#include "nxdt/Passes/Origins.h"
#include "nxdt/Registry/OpRegistry.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace nxdt;

static bool lastDimIsSplit(Value value) {
  ShardingAttr sharding = shardingOf(value.getType());
  unsigned rank = typeOf(value).getRank();
  return sharding && rank > 0 && !sharding.axesOf(rank - 1).empty();
}

static MeshAttr meshOf(Value value) {
  return shardingOf(value.getType()).getMesh();
}

/// [...] -> [..., 1].
static Value column(AtenBuilder &aten, Value value) {
  return aten.call("aten::unsqueeze", {value, -1});
}

/// Where the class is the target: bools like `scores` [..., V].
static Value hits(AtenBuilder &aten, Value targets, Value scores) {
  Type i64 = IntegerType::get(targets.getContext(), 64);
  int64_t classes = typeOf(scores).getShape().back();
  Value iota =
      aten.call("aten::arange",
                {classes, i64, kNone,
                 Arg(Attribute(DeviceAttr::get(targets.getContext()))), kNone});
  // Each rank compares with its own classes.
  ShardingAttr sharding = shardingOf(scores.getType());
  auto axes = sharding.axesOf(typeOf(scores).getRank() - 1);
  auto part = RankedTensorType::get(
      {classes}, i64,
      makeSharding(sharding.getMesh(), {Axes(axes.begin(), axes.end())}));
  iota = ReshardOp::create(aten.builder, aten.loc, part, iota,
                           "classes of this rank");
  return aten.call("aten::eq.Tensor", {column(aten, targets), iota});
}

using Replacement = SmallVector<Value>;

/// Every sum or maximum over the classes is one over ranks; the loss itself
/// stays a partial sum until the end of the step.
static Replacement writeOut(AtenBuilder &aten, CrossEntropyOp op) {
  Value x = op.getLogits();
  SmallVector<int64_t> last = {-1};
  Value highest = aten.call("aten::amax", {x, last, true});
  Value shifted = aten.sub(x, highest);
  Value sums =
      aten.call("aten::sum.dim_IntList",
                {aten.call("aten::exp", {shifted}), last, true, kNone});
  Value logProbs = aten.sub(shifted, aten.call("aten::log", {sums}));
  Value hit = hits(aten, op.getTargets(), x);
  // An ignored target is no class and hits nothing.
  auto scalar = RankedTensorType::get({}, typeOf(x).getElementType());
  Value picked =
      aten.call("aten::where.self", {hit, logProbs, aten.zeros(scalar)});
  Value loss = aten.neg(aten.call("aten::sum", {picked, kNone}));
  Value counted =
      aten.call("aten::ne.Scalar",
                {op.getTargets(), static_cast<int64_t>(op.getIgnoreIndex())});
  return {loss, aten.call("aten::sum", {counted, kNone}), logProbs};
}

static Replacement writeOut(AtenBuilder &aten, CrossEntropyBackwardOp op) {
  Value logProbs = op.getLogProbs();
  Type element = typeOf(logProbs).getElementType();
  Value hit = hits(aten, op.getTargets(), logProbs);
  Value slope =
      aten.sub(aten.call("aten::exp", {logProbs}), aten.cast(hit, element));
  Value counted =
      aten.call("aten::ne.Scalar",
                {op.getTargets(), static_cast<int64_t>(op.getIgnoreIndex())});
  Value weight = aten.mul(aten.cast(counted, element), op.getDloss());
  return {aten.mul(slope, column(aten, weight))};
}

/// The bias is added once, after the sum.
static Replacement writeOutLinear(AtenBuilder &aten, AtenOp op) {
  Value product =
      aten.call("aten::linear", {op.getInputs()[0], op.getInputs()[1], kNone});
  return {aten.add(product, op.getInputs()[2])};
}

/// Tensors that are split over the same axes add up together.
static Replacement writeOut(AtenBuilder &aten, GlobalNormOp op) {
  auto scalar =
      RankedTensorType::get({}, typeOf(op.getNorm()).getElementType());
  llvm::MapVector<Attribute, SmallVector<Value>> groups;
  for (Value tensor : op.getTensors())
    groups[splitAxes(shardingOf(tensor.getType()))].push_back(tensor);
  Value total;
  for (auto &[axes, tensors] : groups) {
    Value sum = SquareSumOp::create(aten.builder, aten.loc, scalar, tensors);
    total = total ? aten.add(total, sum) : sum;
  }
  return {aten.call("aten::sqrt", {total})};
}

bool nxdt::decomposeForSplit(Operation *op, Operation *&first) {
  Operation *before = op->getPrevNode();
  OpBuilder builder(op);
  AtenBuilder aten(builder, op->getLoc());
  auto written =
      TypeSwitch<Operation *, std::optional<Replacement>>(op)
          .Case<CrossEntropyOp>([&](auto o) -> std::optional<Replacement> {
            if (!lastDimIsSplit(o.getLogits()))
              return std::nullopt;
            return writeOut(aten, o);
          })
          .Case<CrossEntropyBackwardOp>(
              [&](auto o) -> std::optional<Replacement> {
                if (!lastDimIsSplit(o.getLogProbs()))
                  return std::nullopt;
                return writeOut(aten, o);
              })
          .Case<GlobalNormOp>([&](auto o) -> std::optional<Replacement> {
            // Stages have different tensors.
            AxisAttr pp = wholeAxis(meshOf(o.getTensors()[0]), "pp");
            bool isStaged = pp && pp.getSize() > 1;
            if (!isStaged && llvm::all_of(o.getTensors(), [](Value tensor) {
                  return splitAxes(shardingOf(tensor.getType())).empty();
                }))
              return std::nullopt;
            return writeOut(aten, o);
          })
          .Case<AtenOp>([&](AtenOp o) -> std::optional<Replacement> {
            if (o.getCallee() != "aten::linear" || o.getInputs().size() != 3 ||
                (!lastDimIsSplit(o.getInputs()[0]) &&
                 !lastDimIsSplit(o.getInputs()[1])))
              return std::nullopt;
            return writeOutLinear(aten, o);
          })
          .Default([](Operation *) { return std::nullopt; });
  if (!written)
    return false;
  passOrigins(op, *written);
  op->replaceAllUsesWith(*written);
  op->erase();
  first = before ? before->getNextNode() : &builder.getBlock()->front();
  return true;
}
