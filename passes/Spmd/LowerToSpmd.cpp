//===- LowerToSpmd.cpp - one program for all ranks ------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "../Shard/FactorSplit.h"
#include "LocalProgram.h"
#include "nxdt/Passes/Origins.h"
#include "nxdt/Registry/ShardingRules.h"

#include "mlir/IR/IRMapping.h"

namespace nxdt {
#define GEN_PASS_DEF_LOWERTOSPMD
#include "nxdt/Passes/Passes.h.inc"
} // namespace nxdt

using namespace mlir;
using namespace nxdt;

namespace {
/// Rewrites one program with local shapes.
class Localizer {
public:
  Localizer(func::FuncOp func, SymbolTable &symbols)
      : func(func), program(func, new Block, symbols) {}

  LogicalResult run();

private:
  LogicalResult lower(Operation *op);
  LogicalResult lowerReturn(Operation *op);
  FailureOr<FactorSplit> splitOf(Operation *op, const ShardingRule &rule);
  Value neutralPadding(OpOperand &operand, const ShardingRule &rule,
                       const FactorSplit &split, Value local);
  void ignorePaddedTargets(Operation *op, SmallVectorImpl<Value> &operands);
  FailureOr<Value> shiftIndices(Operation *op, const ShardingRule &rule,
                                const FactorSplit &split,
                                SmallVectorImpl<Value> &operands);
  SmallVector<unsigned> paddedDims(Value value);
  void keepOrigins(Operation *op);

  func::FuncOp func;
  LocalProgram program;
  IRMapping mapping;
  /// Values whose padding is known to be zero.
  DenseSet<Value> zeroPadded;
  /// Names of values where they are kept (Origins.h).
  DenseMap<Value, StringAttr> origins;
};
} // namespace

SmallVector<unsigned> Localizer::paddedDims(Value value) {
  SmallVector<unsigned> dims;
  ShardingAttr sharding = shardingOf(value.getType());
  for (auto [dim, size] : llvm::enumerate(typeOf(value).getShape()))
    if (sharding.isPadded(dim, size))
      dims.push_back(dim);
  return dims;
}

/// How the op splits its factors; an error if its operands do not agree.
FailureOr<FactorSplit> Localizer::splitOf(Operation *op,
                                          const ShardingRule &rule) {
  FactorSplit split(rule);
  for (auto [i, operand] : llvm::enumerate(op->getOperands())) {
    ShardingAttr sharding = shardingOf(operand.getType());
    if (!sharding)
      return op->emitOpError("operand ") << i << " has no sharding";
    for (unsigned dim = 0; dim < sharding.getDims().size(); ++dim)
      if (!split.merge(rule.operands[i][dim], sharding.axesOf(dim)))
        return op->emitOpError("cannot work with operand ")
               << i << " as it is split: " << operand.getType();
  }
  for (auto [i, result] : llvm::enumerate(op->getResults())) {
    ShardingAttr sharding = shardingOf(result.getType());
    if (!sharding)
      return op->emitOpError("result ") << i << " has no sharding";
    for (unsigned dim = 0; dim < sharding.getDims().size(); ++dim)
      if (!split.merge(rule.results[i][dim], sharding.axesOf(dim)))
        return op->emitOpError("cannot give result ")
               << i << " as it is split: " << result.getType();
  }
  return split;
}

/// What a reduction reads from padding must not count.
Value Localizer::neutralPadding(OpOperand &operand, const ShardingRule &rule,
                                const FactorSplit &split, Value local) {
  Value value = operand.get();
  bool isMax = rule.reduction == Reduction::Max;
  if (zeroPadded.contains(value) && !isMax)
    return local;
  SmallVector<unsigned> dims;
  for (unsigned dim : paddedDims(value))
    for (unsigned factor : rule.operands[operand.getOperandNumber()][dim])
      if (rule.factors[factor].kind == FactorKind::Reduce)
        dims.push_back(dim);
  return program.mask(local, typeOf(value).getShape(),
                      shardingOf(value.getType()), dims,
                      isMax ? -std::numeric_limits<double>::infinity() : 0.0);
}

/// Zero is a target like others: tokens of padding must not be learnt.
void Localizer::ignorePaddedTargets(Operation *op,
                                    SmallVectorImpl<Value> &operands) {
  Value targets;
  int64_t ignored = 0;
  if (auto loss = dyn_cast<CrossEntropyOp>(op)) {
    targets = loss.getTargets();
    ignored = loss.getIgnoreIndex();
  } else if (auto gradient = dyn_cast<CrossEntropyBackwardOp>(op)) {
    targets = gradient.getTargets();
    ignored = gradient.getIgnoreIndex();
  } else {
    return;
  }
  for (auto [i, operand] : llvm::enumerate(op->getOperands()))
    if (operand == targets)
      operands[i] = program.mask(operands[i], typeOf(targets).getShape(),
                                 shardingOf(targets.getType()),
                                 paddedDims(targets), ignored);
}

/// Indices into a split dimension become indices into this rank's part; what
/// lies elsewhere is looked up at 0 and counts as zero. Returns where.
FailureOr<Value> Localizer::shiftIndices(Operation *op,
                                         const ShardingRule &rule,
                                         const FactorSplit &split,
                                         SmallVectorImpl<Value> &operands) {
  ArrayRef<AxisAttr> axes = split.of(rule.indexedFactor);
  int64_t size = rule.factors[rule.indexedFactor].size;
  MeshAttr mesh =
      shardingOf(op->getOperand(rule.indexOperand).getType()).getMesh();
  AtenBuilder aten = program.aten();
  Value &indices = operands[rule.indexOperand];
  Value shifted = aten.sub(indices, program.start(size, axes, mesh));
  Value outside = aten.call(
      "aten::logical_or",
      {aten.call("aten::lt.Scalar", {shifted, 0}),
       aten.call("aten::ge.Scalar", {shifted, partSize(size, axes)})});
  indices = aten.call("aten::masked_fill.Scalar", {shifted, outside, 0});
  return aten.call("aten::unsqueeze", {outside, -1});
}

LogicalResult Localizer::lower(Operation *op) {
  program.loc = op->getLoc();
  if (auto reshard = dyn_cast<ReshardOp>(op)) {
    Value from = reshard.getInput(), to = reshard.getResult();
    Value local =
        lowerReshard(program, mapping.lookup(from), typeOf(from).getShape(),
                     shardingOf(from.getType()), shardingOf(to.getType()),
                     reshard.getReason());
    mapping.map(to, local);
    if (zeroPadded.contains(from) || paddedDims(from).empty())
      zeroPadded.insert(to);
    return success();
  }
  if (auto term = dyn_cast<StageTermOp>(op)) {
    // The program is that of the stage which has it.
    mapping.map(term.getResult(), mapping.lookup(term.getInput()));
    zeroPadded.insert(term.getResult());
    return success();
  }
  SmallVector<Value> operands;
  for (Value operand : op->getOperands())
    operands.push_back(mapping.lookup(operand));
  SmallVector<RankedTensorType> results;
  for (Type type : op->getResultTypes())
    results.push_back(localType(cast<RankedTensorType>(type)));
  OperationState state(op->getLoc(), op->getName());
  state.attributes = op->getAttrs();
  // Names go to the values that are whole: masks may follow.
  state.attributes.erase(kOriginAttr);
  if (!isa<SquareSumOp>(op)) {
    ShardingRule rule = shardingRuleOf(op);
    FailureOr<FactorSplit> split = splitOf(op, rule);
    if (failed(split))
      return failure();
    for (auto [i, operand] : llvm::enumerate(op->getOpOperands()))
      operands[i] = neutralPadding(operand, rule, *split, operands[i]);
    ignorePaddedTargets(op, operands);
    Value outside;
    if (rule.indexedFactor >= 0 && !split->of(rule.indexedFactor).empty()) {
      FailureOr<Value> shifted = shiftIndices(op, rule, *split, operands);
      if (failed(shifted))
        return failure();
      outside = *shifted;
      // A gradient of what lies elsewhere is another rank's.
      if (rule.factors[rule.indexedFactor].kind == FactorKind::Map)
        operands[0] = program.aten().call("aten::masked_fill.Scalar",
                                          {operands[0], outside, 0.0});
    }
    if (auto aten = dyn_cast<AtenOp>(op)) {
      ArrayAttr args = localArguments(aten, results);
      if (failed(verifyLocal(aten, llvm::map_to_vector(operands, typeOf),
                             results, args)))
        return aten.emitOpError("'")
               << aten.getCallee() << "' does not give its local result "
               << results[0] << " from its local operands";
      state.attributes.set("args", args);
    }
    state.addOperands(operands);
    state.addTypes(SmallVector<Type>(results.begin(), results.end()));
    Operation *local = program.builder.create(state);
    for (auto [old, now] : llvm::zip(op->getResults(), local->getResults()))
      mapping.map(old, now);
    if (outside && rule.factors[rule.indexedFactor].kind == FactorKind::Reduce)
      mapping.map(op->getResult(0),
                  program.aten().call("aten::masked_fill.Scalar",
                                      {local->getResult(0), outside, 0.0}));
    return success();
  }
  for (auto [i, operand] : llvm::enumerate(op->getOperands()))
    if (!zeroPadded.contains(operand))
      operands[i] =
          program.mask(operands[i], typeOf(operand).getShape(),
                       shardingOf(operand.getType()), paddedDims(operand), 0.0);
  state.addOperands(operands);
  state.addTypes(SmallVector<Type>(results.begin(), results.end()));
  mapping.map(op->getResult(0), program.builder.create(state)->getResult(0));
  return success();
}

/// What stands for a value has its name, and says how it lies.
void Localizer::keepOrigins(Operation *op) {
  if (!func->hasAttr(kOriginAttr))
    return;
  auto reshard = dyn_cast<ReshardOp>(op);
  for (Value result : op->getResults()) {
    StringAttr origin =
        reshard ? origins.lookup(reshard.getInput()) : originOf(result);
    if (!origin)
      continue;
    origins[result] = origin;
    setOrigin(mapping.lookup(result), origin, result.getType());
  }
}

/// Padding in buffers is zero.
LogicalResult Localizer::lowerReturn(Operation *op) {
  SmallVector<Value> values;
  for (Value operand : op->getOperands()) {
    Value local = mapping.lookup(operand);
    if (!zeroPadded.contains(operand))
      local =
          program.mask(local, typeOf(operand).getShape(),
                       shardingOf(operand.getType()), paddedDims(operand), 0.0);
    values.push_back(local);
  }
  func::ReturnOp::create(program.builder, op->getLoc(), values);
  return success();
}

LogicalResult Localizer::run() {
  Block *body = program.builder.getInsertionBlock();
  Block &old = func.front();
  for (BlockArgument argument : old.getArguments()) {
    mapping.map(argument, body->addArgument(localType(typeOf(argument)),
                                            argument.getLoc()));
    zeroPadded.insert(argument);
    auto buffer = func.getArgAttrOfType<FlatSymbolRefAttr>(
        argument.getArgNumber(), kBufferAttr);
    auto program = func->getAttrOfType<StringAttr>(kOriginAttr);
    if (!program || !buffer)
      continue;
    if (StringAttr carried = originOf(argument)) {
      origins[argument] = carried;
      func.setArgAttr(argument.getArgNumber(), kWholeTypeAttr,
                      TypeAttr::get(argument.getType()));
      continue;
    }
    origins[argument] = StringAttr::get(
        func.getContext(), program.getValue() + "@" + buffer.getValue());
  }
  LogicalResult status = success();
  for (Operation &op : old) {
    status = isa<func::ReturnOp>(op) ? lowerReturn(&op) : lower(&op);
    if (failed(status))
      break;
    keepOrigins(&op);
  }
  func.getBody().push_back(body);
  if (failed(status))
    return failure();
  old.erase();
  Builder builder(func.getContext());
  SmallVector<Attribute> attrs;
  if (ArrayAttr known = func.getArgAttrsAttr())
    llvm::append_range(attrs, known);
  for (StringAttr buffer : program.extraArguments)
    attrs.push_back(builder.getDictionaryAttr(
        builder.getNamedAttr(kBufferAttr, FlatSymbolRefAttr::get(buffer))));
  func.setType(builder.getFunctionType(
      llvm::to_vector(body->getArgumentTypes()),
      llvm::to_vector(body->getTerminator()->getOperandTypes())));
  func.setArgAttrsAttr(builder.getArrayAttr(attrs));
  return success();
}

namespace {
struct LowerToSpmdPass : nxdt::impl::LowerToSpmdBase<LowerToSpmdPass> {
  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    SmallVector<func::FuncOp> programs(getOperation().getOps<func::FuncOp>());
    for (func::FuncOp func : programs)
      if (failed(Localizer(func, symbols).run()))
        return signalPassFailure();
  }
};
} // namespace
