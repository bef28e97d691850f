//===- SplitProgram.cpp - a step's program, cut into chunks ---------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "../Step/ProgramBuilder.h"
#include "Nxdt/IR/Sharding.h"
#include "StagePrograms.h"
#include "nxdt/Passes/Origins.h"

#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace nxdt;

using Phase = StageGraph::Phase;

void nxdt::setStage(func::FuncOp func, int64_t stage, StringRef program) {
  Builder b(func.getContext());
  func->setAttr(kStageAttr, b.getI64IntegerAttr(stage));
  func->setAttr(kProgramAttr, b.getStringAttr(program));
}

namespace {
/// Cuts one program.
class Splitter {
public:
  Splitter(func::FuncOp func, SymbolTable &symbols, const StageGraph &graph,
           const PipelineSettings &settings, bool hasBackward)
      : func(func), module(func->getParentOfType<ModuleOp>()), symbols(symbols),
        graph(graph), settings(settings), hasBackward(hasBackward) {}

  void run();

private:
  /// A value in the chunks that have it.
  struct Carried {
    unsigned number;
    Phase phase;
    int64_t first, last;       ///< in the direction of its phase
    std::set<int64_t> keptFor; ///< chunks whose backward reads the forward's
  };

  void findCarried();
  int64_t step(Phase phase) const { return phase == Phase::Forward ? 1 : -1; }
  std::string nameOf(const Carried &carried, int64_t chunk) const;
  BufferOp bufferFor(Value value, const Carried &carried, int64_t chunk);
  void declare(Value value, const Carried &carried);
  void build(Phase phase, int64_t chunk);
  std::string programName(Phase phase, int64_t chunk) const;

  friend class ChunkBuilder;
  func::FuncOp func;
  ModuleOp module;
  SymbolTable &symbols;
  const StageGraph &graph;
  const PipelineSettings &settings;
  bool hasBackward;
  llvm::MapVector<Value, Carried> carried;
  llvm::StringMap<Value> valueOf; ///< by carry buffer
};

/// Writes one chunk's program.
class ChunkBuilder {
public:
  ChunkBuilder(Splitter &splitter, ProgramBuilder &program, Phase phase,
               int64_t chunk)
      : splitter(splitter), program(program), phase(phase), chunk(chunk) {}

  void run();

private:
  Value operand(OpOperand &operand);
  Value get(Value value);
  Value clone(Operation *op);
  bool isPartOfSum(AccumulateOp sum);

  Splitter &splitter;
  ProgramBuilder &program;
  Phase phase;
  int64_t chunk;
  IRMapping mapping;
};
} // namespace

static StringRef bufferNameOf(func::FuncOp func, BlockArgument argument) {
  return func
      .getArgAttrOfType<FlatSymbolRefAttr>(argument.getArgNumber(), kBufferAttr)
      .getValue();
}

/// A value that the program has, keeps, or can compute here.
Value ChunkBuilder::get(Value value) {
  if (Value known = mapping.lookupOrNull(value))
    return known;
  Value here;
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    here = program.read(bufferNameOf(splitter.func, argument));
  } else if (!splitter.graph.sourceOf(value)) {
    clone(value.getDefiningOp());
    return mapping.lookup(value);
  } else {
    const Splitter::Carried &carried = splitter.carried.find(value)->second;
    here = program.read(splitter.nameOf(carried, chunk));
  }
  mapping.map(value, here);
  return here;
}

Value ChunkBuilder::operand(OpOperand &operand) {
  Value value = operand.get();
  // A sum goes on from what its buffer holds, whoever added before.
  if (StageGraph::isAccumulator(operand) && !mapping.contains(value)) {
    while (auto before = value.getDefiningOp<AccumulateOp>()) {
      if (mapping.contains(before.getResult()))
        return mapping.lookup(before.getResult());
      value = before.getAcc();
    }
  }
  return get(value);
}

Value ChunkBuilder::clone(Operation *op) {
  IRMapping operands;
  for (OpOperand &use : op->getOpOperands())
    operands.map(use.get(), operand(use));
  Operation *copy = program.builder.clone(*op, operands);
  for (auto [old, now] : llvm::zip(op->getResults(), copy->getResults()))
    mapping.map(old, now);
  return copy->getNumResults() ? copy->getResult(0) : Value();
}

/// Whether another chunk adds to the same buffer.
bool ChunkBuilder::isPartOfSum(AccumulateOp sum) {
  auto isElsewhere = [&](Operation *other) {
    return splitter.graph.placeOf(other).chunk != chunk;
  };
  for (auto before = sum.getAcc().getDefiningOp<AccumulateOp>(); before;
       before = before.getAcc().getDefiningOp<AccumulateOp>())
    if (isElsewhere(before))
      return true;
  for (Operation *user : sum.getResult().getUsers())
    if (auto after = dyn_cast<AccumulateOp>(user))
      if (after.getAcc() == sum.getResult() &&
          (isElsewhere(after) || isPartOfSum(after)))
        return true;
  return false;
}

void ChunkBuilder::run() {
  llvm::MapVector<StringRef, Value> sums;
  for (Operation &op : splitter.func.front().without_terminator()) {
    StageGraph::Place place = splitter.graph.placeOf(&op);
    if (place.phase != phase || place.chunk != chunk)
      continue;
    Value result = clone(&op);
    auto sum = dyn_cast<AccumulateOp>(op);
    if (!sum)
      continue;
    // What is added up here is no value of the whole program.
    if (isPartOfSum(sum))
      result.getDefiningOp()->removeAttr(kOriginAttr);
    sums[bufferNameOf(splitter.func, accumulatorOf(sum))] = result;
  }
  for (auto &[buffer, value] : sums)
    program.write(buffer, value);
  for (auto &[value, carried] : splitter.carried) {
    bool isMade = carried.phase == phase && carried.first == chunk;
    bool isLeft = carried.last != chunk || carried.keptFor.count(chunk);
    if (isMade && isLeft)
      program.write(splitter.nameOf(carried, chunk), get(value));
  }
}

std::string Splitter::nameOf(const Carried &carried, int64_t chunk) const {
  StringRef kind = !hasBackward                      ? "eval"
                   : carried.phase == Phase::Forward ? "act"
                                                     : "grad";
  return kind.str() + std::to_string(carried.number) + "." +
         std::to_string(chunk);
}

/// Values that more than one program needs, in program order.
void Splitter::findCarried() {
  unsigned number = 0;
  for (Operation &op : func.front().without_terminator()) {
    StageGraph::Place place = graph.placeOf(&op);
    if (place.phase == Phase::Anywhere)
      continue;
    for (Value value : op.getResults()) {
      Carried entry{0, place.phase, place.chunk, graph.lastChunkOf(value), {}};
      for (OpOperand &use : value.getUses()) {
        if (StageGraph::isAccumulator(use) ||
            isa<func::ReturnOp>(use.getOwner()))
          continue;
        // Who computes anywhere what depends on this: views do not.
        StageGraph::Place user = graph.placeOf(use.getOwner());
        if (user.phase == Phase::Backward && place.phase == Phase::Forward)
          entry.keptFor.insert(user.chunk);
      }
      if (entry.first == entry.last && entry.keptFor.empty())
        continue;
      entry.number = number++;
      carried.insert({value, entry});
    }
  }
}

BufferOp Splitter::bufferFor(Value value, const Carried &carried,
                             int64_t chunk) {
  std::string name = nameOf(carried, chunk);
  if (auto known = symbols.lookup<BufferOp>(name))
    return known;
  OpBuilder builder(func);
  auto buffer =
      BufferOp::create(builder, value.getLoc(), name, "carry", typeOf(value));
  symbols.insert(buffer);
  valueOf[name] = value;
  return buffer;
}

/// The buffers of a value, and a channel for each border that it crosses.
void Splitter::declare(Value value, const Carried &carried) {
  int64_t direction = step(carried.phase);
  for (int64_t chunk = carried.first;; chunk += direction) {
    BufferOp buffer = bufferFor(value, carried, chunk);
    if (chunk == carried.last)
      return;
    int64_t next = chunk + direction;
    BufferOp there = bufferFor(value, carried, next);
    OpBuilder builder(func);
    Operation *maker = value.getDefiningOp();
    std::string reason =
        (carried.phase == Phase::Forward ? "result of " : "gradient from ") +
        (modulePathOf(maker).empty() ? maker->getName().getStringRef().str()
                                     : modulePathOf(maker).str()) +
        " for chunk " + std::to_string(carried.last) + " [" + settings.origin +
        "]";
    auto channel = ChannelOp::create(
        builder, value.getLoc(),
        nameOf(carried, chunk) + "-" + std::to_string(next),
        settings.stageOf(chunk), buffer.getSymName(), settings.stageOf(next),
        there.getSymName(), programName(carried.phase, chunk),
        programName(carried.phase, next), reason, /*once=*/false);
    symbols.insert(channel);
  }
}

std::string Splitter::programName(Phase phase, int64_t chunk) const {
  StringRef kind = !hasBackward              ? "eval"
                   : phase == Phase::Forward ? "forward"
                                             : "backward";
  return kind.str() + "." + std::to_string(chunk);
}

void Splitter::build(Phase phase, int64_t chunk) {
  std::string name = programName(phase, chunk);
  {
    ProgramBuilder program(module, name);
    ChunkBuilder(*this, program, phase, chunk).run();
  }
  auto built = module.lookupSymbol<func::FuncOp>(name);
  setStage(built, settings.stageOf(chunk), name);
  if (Attribute origin = func->getAttr(kOriginAttr))
    built->setAttr(kOriginAttr, origin);
  // Who reads a carried tensor last lets go of it; what is sent afterwards is
  // let go by the schedule.
  for (unsigned i = 0; i < built.getNumArguments(); ++i) {
    BufferOp buffer = bufferOf(built, i, symbols);
    if (buffer.getRole() != "carry")
      continue;
    Value value = valueOf.lookup(buffer.getSymName());
    if (StringAttr origin = originOf(value))
      built.setArgAttr(i, kOriginAttr, origin);
    const Carried &entry = carried.find(value)->second;
    bool isKept = phase == Phase::Forward &&
                  (entry.keptFor.count(chunk) || entry.last != chunk);
    bool isSent = entry.phase == Phase::Backward && entry.last != chunk;
    if (!isKept && !isSent)
      built.setArgAttr(i, kDiesAttr, UnitAttr::get(func.getContext()));
  }
}

void Splitter::run() {
  findCarried();
  for (auto &[value, entry] : carried)
    declare(value, entry);
  for (int64_t chunk = 0; chunk < settings.chunks(); ++chunk)
    build(Phase::Forward, chunk);
  if (hasBackward)
    for (int64_t chunk = settings.chunks(); chunk-- > 0;)
      build(Phase::Backward, chunk);
  symbols.erase(func);
}

void nxdt::splitProgram(func::FuncOp func, SymbolTable &symbols,
                        const StageGraph &graph,
                        const PipelineSettings &settings, bool hasBackward) {
  Splitter(func, symbols, graph, settings, hasBackward).run();
}
