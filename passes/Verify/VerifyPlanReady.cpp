//===- VerifyPlanReady.cpp - what emit may rely on ------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// From here on a value is memory: what mutates an argument changes every value
// that shares its memory. Which values do is derived here anew.
//
//===----------------------------------------------------------------------===//
#include "Nxdt/IR/Sharding.h"
#include "nxdt/Passes/Passes.h"
#include "nxdt/Registry/OpRegistry.h"

namespace nxdt {
#define GEN_PASS_DEF_VERIFYPLANREADY
#include "nxdt/Passes/Passes.h.inc"
} // namespace nxdt

using namespace mlir;
using namespace nxdt;

namespace {
/// Checks one program.
class ProgramVerifier {
public:
  ProgramVerifier(func::FuncOp func, SymbolTable &symbols)
      : func(func), symbols(symbols) {}

  /// Whether all is well; reports everything that is not.
  bool run();

private:
  void verifySignature();
  void verifyOp(Operation *op);
  void verifyReads(Operation *op);
  void verifyUnderWay(Operation *op);
  void verifyWrites(AtenOp op);
  void follow(Operation *op);
  InFlightDiagnostic fail(Operation *op) {
    isBroken = true;
    return op->emitError();
  }
  std::string nameOf(BlockArgument argument) {
    auto name = func.getArgAttrOfType<FlatSymbolRefAttr>(
        argument.getArgNumber(), kBufferAttr);
    return name ? "@" + name.getValue().str()
                : "argument " + std::to_string(argument.getArgNumber());
  }

  func::FuncOp func;
  SymbolTable &symbols;
  /// The argument whose memory a value may show, and how often that had been
  /// written when the value was made.
  struct Share {
    BlockArgument argument;
    unsigned writes;
  };
  DenseMap<Value, Share> shareOf;
  struct State {
    unsigned writes = 0;
    /// The operator that replaced the whole contents.
    Operation *replacedBy = nullptr;
  };
  DenseMap<Value, State> stateOf;
  /// How often a buffer had been written when a start read it.
  DenseMap<std::pair<Operation *, Value>, unsigned> writesAtStart;
  bool isBroken = false;
};
} // namespace

/// Arguments are distinct buffers of their declared types; nothing returns.
void ProgramVerifier::verifySignature() {
  // What is carried to a later program of the micro-batch stays a result.
  bool onlyCarries = true;
  for (unsigned i = 0; i < func.getNumResults(); ++i) {
    auto name = func.getResultAttrOfType<FlatSymbolRefAttr>(i, kBufferAttr);
    auto buffer = name ? symbols.lookup<BufferOp>(name.getValue()) : BufferOp();
    onlyCarries &= buffer && buffer.getRole() == "carry";
  }
  if (!onlyCarries)
    fail(func) << "program @" << func.getName() << " returns "
               << func.getNumResults()
               << " values; results are written to buffers";
  DenseMap<Attribute, unsigned> seen;
  for (BlockArgument argument : func.getArguments()) {
    unsigned number = argument.getArgNumber();
    BufferOp buffer = bufferOf(func, number, symbols);
    if (!buffer) {
      fail(func) << "argument " << number << " of program @" << func.getName()
                 << " is bound to no declared buffer";
      continue;
    }
    RankedTensorType held = localType(buffer.getTensorType());
    if (held != argument.getType())
      fail(func) << "argument " << number << " of program @" << func.getName()
                 << " is " << argument.getType() << ", its buffer @"
                 << buffer.getSymName() << " is " << held;
    if (!seen.try_emplace(buffer.getSymNameAttr(), number).second)
      fail(func) << "arguments " << seen[buffer.getSymNameAttr()] << " and "
                 << number << " of program @" << func.getName()
                 << " are both buffer @" << buffer.getSymName();
  }
}

void ProgramVerifier::verifyReads(Operation *op) {
  for (OpOperand &operand : op->getOpOperands()) {
    auto it = shareOf.find(operand.get());
    if (it == shareOf.end())
      continue;
    auto [argument, writes] = it->second;
    State &state = stateOf[argument];
    bool isArgument = operand.get() == argument;
    // An argument is its buffer, also after an update of it; what was
    // overwritten as a whole holds a result and is not read any more.
    if (isArgument ? state.replacedBy == nullptr : writes == state.writes)
      continue;
    fail(op) << "reads operand " << operand.getOperandNumber()
             << " after its buffer " << nameOf(argument)
             << " was overwritten in place";
  }
}

/// What was started reads until it is waited for: no buffer that its operands
/// show is written in between.
void ProgramVerifier::verifyUnderWay(Operation *op) {
  auto wait = dyn_cast<WaitOp>(op);
  Operation *start = wait ? wait.getPending().getDefiningOp() : op;
  for (Value operand : start->getOperands()) {
    auto it = shareOf.find(operand);
    if (it == shareOf.end())
      continue;
    BlockArgument argument = it->second.argument;
    unsigned writes = stateOf[argument].writes;
    if (!wait)
      writesAtStart[{start, argument}] = writes;
    else if (writesAtStart[{start, argument}] != writes)
      fail(op) << "buffer " << nameOf(argument)
               << " was written while a collective that reads it was under way";
  }
}

void ProgramVerifier::verifyWrites(AtenOp op) {
  DenseI32ArrayAttr mutates = op.getMutatesAttr();
  if (!mutates)
    return;
  for (int32_t number : mutates.asArrayRef()) {
    // A copy that the program made for this.
    if (auto copy = op.getInputs()[number].getDefiningOp<AtenOp>();
        copy && copy.getCallee() == "aten::clone")
      continue;
    auto argument = dyn_cast<BlockArgument>(op.getInputs()[number]);
    BufferOp buffer = argument
                          ? bufferOf(func, argument.getArgNumber(), symbols)
                          : BufferOp();
    if (!buffer) {
      fail(op) << "'" << op.getCallee() << "' mutates operand " << number
               << ", which is not a buffer of the program";
      continue;
    }
    if (buffer.getRole() == "input") {
      fail(op) << "'" << op.getCallee() << "' mutates the input @"
               << buffer.getSymName() << ", which the runtime sets";
      continue;
    }
    State &state = stateOf[argument];
    ++state.writes;
    if (op.getCallee() == "aten::copy_" ||
        op.getCallee().starts_with("aten::fill_.") ||
        op.getCallee() == "aten::zero_")
      state.replacedBy = op;
  }
}

/// Results that may show an argument's memory. A `reshape` may or may not be a
/// view, so it counts as one.
void ProgramVerifier::follow(Operation *op) {
  auto aten = dyn_cast<AtenOp>(op);
  if (isa<AllSliceOp>(op))
    if (auto it = shareOf.find(op->getOperand(0)); it != shareOf.end()) {
      Share share = it->second;
      shareOf[op->getResult(0)] = share;
      return;
    }
  if (!aten || aten.getInputs().empty())
    return;
  Value source;
  if (DenseI32ArrayAttr mutates = aten.getMutatesAttr();
      mutates && !mutates.empty())
    source = aten.getInputs()[mutates[0]];
  const OpInfo *info = OpRegistry::get().lookup(aten.getCallee());
  if (!source && (!info || info->aliasing != Aliasing::Fresh))
    // An operator that nobody registered may return a view, too.
    source = aten.getInputs()[0];
  auto it = shareOf.find(source);
  if (it == shareOf.end())
    return;
  BlockArgument argument = it->second.argument;
  for (Value result : op->getResults())
    shareOf[result] = {argument, stateOf[argument].writes};
}

void ProgramVerifier::verifyOp(Operation *op) {
  if (!isa<AtenOp, AtenVjpOp, func::ReturnOp>(op) && !isCommunication(op)) {
    fail(op) << "'" << op->getName().getStringRef() << "' is left in program @"
             << func.getName()
             << "; only nxdt.aten, nxdt.aten_vjp and collectives have a place "
                "in a plan";
    return;
  }
  verifyReads(op);
  if (isStart(op) || isa<WaitOp>(op))
    verifyUnderWay(op);
  if (auto aten = dyn_cast<AtenOp>(op))
    verifyWrites(aten);
  follow(op);
}

bool ProgramVerifier::run() {
  verifySignature();
  for (BlockArgument argument : func.getArguments())
    shareOf[argument] = {argument, 0};
  for (Operation &op : func.front())
    verifyOp(&op);
  return !isBroken;
}

namespace {
struct VerifyPlanReadyPass
    : nxdt::impl::VerifyPlanReadyBase<VerifyPlanReadyPass> {
  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    bool isReady = true;
    for (Operation &op : *getOperation().getBody()) {
      auto func = dyn_cast<func::FuncOp>(op);
      if (func && !func.isExternal()) {
        isReady &= ProgramVerifier(func, symbols).run();
        continue;
      }
      if (isa<BufferOp, ChannelOp, ScheduleOp>(op))
        continue;
      op.emitError("'") << op.getName().getStringRef()
                        << "' has no place beside programs and buffers";
      isReady = false;
    }
    if (!isReady)
      signalPassFailure();
  }
};
} // namespace
