//===- StageGraph.cpp - which chunk computes what -------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "StageGraph.h"

#include "Nxdt/IR/Sharding.h"
#include "nxdt/Registry/OpRegistry.h"

using namespace mlir;
using namespace nxdt;

static int64_t localBytes(Value value) {
  int64_t bytes = (typeOf(value).getElementTypeBitWidth() + 7) / 8;
  for (int64_t size : localShape(typeOf(value)))
    bytes *= size;
  return bytes;
}

bool StageGraph::isAccumulator(OpOperand &operand) {
  auto sum = dyn_cast<AccumulateOp>(operand.getOwner());
  return sum && operand.getOperandNumber() == 0;
}

/// The buffer that a chain of sums adds to.
BufferOp StageGraph::accumulatorBuffer(Operation *op) {
  auto sum = dyn_cast<AccumulateOp>(op);
  BlockArgument argument = sum ? accumulatorOf(sum) : BlockArgument();
  return argument ? bufferOf(func, argument.getArgNumber(), symbols)
                  : BufferOp();
}

StringAttr StageGraph::paramOf(Value value) {
  auto argument = dyn_cast<BlockArgument>(value);
  if (!argument)
    return {};
  BufferOp buffer = bufferOf(func, argument.getArgNumber(), symbols);
  return buffer && buffer.getRole() == "param" ? buffer.getSymNameAttr()
                                               : StringAttr();
}

/// A value's own parameter, or those behind what is computed anywhere.
SmallVector<StringAttr> StageGraph::paramsOf(Value value) {
  if (StringAttr param = paramOf(value))
    return {param};
  Operation *op = value.getDefiningOp();
  if (!op || placeOf(op).phase != Phase::Anywhere)
    return {};
  return paramsOf(op);
}

SmallVector<StringAttr> StageGraph::paramsOf(Operation *op) {
  SmallVector<StringAttr> params;
  for (Value operand : op->getOperands())
    for (StringAttr param : paramsOf(operand))
      if (!llvm::is_contained(params, param))
        params.push_back(param);
  BufferOp buffer = accumulatorBuffer(op);
  if (buffer && buffer.getRole() == "grad")
    if (auto owner = StringAttr::get(op->getContext(), *buffer.getParam());
        !llvm::is_contained(params, owner))
      params.push_back(owner);
  return params;
}

/// Cheap and the same wherever it is computed.
bool StageGraph::isAnywhere(Operation *op) {
  auto reshard = dyn_cast<ReshardOp>(op);
  if (reshard && communicates(op))
    return false;
  auto aten = dyn_cast<AtenOp>(op);
  const OpInfo *info =
      aten ? OpRegistry::get().lookup(aten.getCallee()) : nullptr;
  // Who knows what an operator does that nobody registered.
  if (!info && !reshard)
    return false;
  bool isView = !info || info->aliasing == Aliasing::View;
  return llvm::all_of(op->getOperands(), [&](Value operand) {
    if (Operation *source = operand.getDefiningOp())
      return placeOf(source).phase == Phase::Anywhere &&
             (isView || paramsOf(source).empty());
    BufferOp buffer =
        bufferOf(func, cast<BlockArgument>(operand).getArgNumber(), symbols);
    StringRef role = buffer ? buffer.getRole() : StringRef();
    return role == "input" || role == "buffer" || (role == "param" && isView);
  });
}

LogicalResult StageGraph::findPhases() {
  for (unsigned i = 0; i < func.getNumResults(); ++i) {
    auto name = func.getResultAttrOfType<FlatSymbolRefAttr>(i, kBufferAttr);
    BufferOp buffer =
        name ? symbols.lookup<BufferOp>(name.getValue()) : BufferOp();
    if (buffer && buffer.getRole() == "buffer")
      return buffer.emitError("the step changes the module's buffer '")
             << buffer.getSymName()
             << "': pipeline_model_parallel_size > 1 does not support that yet";
  }
  // In program order: operands are known first. Anywhere is the default, so
  // that all others must be entered.
  SmallVector<Operation *> work;
  for (Operation &op : func.front().without_terminator())
    if (!isAnywhere(&op)) {
      places[&op] = {Phase::Backward, 0};
      BufferOp buffer = accumulatorBuffer(&op);
      if (buffer && buffer.getRole() == "scalar")
        work.push_back(&op);
    }
  while (!work.empty()) {
    Operation *op = work.pop_back_val();
    Place &place = places[op];
    if (place.phase == Phase::Forward)
      continue;
    place.phase = Phase::Forward;
    for (OpOperand &operand : op->getOpOperands()) {
      Operation *source = sourceOf(operand.get());
      if (source && !isAccumulator(operand))
        work.push_back(source);
    }
  }
  return success();
}

Operation *StageGraph::sourceOf(Value value) const {
  Operation *op = value.getDefiningOp();
  return op && placeOf(op).phase != Phase::Anywhere ? op : nullptr;
}

static double costOf(Operation *op) {
  if (auto sdpa = dyn_cast<SdpaOp>(op)) {
    double keys = typeOf(op->getOperand(1)).getShape()[2];
    return 4.0 * typeOf(op->getOperand(0)).getNumElements() * keys;
  }
  auto aten = dyn_cast<AtenOp>(op);
  const OpInfo *info =
      aten ? OpRegistry::get().lookup(aten.getCallee()) : nullptr;
  if (info && info->flops)
    return info->flops(CallArgs(aten.getArgs(), aten.getInputs()),
                       op->getResultTypes());
  return op->getNumResults() ? typeOf(op->getResult(0)).getNumElements() : 0;
}

SmallVector<double> StageGraph::layerCosts() {
  SmallVector<double> costs(layers.size());
  // An op belongs to the last layer that it depends on.
  DenseMap<Operation *, size_t> layerOf;
  for (Operation &op : func.front().without_terminator()) {
    if (placeOf(&op).phase != Phase::Forward)
      continue;
    size_t layer = 0;
    for (Value operand : op.getOperands())
      if (Operation *source = sourceOf(operand))
        layer = std::max(layer, layerOf.lookup(source));
    for (StringAttr param : paramsOf(&op))
      if (auto index = layers.indexOf(param.getValue()))
        layer = std::max(layer, *index);
    layerOf[&op] = layer;
    if (!costs.empty())
      costs[layer] += costOf(&op);
  }
  return costs;
}

std::optional<int64_t> StageGraph::layerChunk(StringAttr param,
                                              ArrayRef<int64_t> chunkOfLayer) {
  auto index = layers.indexOf(param.getValue());
  if (!index)
    return std::nullopt;
  return chunkOfLayer[*index];
}

void StageGraph::addUser(StringAttr param, int64_t chunk) {
  SmallVector<int64_t> &list = users[param];
  auto *at = llvm::lower_bound(list, chunk);
  if (at == list.end() || *at != chunk)
    list.insert(at, chunk);
}

LogicalResult StageGraph::place(Phase phase, ArrayRef<int64_t> chunkOfLayer) {
  // The backward goes through the chunks from the last to the first.
  bool isForward = phase == Phase::Forward;
  auto placeFor = [&](int64_t chunk) {
    return isForward ? chunk : chunks - 1 - chunk;
  };
  CutProblem problem;
  problem.places = chunks;
  SmallVector<Operation *> ops;
  DenseMap<Operation *, unsigned> numbers;
  for (Operation &op : func.front().without_terminator())
    if (placeOf(&op).phase == phase) {
      numbers[&op] = ops.size();
      ops.push_back(&op);
    }
  for (Operation *op : ops) {
    CutProblem::Node node{0, static_cast<unsigned>(chunks - 1)};
    auto pin = [&](int64_t low, int64_t high) {
      node.low = std::max<int64_t>(node.low, low);
      node.high = std::min<int64_t>(node.high, high);
    };
    std::optional<int64_t> chunk;
    for (StringAttr param : paramsOf(op))
      if (isForward) {
        if (auto found = layerChunk(param, chunkOfLayer))
          chunk = std::max(chunk.value_or(0), *found);
      } else if (users[param].size() == 1) {
        chunk = users[param].front();
      }
    BufferOp sum = accumulatorBuffer(op);
    if (sum && sum.getRole() == "scalar")
      chunk = chunks - 1;
    if (chunk)
      pin(placeFor(*chunk), placeFor(*chunk));
    for (OpOperand &operand : op->getOpOperands()) {
      Operation *source = sourceOf(operand.get());
      // What the forward left lies where the forward had it.
      if (!isForward && source && placeOf(source).phase == Phase::Forward &&
          !isAccumulator(operand))
        pin(placeFor(lastChunkOf(operand.get())),
            placeFor(placeOf(source).chunk));
    }
    problem.nodes.push_back(node);
  }
  for (auto [number, op] : llvm::enumerate(ops))
    for (Value result : op->getResults()) {
      CutProblem::Value value{
          static_cast<unsigned>(number), localBytes(result), {}};
      for (OpOperand &use : result.getUses()) {
        auto user = numbers.find(use.getOwner());
        if (user != numbers.end() && !isAccumulator(use) &&
            !llvm::is_contained(value.users, user->second))
          value.users.push_back(user->second);
      }
      llvm::sort(value.users);
      if (!value.users.empty())
        problem.values.push_back(std::move(value));
    }
  unsigned bad = 0;
  if (!narrow(problem, bad))
    return ops[bad]->emitOpError(
               "needs values and parameters of chunks that do not follow each "
               "other: layers use later layers' results [")
           << modulePathOf(ops[bad]) << "]";
  std::vector<unsigned> result = placeNodes(problem);
  for (auto [number, op] : llvm::enumerate(ops)) {
    int64_t chunk = placeFor(result[number]);
    places[op].chunk = chunk;
    for (StringAttr param : paramsOf(op))
      addUser(param, chunk);
  }
  for (Operation *op : ops)
    for (Value value : op->getResults()) {
      int64_t end = placeOf(op).chunk;
      for (OpOperand &use : value.getUses()) {
        Place user = placeOf(use.getOwner());
        if (user.phase == phase && numbers.contains(use.getOwner()) &&
            !isAccumulator(use))
          end =
              isForward ? std::max(end, user.chunk) : std::min(end, user.chunk);
      }
      last[value] = end;
    }
  return success();
}

int64_t StageGraph::lastChunkOf(Value value) const {
  return last.lookup(value);
}

LogicalResult StageGraph::assign(ArrayRef<int64_t> chunkOfLayer) {
  if (failed(place(Phase::Forward, chunkOfLayer)))
    return failure();
  return place(Phase::Backward, chunkOfLayer);
}
