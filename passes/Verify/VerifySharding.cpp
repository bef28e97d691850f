//===- VerifySharding.cpp - every sharding follows from its op's rule -----===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Shares the registry's rules with `partition`, and nothing else: what splits
// an op's factors is found anew from the types. All checks are local to an op,
// so that each error names the place that is wrong.
//
//===----------------------------------------------------------------------===//
#include "OpSharding.h"

#include "nxdt/Passes/Passes.h"

namespace nxdt {
#define GEN_PASS_DEF_VERIFYSHARDING
#include "nxdt/Passes/Passes.h.inc"
} // namespace nxdt

using namespace mlir;
using namespace nxdt;

namespace {
struct VerifyShardingPass : nxdt::impl::VerifyShardingBase<VerifyShardingPass> {
  void runOnOperation() override;

private:
  void verifyBuffer(BufferOp buffer, SymbolTable &symbols);
  void verifyProgram(func::FuncOp func, SymbolTable &symbols);
  void verifyReturn(func::FuncOp func, SymbolTable &symbols);
  void verifyReshard(ReshardOp op);
  void verifySquareSum(SquareSumOp op);
  bool hasShardings(Operation *op);
  InFlightDiagnostic fail(Operation *op) {
    isBroken = true;
    return op->emitOpError();
  }

  MeshAttr mesh;
  bool isBroken = false;
};
} // namespace

/// What the runtime reads or writes of a parameter is never a term of a sum;
/// state and gradients are of the parameter's shape.
void VerifyShardingPass::verifyBuffer(BufferOp buffer, SymbolTable &symbols) {
  ShardingAttr sharding = shardingOf(buffer.getTensorType());
  StringRef role = buffer.getRole();
  if (!sharding) {
    // Neither lies anywhere before lower-to-spmd.
    if (role != "coordinate")
      fail(buffer) << "has no sharding; run partition first";
    return;
  }
  if (failed(sharding.verifyEncoding(buffer.getTensorType().getShape(),
                                     buffer.getTensorType().getElementType(),
                                     [&] { return fail(buffer); })))
    return;
  if (sharding.getMesh() != mesh)
    fail(buffer) << "lies on the mesh " << sharding.getMesh()
                 << ", the module is for " << mesh;
  bool mayBePartial = role == "grad" || role == "scalar";
  if (sharding.isPartial() && !mayBePartial)
    fail(buffer) << "a buffer of the role '" << role << "' is partial over "
                 << axesText(sharding.partialAxes(), mesh)
                 << "; only gradient accumulators and scalars may be: reduce "
                    "before it is written";
  if (sharding.isPartial() && sharding.getReduction() != Reduction::Sum)
    fail(buffer) << "holds a partial maximum; only sums go on in later "
                    "programs";
  if (!buffer.getParam())
    return;
  auto param = symbols.lookup<BufferOp>(*buffer.getParam());
  if (!param || param.getRole() != "param") {
    fail(buffer) << "belongs to '" << *buffer.getParam()
                 << "', which is no parameter";
    return;
  }
  if (param.getTensorType().getShape() != buffer.getTensorType().getShape())
    fail(buffer) << "does not cover its parameter: "
                 << globalType(buffer.getTensorType()) << " for "
                 << globalType(param.getTensorType());
}

/// Every operand and result has a sharding of the module's mesh that is right
/// in itself: encodings may have been built without the factory.
bool VerifyShardingPass::hasShardings(Operation *op) {
  if (failed(verifyShardedTypes(op))) {
    isBroken = true;
    return false;
  }
  auto check = [&](Type type, StringRef kind, unsigned number) {
    ShardingAttr sharding = shardingOf(type);
    if (sharding && sharding.getMesh() == mesh)
      return true;
    auto diagnostic = fail(op) << kind << ' ' << number;
    if (!sharding)
      diagnostic << " has no sharding";
    else
      diagnostic << " lies on the mesh " << sharding.getMesh()
                 << ", the module is for " << mesh;
    return false;
  };
  for (auto [i, type] : llvm::enumerate(op->getOperandTypes()))
    if (!check(type, "operand", i))
      return false;
  for (auto [i, type] : llvm::enumerate(op->getResultTypes()))
    if (!check(type, "result", i))
      return false;
  return true;
}

/// The rest is in the op's own verifier.
void VerifyShardingPass::verifyReshard(ReshardOp op) {
  if (op.getReason().empty())
    fail(op) << "has no reason: what it becomes could not say why it exists";
}

/// Squares add up over ranks only if all summands are split alike, and a sum
/// has to be a sum before it is squared.
void VerifyShardingPass::verifySquareSum(SquareSumOp op) {
  SmallVector<AxisAttr> partial =
      llvm::to_vector(shardingOf(op.getSum().getType()).partialAxes());
  // Each stage has tensors of its own.
  if (AxisAttr pp = wholeAxis(mesh, "pp"); pp && pp.getSize() > 1) {
    if (!llvm::is_contained(partial, pp))
      fail(op) << "is whole over 'pp', but each stage has its own tensors: "
                  "their squares would not be counted on other stages";
    llvm::erase(partial, pp);
  }
  Pieces wanted = pieces(partial);
  for (auto [i, tensor] : llvm::enumerate(op.getTensors())) {
    ShardingAttr sharding = shardingOf(tensor.getType());
    if (sharding.isPartial()) {
      fail(op) << "squares operand " << i << ", which is partial over "
               << axesText(sharding.partialAxes(), mesh)
               << ": the sum of squares is not the square of the sum; reduce "
                  "it first";
      continue;
    }
    Pieces split;
    for (unsigned dim = 0; dim < sharding.getDims().size(); ++dim)
      split.append(pieces(sharding.axesOf(dim)));
    if (asSet(split) != asSet(wanted))
      fail(op) << "operand " << i << " is split over "
               << axesText(asSet(split), mesh)
               << ", but the sum is partial over " << axesText(wanted, mesh)
               << ": elements would be counted more than once, or not at all";
  }
  if (shardingOf(op.getSum().getType()).getReduction() != Reduction::Sum)
    fail(op) << "gives a partial maximum";
}

/// What a program returns lies as the buffer that takes it.
void VerifyShardingPass::verifyReturn(func::FuncOp func, SymbolTable &symbols) {
  Operation *ret = func.front().getTerminator();
  for (auto [i, value] : llvm::enumerate(ret->getOperands())) {
    auto name = func.getResultAttrOfType<FlatSymbolRefAttr>(i, kBufferAttr);
    auto buffer = name ? symbols.lookup<BufferOp>(name.getValue()) : BufferOp();
    if (!buffer) {
      isBroken = true;
      func.emitError("result ") << i << " of program '" << func.getName()
                                << "' is not written to a buffer";
      continue;
    }
    if (value.getType() == buffer.getTensorType() &&
        func.getResultTypes()[i] == value.getType())
      continue;
    isBroken = true;
    Operation *writer = value.getDefiningOp() ? value.getDefiningOp() : func;
    writer->emitError("program '")
        << func.getName() << "' writes " << value.getType() << " to " << name
        << ", which is " << buffer.getTensorType()
        << "; only nxdt.reshard changes how a tensor lies";
  }
}

void VerifyShardingPass::verifyProgram(func::FuncOp func,
                                       SymbolTable &symbols) {
  for (auto [i, argument] : llvm::enumerate(func.getArguments())) {
    BufferOp buffer = bufferOf(func, i, symbols);
    if (buffer && buffer.getTensorType() == argument.getType() &&
        func.getArgumentTypes()[i] == argument.getType())
      continue;
    isBroken = true;
    auto diagnostic = func.emitError("argument ")
                      << i << " of program '" << func.getName() << "' is ";
    if (!buffer)
      diagnostic << "no buffer";
    else
      diagnostic << argument.getType() << ", its buffer @"
                 << buffer.getSymName() << " is " << buffer.getTensorType();
  }
  for (Operation &op : func.front().without_terminator()) {
    if (!hasShardings(&op))
      continue;
    // The rest is in the op's own verifier.
    if (isa<StageTermOp>(op))
      continue;
    if (auto reshard = dyn_cast<ReshardOp>(op))
      verifyReshard(reshard);
    else if (auto squares = dyn_cast<SquareSumOp>(op))
      verifySquareSum(squares);
    else if (failed(OpSharding(&op, mesh).verify()))
      isBroken = true;
  }
  verifyReturn(func, symbols);
}

void VerifyShardingPass::runOnOperation() {
  isBroken = false;
  mesh = getOperation()->getAttrOfType<MeshAttr>(kMeshAttr);
  if (!mesh) {
    getOperation().emitError("verify-sharding needs the module attribute '")
        << kMeshAttr << "'";
    return signalPassFailure();
  }
  SymbolTable symbols(getOperation());
  for (auto buffer : getOperation().getOps<BufferOp>())
    verifyBuffer(buffer, symbols);
  for (auto func : getOperation().getOps<func::FuncOp>())
    verifyProgram(func, symbols);
  if (isBroken)
    signalPassFailure();
}
