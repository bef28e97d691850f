//===- IrMutants.cpp - ways to break a program ----------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "IrMutants.h"

#include "Nxdt/IR/Sharding.h"
#include "nxdt/Passes/Passes.h"
#include "nxdt/Registry/OpRegistry.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;
using namespace nxdt;

using Visit = llvm::function_ref<void(const IrChange &)>;

static std::string placeOf(Operation *op) {
  std::string text = op->getParentOfType<func::FuncOp>().getName().str() + " " +
                     (isa<AtenOp>(op) ? cast<AtenOp>(op).getCallee()
                                      : op->getName().getStringRef())
                         .str();
  if (auto name = dyn_cast<NameLoc>(op->getLoc()))
    text += " of " + name.getName().str();
  return text;
}

static bool isFloat(Value value) {
  return isa<FloatType>(typeOf(value).getElementType());
}

/// x -> x * factor, for all who read it.
static void scale(Value value, double factor) {
  OpBuilder builder(value.getContext());
  builder.setInsertionPointAfterValue(value);
  Builder &b = builder;
  auto scaled = AtenOp::create(
      builder, value.getLoc(), TypeRange(value.getType()),
      builder.getStringAttr("aten::mul.Scalar"), ValueRange(value),
      b.getArrayAttr(
          {OperandAttr::get(b.getContext()), b.getF64FloatAttr(factor)}),
      DenseI32ArrayAttr(), DenseI32ArrayAttr(), UnitAttr());
  value.replaceAllUsesExcept(scaled->getResult(0), scaled);
}

/// Exchanges of elements: reshards before lower-to-spmd, collectives behind it.
static bool isExchange(Operation *op) {
  return isa<ReshardOp, AllReduceOp, AllGatherOp, ReduceScatterOp, AllSliceOp>(
      op);
}

static void mutateExchange(Operation *op, ArrayRef<double> factors,
                           Visit visit) {
  auto add = [&](StringRef kind, std::function<void(Operation *)> change) {
    visit({kind.str(), placeOf(op),
           [op, change](IRMapping &mapping) { change(mapping.lookup(op)); }});
  };
  add("delete", [](Operation *o) {
    o->getResult(0).replaceAllUsesWith(o->getOperand(0));
    o->erase();
  });
  if (isFloat(op->getResult(0)))
    for (double factor : factors)
      add(factor > 1 ? "re-scale by the ranks" : "re-scale by 1 / ranks",
          [factor](Operation *o) { scale(o->getResult(0), factor); });
  auto reshard = dyn_cast<ReshardOp>(op);
  if (!reshard)
    return;
  // Another target: one axis less or for another.
  auto result = typeOf(reshard.getResult());
  ShardingAttr sharding = shardingOf(result);
  MeshAttr mesh = sharding.getMesh();
  auto retype = [&](StringRef kind, SmallVector<Axes> dims, Axes partial) {
    auto toAttr = [&](ArrayRef<AxisAttr> axes) {
      return ArrayAttr::get(op->getContext(),
                            SmallVector<Attribute>(axes.begin(), axes.end()));
    };
    SmallVector<ArrayAttr> lists = llvm::map_to_vector(
        dims, [&](const Axes &axes) { return toAttr(axes); });
    // An axis in two places is no type at all.
    if (failed(ShardingAttr::verify([&] { return op->emitError(); }, mesh,
                                    lists, toAttr(partial),
                                    sharding.getReduction())))
      return;
    auto other = ShardingAttr::get(op->getContext(), mesh, lists,
                                   toAttr(partial), sharding.getReduction());
    if (other == sharding)
      return;
    auto type = RankedTensorType::get(result.getShape(),
                                      result.getElementType(), other);
    add(kind, [type](Operation *o) { o->getResult(0).setType(type); });
  };
  SmallVector<Axes> dims;
  for (unsigned dim = 0; dim < sharding.getDims().size(); ++dim) {
    auto axes = sharding.axesOf(dim);
    dims.emplace_back(axes.begin(), axes.end());
  }
  auto partialAxes = sharding.partialAxes();
  Axes partial(partialAxes.begin(), partialAxes.end());
  for (unsigned dim = 0; dim < dims.size(); ++dim) {
    for (unsigned i = 0; i < dims[dim].size(); ++i) {
      SmallVector<Axes> fewer = dims;
      fewer[dim].erase(fewer[dim].begin() + i);
      retype("re-axes: one less", fewer, partial);
      for (StringAttr name : mesh.getNames()) {
        SmallVector<Axes> others = dims;
        others[dim][i] = wholeAxis(mesh, name);
        if (others[dim][i].getSize() > 1 && name != "pp")
          retype("re-axes: another", others, partial);
      }
      for (unsigned to = 0; to < dims.size(); ++to) {
        if (to == dim)
          continue;
        SmallVector<Axes> moved = fewer;
        moved[to].push_back(dims[dim][i]);
        retype("re-axes: another dimension", moved, partial);
      }
    }
  }
  // A sum that is not taken after all.
  auto from = shardingOf(reshard.getInput().getType()).partialAxes();
  if (!from.empty() && partial.empty())
    for (AxisAttr axis : from)
      retype("keep partial", dims, {axis});
}

/// Two neighbours of one type read each other's operands.
static void swapOperands(Operation *a, Operation *b, Visit visit) {
  if (a->getName() != b->getName() ||
      a->getResultTypes() != b->getResultTypes() ||
      a->getOperandTypes() != b->getOperandTypes() ||
      a->getOperand(0) == b->getOperand(0))
    return;
  auto rest = [](Operation *op) {
    NamedAttrList attrs(op->getAttrs());
    attrs.erase("reason");
    return attrs.getDictionary(op->getContext());
  };
  if (rest(a) != rest(b))
    return;
  // Both values must exist before the first of the two.
  Operation *made = b->getOperand(0).getDefiningOp();
  if (made && !made->isBeforeInBlock(a))
    return;
  visit({"swap operands", placeOf(a), [=](IRMapping &mapping) {
           Operation *x = mapping.lookup(a), *y = mapping.lookup(b);
           Value kept = x->getOperand(0);
           x->setOperand(0, y->getOperand(0));
           y->setOperand(0, kept);
         }});
}

/// A constant that is there already, times a number of ranks.
static void mutateConstant(AtenOp op, ArrayRef<double> factors, Visit visit) {
  static const llvm::StringMap<unsigned> places = {
      {"aten::mul.Scalar", 1}, {"aten::div.Scalar", 1}, {"aten::full", 1}};
  auto it = places.find(op.getCallee());
  if (it == places.end() || !isFloat(op->getResult(0)))
    return;
  std::optional<double> number =
      CallArgs(op.getArgs(), op.getInputs()).number(it->second);
  if (!number || *number == 0.0)
    return;
  Operation *original = op;
  for (double factor : factors)
    visit({factor > 1 ? "constant times the ranks" : "constant by the ranks",
           placeOf(op), [=, place = it->second](IRMapping &mapping) {
             auto changed = cast<AtenOp>(mapping.lookup(original));
             Builder b(changed.getContext());
             SmallVector<Attribute> args(changed.getArgs().begin(),
                                         changed.getArgs().end());
             args[place] = b.getF64FloatAttr(*number * factor);
             changed.setArgsAttr(b.getArrayAttr(args));
           }});
}

/// The operands and results around which scales are a bug of their own.
static void mutateReduction(Operation *op, ArrayRef<double> factors,
                            Visit visit) {
  auto scaled = [&](StringRef kind, unsigned operand) {
    for (double factor : factors)
      visit({kind.str(), placeOf(op), [=](IRMapping &mapping) {
               Operation *o = mapping.lookup(op);
               Value value = o->getOperand(operand);
               OpBuilder builder(o);
               Builder &b = builder;
               auto made = AtenOp::create(
                   builder, o->getLoc(), TypeRange(value.getType()),
                   builder.getStringAttr("aten::mul.Scalar"), ValueRange(value),
                   b.getArrayAttr({OperandAttr::get(b.getContext()),
                                   b.getF64FloatAttr(factor)}),
                   DenseI32ArrayAttr(), DenseI32ArrayAttr(), UnitAttr());
               o->setOperand(operand, made->getResult(0));
             }});
  };
  if (isa<AccumulateOp>(op) && isFloat(op->getOperand(1))) {
    scaled("scale a micro-batch's part", 1);
    scaled("scale the accumulator", 0);
  }
  if (isa<AdamWOp>(op)) {
    scaled("scale the optimizer's gradient", 1);
    scaled("scale grad_scale", 6);
  }
  if (isa<ClipScaleOp>(op))
    scaled("scale the norm", 0);
  if (isa<SquareSumOp, GlobalNormOp>(op)) {
    scaled("scale a tensor of the norm", 0);
    visit({"count a tensor of the norm twice", placeOf(op),
           [op](IRMapping &mapping) {
             Operation *o = mapping.lookup(op);
             o->insertOperands(0, o->getOperand(0));
           }});
    if (op->getNumOperands() > 1)
      visit(
          {"leave a tensor out of the norm", placeOf(op),
           [op](IRMapping &mapping) { mapping.lookup(op)->eraseOperand(0); }});
  }
}

void nxdt::forEachMutant(ModuleOp module, Visit visit) {
  auto mesh = module->getAttrOfType<MeshAttr>(kMeshAttr);
  SmallVector<double> factors;
  for (StringRef axis : {"tp", "dp", "pp"})
    if (int64_t size = mesh ? mesh.sizeOf(axis) : 1; size > 1) {
      double factor = axis == "dp" ? 1.0 / size : size;
      if (!llvm::is_contained(factors, factor))
        factors.push_back(factor);
    }
  for (auto func : module.getOps<func::FuncOp>()) {
    Operation *last = nullptr;
    for (Operation &op : func.front().without_terminator()) {
      if (isExchange(&op)) {
        mutateExchange(&op, factors, visit);
        if (last)
          swapOperands(last, &op, visit);
        last = &op;
      }
      if (auto aten = dyn_cast<AtenOp>(op))
        mutateConstant(aten, factors, visit);
      mutateReduction(&op, factors, visit);
    }
  }
}
