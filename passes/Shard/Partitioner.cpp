//===- Partitioner.cpp - shardings of one program's values ----------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Partitioner.h"

#include "nxdt/Registry/ShardingRules.h"

using namespace mlir;
using namespace nxdt;

static int64_t bytesOf(Value value) {
  RankedTensorType type = typeOf(value);
  return type.getNumElements() * ((type.getElementTypeBitWidth() + 7) / 8);
}

/// "aten::linear of model.layers.0.mlp.down_proj".
static std::string nameOf(Operation *op) {
  std::string text = op->getName().getStringRef().str();
  if (auto aten = dyn_cast<AtenOp>(op))
    text = aten.getCallee().str();
  auto name = dyn_cast<NameLoc>(op->getLoc());
  return name ? text + " of " + name.getName().str() : text;
}

LogicalResult Partitioner::setType(Value value, ShardingAttr sharding) {
  FailureOr<RankedTensorType> type =
      shardedType(globalType(typeOf(value)), sharding, [&] {
        return value.getDefiningOp() ? value.getDefiningOp()->emitOpError()
                                     : func.emitOpError();
      });
  if (failed(type))
    return failure();
  value.setType(*type);
  return success();
}

LogicalResult Partitioner::seedArguments() {
  for (auto [i, argument] : llvm::enumerate(func.getArguments())) {
    BufferOp buffer = bufferOf(func, i, symbols);
    if (!buffer)
      return func.emitError("argument ")
             << i << " of program '" << func.getName() << "' is no buffer";
    ShardingAttr sharding = shardingOf(buffer.getTensorType());
    // An accumulator lies as what is added to it.
    bool isAccumulator = llvm::any_of(argument.getUsers(), [&](Operation *op) {
      auto accumulate = dyn_cast<AccumulateOp>(op);
      return accumulate && accumulate.getAcc() == argument;
    });
    if (!sharding && isAccumulator)
      continue;
    if (!sharding) {
      sharding = replicated(strategy.mesh, typeOf(argument).getRank());
      buffer.setType(RankedTensorType::get(typeOf(argument).getShape(),
                                           typeOf(argument).getElementType(),
                                           sharding));
    }
    if (failed(setType(argument, sharding)))
      return failure();
    Facts &known = facts[argument];
    known.sequence.resize(typeOf(argument).getRank());
    bool isInput = buffer.getRole() == "input";
    if (isInput && known.sequence.size() > 1)
      known.sequence.set(1);
    for (unsigned dim = 0; dim < sharding.getDims().size(); ++dim)
      for (AxisAttr axis : sharding.axesOf(dim))
        known.priority[axis.getName()] =
            isInput || axis.getName() == "dp" ? Inputs : Parameters;
  }
  return success();
}

SmallVector<Partitioner::Candidate>
Partitioner::candidates(Operation *op, const ShardingRule &rule) {
  SmallVector<Candidate> list;
  for (auto [i, operand] : llvm::enumerate(op->getOperands())) {
    ShardingAttr sharding = shardingOf(operand.getType());
    const Facts &known = facts[operand];
    for (unsigned dim = 0; dim < sharding.getDims().size(); ++dim) {
      SmallVector<AxisAttr> axes = sharding.axesOf(dim);
      if (axes.empty())
        continue;
      unsigned priority = Sequence;
      for (AxisAttr axis : axes) {
        auto it = known.priority.find(axis.getName());
        if (it != known.priority.end())
          priority = std::min(priority, it->second);
      }
      list.push_back(
          {&rule.operands[i][dim], axes, priority, bytesOf(operand)});
    }
  }
  for (auto [i, result] : llvm::enumerate(op->getResults())) {
    ShardingAttr wish = wishes.lookup(result);
    if (!wish)
      continue;
    for (unsigned dim = 0; dim < wish.getDims().size(); ++dim)
      if (SmallVector<AxisAttr> axes = wish.axesOf(dim); !axes.empty())
        list.push_back(
            {&rule.results[i][dim], axes, Parameters, bytesOf(result)});
  }
  llvm::stable_sort(list, [](const Candidate &a, const Candidate &b) {
    return std::pair(a.priority, -a.bytes) < std::pair(b.priority, -b.bytes);
  });
  return list;
}

Partitioner::Strengths Partitioner::splitFactors(Operation *op,
                                                 const ShardingRule &rule,
                                                 FactorSplit &split) {
  Strengths strengths;
  for (const Candidate &candidate : candidates(op, rule)) {
    split.merge(*candidate.factors, candidate.axes);
    for (AxisAttr axis : candidate.axes)
      if (split.uses(axis))
        strengths.try_emplace(axis.getName(), candidate.priority);
  }
  split.makeExpressible();
  return strengths;
}

/// Sums that are needed now may be left split along the sequence.
void Partitioner::splitSequence(Operation *op, const ShardingRule &rule,
                                FactorSplit &split, ArrayRef<bool> keeps) {
  AxisAttr tp = strategy.axis("tp");
  if (!strategy.sequenceParallel || !tp)
    return;
  for (auto [i, operand] : llvm::enumerate(op->getOperands())) {
    ShardingAttr sharding = shardingOf(operand.getType());
    if (keeps[i] || !llvm::is_contained(sharding.partialAxes(), tp))
      continue;
    for (int dim : facts[operand].sequence.set_bits()) {
      const DimFactors &factors = rule.operands[i][dim];
      if (factors.size() != 1 ||
          rule.factors[factors[0]].kind == FactorKind::Whole ||
          typeOf(operand).getDimSize(dim) % tp.getSize() != 0 || split.uses(tp))
        continue;
      split.add(factors[0], tp);
    }
  }
  split.makeExpressible();
}

/// Which operands stay partial: the op is linear in them, and nothing is won by
/// summing first.
SmallVector<bool> Partitioner::keptPartial(Operation *op,
                                           const ShardingRule &rule,
                                           const FactorSplit &split) {
  SmallVector<bool> keeps(op->getNumOperands(), false);
  auto sums = [&](Value operand) {
    ShardingAttr sharding = shardingOf(operand.getType());
    return sharding.isPartial() && sharding.getReduction() == Reduction::Sum &&
           llvm::none_of(sharding.partialAxes(),
                         [&](AxisAttr axis) { return split.uses(axis); });
  };
  if (rule.linearity == ShardingRule::Linearity::Each &&
      op->getNumOperands() == 1 && rule.linearIn[0]) {
    // Sums of what becomes larger (a cast to f32) cost less before, but those
    // of a parameter's gradient wait until the end of the step.
    bool grows = bytesOf(op->getResult(0)) > bytesOf(op->getOperand(0));
    keeps[0] = sums(op->getOperand(0)) &&
               (!grows || wishes.contains(op->getResult(0)));
  }
  if (rule.linearity != ShardingRule::Linearity::Joint)
    return keeps;
  ShardingAttr first = shardingOf(op->getOperand(0).getType());
  if (llvm::all_of(op->getOperands(), [&](Value operand) {
        return sums(operand) &&
               shardingOf(operand.getType()).getPartial() == first.getPartial();
      }))
    keeps.assign(op->getNumOperands(), true);
  return keeps;
}

std::string Partitioner::reasonFor(Operation *user, Value value,
                                   ShardingAttr wanted) {
  ShardingAttr has = shardingOf(value.getType());
  std::string text;
  SmallVector<AxisAttr> axes;
  bool isAlongSequence = false;
  bool isParam = stored && stored.getRole() == "param";
  std::string userName =
      stored ? "storing " + stored.getSymName().str() : nameOf(user);
  auto add = [&](std::string part) {
    text += (text.empty() ? "" : "; ") + part;
  };
  if (has.getPartial() != wanted.getPartial()) {
    Operation *producer = value.getDefiningOp();
    add((has.getReduction() == Reduction::Sum ? "sum of " : "maximum of ") +
        (producer ? nameOf(producer) : "an accumulator") + " for " + userName);
    llvm::append_range(axes, has.partialAxes());
  }
  for (unsigned dim = 0; dim < has.getDims().size(); ++dim) {
    if (has.getDims()[dim] == wanted.getDims()[dim])
      continue;
    CommonSplit both = commonSplit(has.axesOf(dim), wanted.axesOf(dim));
    if (!both.restA.empty() && isParam)
      add("new value of " + stored.getSymName().str() + ", once per step");
    else if (!both.restA.empty())
      add(userName + " needs " + (both.restB.empty() ? "more" : "others") +
          " of dimension " + std::to_string(dim));
    const llvm::SmallBitVector &sequence = facts[value].sequence;
    isAlongSequence |= dim < sequence.size() && sequence[dim];
    llvm::append_range(axes, both.restA);
    llvm::append_range(axes, both.restB);
  }
  if (text.empty())
    text = userName + " works on its part";
  SmallVector<StringRef> names;
  for (AxisAttr axis : axes)
    if (!llvm::is_contained(names, axis.getName().getValue()))
      names.push_back(axis.getName());
  // An axis may split for the sake of a switch.
  if (isAlongSequence && strategy.sequenceParallel &&
      llvm::is_contained(names, "tp"))
    names.push_back("sequence_parallel");
  if (isParam && strategy.zero1 && llvm::is_contained(names, "dp"))
    names.push_back("zero1");
  for (StringRef name : names)
    text += " [" + strategy.origin(name) + "]";
  return text;
}

FailureOr<Value> Partitioner::reshard(Operation *user, Value value,
                                      ShardingAttr wanted) {
  ShardingAttr has = shardingOf(value.getType());
  if (has == wanted)
    return value;
  FailureOr<RankedTensorType> type = shardedType(
      globalType(typeOf(value)), wanted, [&] { return user->emitOpError(); });
  if (failed(type))
    return failure();
  // Gathering once more in the backward costs less than keeping it.
  Value &known = made[{value, *type, isBackward(user) ? 1u : 0u}];
  if (known)
    return known;
  OpBuilder builder(user);
  Location loc =
      stored ? NameLoc::get(stored.getSymNameAttr()) : user->getLoc();
  known = ReshardOp::create(builder, loc, *type, value,
                            reasonFor(user, value, wanted));
  Facts inherited = facts.lookup(value);
  for (unsigned dim = 0; dim < wanted.getDims().size(); ++dim)
    for (AxisAttr axis : wanted.axesOf(dim))
      inherited.priority.try_emplace(axis.getName(), Sequence);
  facts[known] = std::move(inherited);
  if (has.isPartial() && !wanted.isPartial())
    resolved.try_emplace(value, known);
  return known;
}

void Partitioner::inheritFacts(Operation *op, const ShardingRule &rule,
                               const Strengths &strengths) {
  llvm::SmallBitVector sequence(rule.factors.size());
  for (auto [i, operand] : llvm::enumerate(op->getOperands())) {
    const Facts &known = facts[operand];
    for (auto [dim, factors] : llvm::enumerate(rule.operands[i]))
      if (factors.size() == 1 && dim < known.sequence.size() &&
          known.sequence[dim])
        sequence.set(factors[0]);
  }
  for (auto [i, result] : llvm::enumerate(op->getResults())) {
    Facts &known = facts[result];
    for (Attribute axis : splitAxes(shardingOf(result.getType()))) {
      StringAttr name = cast<AxisAttr>(axis).getName();
      known.priority[name] = strengths.lookup_or(name, Sequence);
    }
    known.sequence.resize(typeOf(result).getRank());
    for (auto [dim, factors] : llvm::enumerate(rule.results[i]))
      if (factors.size() == 1 && sequence[factors[0]])
        known.sequence.set(dim);
  }
}

LogicalResult Partitioner::visit(Operation *op) {
  for (OpOperand &operand : op->getOpOperands())
    if (Value sum = resolved.lookup(operand.get()))
      operand.set(sum);
  if (isa<ReshardOp>(op)) {
    Facts inherited = facts.lookup(op->getOperand(0));
    ShardingAttr made = shardingOf(op->getResult(0).getType());
    for (unsigned dim = 0; dim < made.getDims().size(); ++dim)
      for (AxisAttr axis : made.axesOf(dim))
        inherited.priority.try_emplace(axis.getName(), Parameters);
    facts[op->getResult(0)] = std::move(inherited);
    return success();
  }
  if (auto squares = dyn_cast<SquareSumOp>(op)) {
    ArrayAttr axes = splitAxes(shardingOf(squares.getTensors()[0].getType()));
    SmallVector<AxisAttr> list;
    // Each stage has the terms of its own parameters.
    if (AxisAttr pp = strategy.axis("pp"))
      list.push_back(pp);
    llvm::append_range(list, axes.getAsRange<AxisAttr>());
    return setType(squares.getSum(), makeSharding(strategy.mesh, {}, list));
  }
  if (auto accumulate = dyn_cast<AccumulateOp>(op)) {
    if (failed(asStageTerm(accumulate)))
      return failure();
    if (failed(typeAccumulator(accumulate)))
      return failure();
  }
  bool known = true;
  ShardingRule rule = shardingRuleOf(op, &known);
  FactorSplit split(rule);
  Strengths strengths = splitFactors(op, rule, split);
  SmallVector<bool> keeps = keptPartial(op, rule, split);
  splitSequence(op, rule, split, keeps);

  SmallVector<AxisAttr> kept;
  for (auto [i, operand] : llvm::enumerate(op->getOpOperands())) {
    ShardingAttr wanted = split.operand(i, strategy.mesh);
    ShardingAttr has = shardingOf(operand.get().getType());
    if (keeps[i]) {
      kept = has.partialAxes();
      SmallVector<Axes> dims;
      for (unsigned dim = 0; dim < wanted.getDims().size(); ++dim) {
        auto axes = wanted.axesOf(dim);
        dims.emplace_back(axes.begin(), axes.end());
      }
      wanted = makeSharding(strategy.mesh, dims, kept);
    }
    FailureOr<Value> value = reshard(op, operand.get(), wanted);
    if (failed(value))
      return failure();
    if (!known && *value != operand.get())
      op->emitRemark("no sharding rule is known for it: operand ")
          << i << " is made whole on every rank (" << bytesOf(operand.get())
          << " bytes)";
    operand.set(*value);
  }
  for (auto [i, result] : llvm::enumerate(op->getResults()))
    if (failed(setType(result, split.result(i, strategy.mesh, kept))))
      return failure();
  inheritFacts(op, rule, strengths);
  return success();
}

void Partitioner::collectWishes() {
  for (Operation &op : llvm::reverse(func.front())) {
    if (auto accumulate = dyn_cast<AccumulateOp>(op)) {
      BlockArgument argument = accumulatorOf(accumulate);
      BufferOp buffer = argument
                            ? bufferOf(func, argument.getArgNumber(), symbols)
                            : BufferOp();
      if (!buffer || buffer.getRole() != "grad")
        continue;
      auto param = symbols.lookup<BufferOp>(*buffer.getParam());
      wishes[accumulate.getValue()] = shardingOf(param.getTensorType());
      continue;
    }
    if (op.getNumResults() != 1 || !isa<AtenOp>(op))
      continue;
    ShardingAttr wish = wishes.lookup(op.getResult(0));
    if (!wish)
      continue;
    ShardingRule rule = shardingRuleOf(&op);
    if (op.getNumOperands() != 1 &&
        rule.linearity != ShardingRule::Linearity::Joint)
      continue;
    FactorSplit split(rule);
    for (unsigned dim = 0; dim < wish.getDims().size(); ++dim)
      split.merge(rule.results[0][dim], wish.axesOf(dim));
    split.makeExpressible();
    for (auto [i, operand] : llvm::enumerate(op.getOperands()))
      wishes.try_emplace(operand, split.operand(i, strategy.mesh));
  }
}

ArrayAttr nxdt::splitAxes(ShardingAttr sharding) {
  MeshAttr mesh = sharding.getMesh();
  SmallVector<Attribute> axes;
  for (StringAttr name : mesh.getNames()) {
    SmallVector<AxisAttr> parts;
    for (unsigned dim = 0; dim < sharding.getDims().size(); ++dim)
      for (AxisAttr axis : sharding.axesOf(dim))
        if (axis.getName() == name)
          parts.push_back(axis);
    llvm::sort(parts,
               [](AxisAttr a, AxisAttr b) { return a.getPre() < b.getPre(); });
    Axes merged;
    for (AxisAttr axis : parts)
      appendAxis(merged, axis);
    axes.append(merged.begin(), merged.end());
  }
  return ArrayAttr::get(mesh.getContext(), axes);
}

static bool isZeros(Value value) {
  auto full = value.getDefiningOp<AtenOp>();
  if (!full || full.getCallee() != "aten::full")
    return false;
  Attribute fill = full.getArgs()[1];
  if (auto number = dyn_cast<FloatAttr>(fill))
    return number.getValue().isZero();
  auto integer = dyn_cast<IntegerAttr>(fill);
  return integer && integer.getValue().isZero();
}

LogicalResult Partitioner::visitReturn(Operation *op) {
  for (OpOperand &operand : op->getOpOperands()) {
    unsigned number = operand.getOperandNumber();
    auto name =
        func.getResultAttrOfType<FlatSymbolRefAttr>(number, kBufferAttr);
    auto buffer = name ? symbols.lookup<BufferOp>(name.getValue()) : BufferOp();
    if (!buffer)
      return func.emitError("result ")
             << number << " of program '" << func.getName()
             << "' is not written to a buffer";
    ShardingAttr wanted = shardingOf(buffer.getTensorType());
    if (!wanted) {
      wanted = replicated(strategy.mesh, buffer.getTensorType().getRank());
      buffer.setType(RankedTensorType::get(
          buffer.getTensorType().getShape(),
          buffer.getTensorType().getElementType(), wanted));
    }
    if (isZeros(operand.get())) {
      // Zeros are zeros on every rank, as terms of a sum too.
      OpBuilder builder(op);
      Operation *own = builder.clone(*operand.get().getDefiningOp());
      operand.set(own->getResult(0));
      if (failed(setType(operand.get(), wanted)))
        return failure();
      continue;
    }
    if (Value sum = resolved.lookup(operand.get());
        sum && shardingOf(operand.get().getType()) != wanted)
      operand.set(sum);
    stored = buffer;
    FailureOr<Value> value = reshard(op, operand.get(), wanted);
    stored = {};
    if (failed(value))
      return failure();
    operand.set(*value);
  }
  return success();
}

LogicalResult Partitioner::run() {
  if (failed(seedArguments()))
    return failure();
  collectWishes();
  Operation *op = &func.front().front();
  while (!op->hasTrait<OpTrait::IsTerminator>()) {
    if (decomposeForSplit(op, op))
      continue;
    if (failed(visit(op)))
      return failure();
    op = op->getNextNode();
  }
  if (failed(visitReturn(op)))
    return failure();
  func.setType(FunctionType::get(
      func.getContext(), llvm::to_vector(func.front().getArgumentTypes()),
      llvm::to_vector(op->getOperandTypes())));
  for (Operation &dead :
       llvm::make_early_inc_range(llvm::reverse(func.front())))
    if (isOpTriviallyDead(&dead))
      dead.erase();
  return success();
}
