//===- VerifyCapture.cpp - what a captured module must hold ---------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "nxdt/Passes/Passes.h"
#include "nxdt/Registry/OpRegistry.h"

#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringSet.h"

namespace nxdt {
#define GEN_PASS_DEF_VERIFYCAPTURE
#include "nxdt/Passes/Passes.h.inc"
} // namespace nxdt

using namespace mlir;
using namespace nxdt;

static bool isFloat(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && isa<FloatType>(type.getElementType());
}

/// "aten::normal_.x" -> "normal".
static StringRef stem(StringRef callee) {
  StringRef name = callee.split("::").second.split('.').first;
  name.consume_back("_");
  return name;
}

/// Operators that draw random numbers, whatever their arguments.
static bool isRandom(AtenOp op) {
  static const llvm::StringSet<> always = {
      "rand",        "randn",      "randint",         "randperm",
      "rand_like",   "randn_like", "randint_like",    "normal",
      "uniform",     "bernoulli",  "multinomial",     "poisson",
      "exponential", "geometric",  "cauchy",          "log_normal",
      "random",      "binomial",   "rrelu_with_noise"};
  // Operators that are the identity where this argument is false or 0.
  static const llvm::StringMap<std::pair<unsigned, unsigned>> unlessOff = {
      // Positions of the probability and of `train`.
      {"dropout", {1, 2}},
      {"native_dropout", {1, 2}},
      {"feature_dropout", {1, 2}},
      {"alpha_dropout", {1, 2}},
      {"feature_alpha_dropout", {1, 2}}};
  if (!op.getCallee().starts_with("aten::"))
    return false;
  StringRef name = stem(op.getCallee());
  if (always.contains(name))
    return true;
  CallArgs args(op.getArgs(), op.getInputs());
  if (name == "scaled_dot_product_attention")
    return args.number(4).value_or(0) != 0;
  if (name == "rrelu")
    return args.boolean(3).value_or(true);
  auto it = unlessOff.find(name);
  if (it == unlessOff.end())
    return false;
  auto [probability, train] = it->second;
  return args.number(probability).value_or(1) != 0 &&
         args.boolean(train).value_or(true);
}

/// Operators whose result shapes, or plain numbers, depend on the contents of
/// tensors: a plan has none of these.
static bool dependsOnData(AtenOp op) {
  static const llvm::StringSet<> names = {
      "nonzero",       "nonzero_numpy", "argwhere",
      "masked_select", "item",          "_local_scalar_dense",
      "is_nonzero",    "unique",        "unique2",
      "unique_dim",    "bincount",      "unique_consecutive",
      "_unique",       "_unique2",      "equal",
      "allclose"};
  if (!op.getCallee().starts_with("aten::"))
    return false;
  if (names.contains(stem(op.getCallee())))
    return true;
  CallArgs args(op.getArgs(), op.getInputs());
  if (op.getCallee() == "aten::repeat_interleave.Tensor")
    return true;
  // A mask as index selects as many elements as it has trues.
  if (op.getCallee() == "aten::index.Tensor")
    return llvm::any_of(args.tensors(1), [](Value index) {
      return index && cast<RankedTensorType>(index.getType())
                          .getElementType()
                          .isInteger(1);
    });
  return false;
}

namespace {
struct VerifyCapturePass : nxdt::impl::VerifyCaptureBase<VerifyCapturePass> {
  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    for (auto func : getOperation().getOps<func::FuncOp>()) {
      verifyTypes(func);
      noteParams(func, symbols);
      func.walk([&](AtenOp op) { verifyOp(op); });
      warnOfUnused(func, symbols);
    }
    remarkUnknown();
    if (isBroken)
      signalPassFailure();
  }

private:
  void verifyTypes(func::FuncOp func);
  void noteParams(func::FuncOp func, SymbolTable &symbols);
  void verifyOp(AtenOp op);
  void warnOfUnused(func::FuncOp func, SymbolTable &symbols);
  void remarkUnknown();

  bool isBroken = false;
  /// Values that a parameter's gradient passes through.
  DenseSet<Value> varied;
  struct Unknown {
    int64_t count = 0;
    /// How many of them a parameter's gradient passes through.
    int64_t needGradient = 0;
  };
  llvm::MapVector<StringRef, Unknown> unknown;
};
} // namespace

void VerifyCapturePass::verifyTypes(func::FuncOp func) {
  auto check = [&](Type type, StringRef what, unsigned number) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (tensor && tensor.hasStaticShape())
      return;
    func.emitError(what) << " " << number << " of @" << func.getName() << " is "
                         << type
                         << "; every shape must be known when compiling";
    isBroken = true;
  };
  for (auto [i, type] : llvm::enumerate(func.getArgumentTypes()))
    check(type, "argument", i);
  for (auto [i, type] : llvm::enumerate(func.getResultTypes()))
    check(type, "result", i);
}

void VerifyCapturePass::noteParams(func::FuncOp func, SymbolTable &symbols) {
  for (BlockArgument argument : func.getArguments()) {
    BufferOp buffer = bufferOf(func, argument.getArgNumber(), symbols);
    if (buffer && buffer.getRole() == "param" && isFloat(argument))
      varied.insert(argument);
  }
}

void VerifyCapturePass::verifyOp(AtenOp op) {
  auto refuse = [&](const Twine &why) {
    op.emitError("'") << op.getCallee() << "' " << why;
    isBroken = true;
  };
  auto isSet = [](DenseI32ArrayAttr attr) { return attr && !attr.empty(); };
  // Without the attribute, the name of a mutation gives it away.
  StringRef name = op.getCallee().split('.').first;
  if (isSet(op.getMutatesAttr()) ||
      (name.starts_with("aten::") && name.ends_with("_") &&
       !name.ends_with("__")))
    return refuse("mutates a tensor; run functionalize first");
  if (isSet(op.getViewsAttr()))
    return refuse("returns a view; run functionalize first");
  if (isRandom(op))
    return refuse("draws random numbers, which is not supported yet (for "
                  "dropout: set its probability to 0)");
  if (dependsOnData(op))
    return refuse("has a result whose size depends on the contents of a "
                  "tensor; a plan's shapes are fixed");
  const OpInfo *info = OpRegistry::get().lookup(op.getCallee());
  bool isVaried = !op.getNoGrad() && !(info && info->noGradient) &&
                  llvm::any_of(op.getInputs(), [&](Value operand) {
                    return varied.contains(operand);
                  });
  for (Value result : op->getResults())
    if (isVaried && isFloat(result))
      varied.insert(result);
  if (info && (info->vjp || info->noGradient))
    return;
  Unknown &entry = unknown[op.getCallee()];
  ++entry.count;
  entry.needGradient += isVaried;
}

void VerifyCapturePass::warnOfUnused(func::FuncOp func, SymbolTable &symbols) {
  for (BlockArgument argument : func.getArguments()) {
    BufferOp buffer = bufferOf(func, argument.getArgNumber(), symbols);
    if (buffer && buffer.getRole() == "param" && argument.use_empty())
      buffer.emitWarning("parameter @")
          << buffer.getSymName() << " is not used in @" << func.getName()
          << "; its gradient is zero";
  }
}

/// One remark for all: they are found together and fixed together.
void VerifyCapturePass::remarkUnknown() {
  if (unknown.empty())
    return;
  InFlightDiagnostic remark = getOperation().emitRemark();
  remark << unknown.size()
         << (unknown.size() == 1 ? " operator has" : " operators have")
         << " no gradient in the registry; libtorch's autograd computes it at "
            "run time and runs the forward a second time:";
  StringRef separator = " ";
  for (auto &[callee, entry] : unknown) {
    remark << separator << callee << " (" << entry.count << "x";
    if (entry.needGradient == 0)
      remark << ", none needed";
    else if (entry.needGradient != entry.count)
      remark << ", " << entry.needGradient << " needed";
    remark << ")";
    separator = ", ";
  }
}
