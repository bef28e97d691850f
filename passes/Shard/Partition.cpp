//===- Partition.cpp - shardings of all values ----------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Partitioner.h"

namespace nxdt {
#define GEN_PASS_DEF_PARTITION
#include "nxdt/Passes/Passes.h.inc"
} // namespace nxdt

using namespace mlir;
using namespace nxdt;

namespace {
struct PartitionPass : nxdt::impl::PartitionBase<PartitionPass> {
  void runOnOperation() override;

private:
  LogicalResult partition(StringRef program, SymbolTable &symbols);
  LogicalResult addReducedGrads(SymbolTable &symbols);
  void reduceInFinish(func::FuncOp finish, BufferOp grad, BufferOp reduced,
                      StringRef reason);

  Strategy strategy;
};
} // namespace

/// The argument that reads a buffer; null if none does.
static BlockArgument argumentOf(func::FuncOp func, StringRef buffer) {
  for (BlockArgument argument : func.getArguments()) {
    auto name = func.getArgAttrOfType<FlatSymbolRefAttr>(
        argument.getArgNumber(), kBufferAttr);
    if (name && name.getValue() == buffer)
      return argument;
  }
  return {};
}

/// Every use of the accumulator takes the reduced gradient, which is stored for
/// the update.
void PartitionPass::reduceInFinish(func::FuncOp finish, BufferOp grad,
                                   BufferOp reduced, StringRef reason) {
  BlockArgument argument = argumentOf(finish, grad.getSymName());
  if (!argument)
    return;
  OpBuilder builder(finish);
  builder.setInsertionPointToStart(&finish.front());
  argument.setType(grad.getTensorType());
  auto value = ReshardOp::create(builder, NameLoc::get(grad.getParamAttr()),
                                 reduced.getTensorType(), argument, reason);
  argument.replaceAllUsesExcept(value, value);
  Operation *ret = finish.front().getTerminator();
  unsigned number = finish.getNumResults();
  auto attrs = builder.getDictionaryAttr(builder.getNamedAttr(
      kBufferAttr, FlatSymbolRefAttr::get(reduced.getSymNameAttr())));
  (void)finish.insertResult(number, value.getType(), attrs);
  ret->insertOperands(number, value.getResult());
}

/// Between finish_step and update_step a gradient lies as the optimizer state
/// of its parameter. Where its accumulator lies otherwise, it gets a buffer.
LogicalResult PartitionPass::addReducedGrads(SymbolTable &symbols) {
  auto finish = symbols.lookup<func::FuncOp>("finish_step");
  auto update = symbols.lookup<func::FuncOp>("update_step");
  if (!finish || !update)
    return success();
  for (auto grad :
       llvm::make_early_inc_range(getOperation().getOps<BufferOp>())) {
    if (grad.getRole() != "grad")
      continue;
    auto param = symbols.lookup<BufferOp>(*grad.getParam());
    ShardingAttr lies = shardingOf(grad.getTensorType());
    ShardingAttr wanted =
        strategy.stateSharding(shardingOf(param.getTensorType()));
    if (!lies || lies == wanted)
      continue;
    FailureOr<RankedTensorType> type =
        shardedType(globalType(grad.getTensorType()), wanted,
                    [&] { return grad.emitOpError(); });
    if (failed(type))
      return failure();
    OpBuilder builder(grad);
    builder.setInsertionPointAfter(grad);
    auto reduced = BufferOp::create(
        builder, grad.getLoc(), (param.getSymName() + ".reduced_grad").str(),
        "reduced_grad", *type);
    reduced.setParamAttr(param.getSymNameAttr());
    symbols.insert(reduced);
    bool scattered = wanted != shardingOf(param.getTensorType());
    std::string reason =
        "gradient of " + param.getSymName().str() + ", once per step";
    for (AxisAttr axis : lies.partialAxes())
      reason += " [" + strategy.origin(axis.getName().getValue()) + "]";
    bool isAlongSequence = llvm::any_of(lies.partialAxes(), [](AxisAttr axis) {
      return axis.getName() == "tp";
    });
    if (isAlongSequence && strategy.sequenceParallel)
      reason += " [" + strategy.origin("sequence_parallel") + "]";
    if (scattered)
      reason += " [" + strategy.origin("zero1") + "]";
    reduceInFinish(finish, grad, reduced, reason);
    if (BlockArgument argument = argumentOf(update, grad.getSymName())) {
      argument.setType(reduced.getTensorType());
      update.setArgAttr(argument.getArgNumber(), kBufferAttr,
                        FlatSymbolRefAttr::get(reduced.getSymNameAttr()));
    }
  }
  return success();
}

LogicalResult PartitionPass::partition(StringRef program,
                                       SymbolTable &symbols) {
  auto func = symbols.lookup<func::FuncOp>(program);
  return func ? Partitioner(func, strategy, symbols).run() : success();
}

void PartitionPass::runOnOperation() {
  FailureOr<Strategy> read = readStrategy(getOperation());
  if (failed(read))
    return signalPassFailure();
  strategy = *read;
  SymbolTable symbols(getOperation());
  // What accumulates decides how accumulators lie: these programs come first.
  StringRef first[] = {"train_step", "eval_step"};
  for (StringRef program : first)
    if (failed(partition(program, symbols)))
      return signalPassFailure();
  if (failed(addReducedGrads(symbols)))
    return signalPassFailure();
  for (auto func : getOperation().getOps<func::FuncOp>())
    if (!llvm::is_contained(first, func.getName()) &&
        failed(partition(func.getName(), symbols)))
      return signalPassFailure();
}
