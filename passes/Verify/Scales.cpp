//===- Scales.cpp - factors that values are multiplied by -----------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Scales.h"

#include "nxdt/Registry/OpRegistry.h"

#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace nxdt;

static CallArgs argsOf(AtenOp op) {
  return CallArgs(op.getArgs(), op.getInputs());
}

static bool isFloat(Value value) {
  return isa<FloatType>(typeOf(value).getElementType());
}

std::optional<double> nxdt::constantOf(Value value) {
  Multiple from = multipleOf(value);
  auto op = from.base.getDefiningOp<AtenOp>();
  if (!op)
    return std::nullopt;
  if (op.getCallee() == "aten::zeros")
    return 0.0;
  if (op.getCallee() == "aten::ones")
    return from.factor;
  std::optional<double> number;
  if (op.getCallee() == "aten::full")
    number = argsOf(op).number(1);
  if (!number)
    return std::nullopt;
  return *number * from.factor;
}

/// The op's result as a multiple of its operand 0; nothing if it is none.
static std::optional<double> factorOf(AtenOp op) {
  static const llvm::StringSet<> moves = {"aten::to.dtype",
                                          "aten::_to_copy",
                                          "aten::clone",
                                          "aten::contiguous",
                                          "aten::alias",
                                          "aten::detach",
                                          "aten::view",
                                          "aten::reshape",
                                          "aten::_unsafe_view",
                                          "aten::transpose.int",
                                          "aten::t",
                                          "aten::permute",
                                          "aten::constant_pad_nd",
                                          "aten::unsqueeze",
                                          "aten::slice.Tensor",
                                          "aten::masked_fill.Scalar"};
  CallArgs args = argsOf(op);
  StringRef callee = op.getCallee();
  // Zeros in padding and around parts.
  if (callee == "aten::masked_fill.Scalar" || callee == "aten::constant_pad_nd")
    return args.number(2) == 0.0 ? std::optional<double>(1.0) : std::nullopt;
  if (callee == "aten::to.dtype" && !isFloat(op->getResult(0)) &&
      isFloat(op->getOperand(0)))
    return std::nullopt;
  if (moves.contains(callee))
    return 1.0;
  if (callee == "aten::neg")
    return -1.0;
  if (callee == "aten::mul.Scalar")
    return args.number(1);
  if (callee == "aten::div.Scalar" && args.number(1))
    return 1.0 / *args.number(1);
  if (callee != "aten::mul.Tensor" && callee != "aten::div.Tensor")
    return std::nullopt;
  std::optional<double> number = constantOf(op->getOperand(1));
  if (number && callee == "aten::div.Tensor")
    return 1.0 / *number;
  return number;
}

Multiple nxdt::multipleOf(Value value) {
  Multiple result{value, 1.0};
  while (Operation *op = result.base.getDefiningOp()) {
    if (auto aten = dyn_cast<AtenOp>(op)) {
      std::optional<double> factor =
          aten.getInputs().empty() ? std::nullopt : factorOf(aten);
      if (!factor)
        break;
      result.factor *= *factor;
    } else if (isa<AllReduceOp, ReduceScatterOp>(op)) {
      if (op->getAttrOfType<StringAttr>("reduction").getValue() != "sum")
        break;
    } else if (!isa<ReshardOp, AllGatherOp, AllSliceOp, StageTermOp>(op)) {
      break;
    }
    result.base = op->getOperand(0);
  }
  return result;
}

static std::string shown(StringRef name, double number) {
  std::string text;
  llvm::raw_string_ostream os(text);
  // All digits: two factors are one only if they are equal.
  os << name << " by " << llvm::format("%.17g", number);
  return text;
}

/// The constant factor that an op brings in.
static std::optional<std::string> scaleOf(Operation *op) {
  if (auto sdpa = dyn_cast<SdpaOp>(op))
    return shown("nxdt.sdpa", sdpa.getScale().convertToDouble());
  if (auto sdpa = dyn_cast<SdpaBackwardOp>(op))
    return shown("nxdt.sdpa_backward", sdpa.getScale().convertToDouble());
  // What is added once too often has a factor, too.
  if (isa<AccumulateOp>(op))
    return "nxdt.accumulate";
  auto aten = dyn_cast<AtenOp>(op);
  if (!aten || op->getNumResults() != 1 || !isFloat(op->getResult(0)))
    return std::nullopt;
  CallArgs args = argsOf(aten);
  StringRef callee = aten.getCallee();
  std::optional<double> number;
  if (callee == "aten::mul.Scalar" || callee == "aten::div.Scalar" ||
      callee == "aten::full" || callee == "aten::full_like")
    number = args.number(1);
  // alpha
  if (callee == "aten::add.Tensor" || callee == "aten::sub.Tensor")
    if (std::optional<double> alpha = args.number(2); alpha && *alpha != 1.0)
      number = alpha;
  if (callee == "aten::ones" || callee == "aten::ones_like")
    number = 1.0;
  // Zeros are made where they are needed.
  if (!number || (*number == 0.0 && callee.starts_with("aten::full")))
    return std::nullopt;
  return shown(callee, *number);
}

std::map<std::string, SmallVector<Operation *>>
nxdt::scalesOf(func::FuncOp func, bool again) {
  std::map<std::string, SmallVector<Operation *>> scales;
  for (Operation &op : func.front())
    if (again || !op.hasAttr(kRecomputedAttr))
      if (std::optional<std::string> scale = scaleOf(&op))
        scales[*scale].push_back(&op);
  return scales;
}

/// No factor came or went since the step was built: neither partitioning nor
/// reductions multiply by anything.
LogicalResult nxdt::compareScales(func::FuncOp func) {
  bool isBroken = false;
  auto fail = [&](Operation *op) {
    isBroken = true;
    return op->emitError();
  };
  auto programs =
      func->getParentOp()->getAttrOfType<DictionaryAttr>(kScalesAttr);
  auto counts = programs.getAs<DictionaryAttr>(func.getName());
  if (!counts) {
    fail(func) << "program '" << func.getName() << "' is not in '"
               << kScalesAttr << "'";
    return failure();
  }
  bool isStage = func->getParentOp()->hasAttr(kChunksAttr);
  auto scales = scalesOf(func, /*again=*/false);
  auto countOf = [&](StringRef scale) -> int64_t {
    auto count = counts.getAs<IntegerAttr>(scale);
    return count ? count.getInt() : 0;
  };
  for (auto &[scale, ops] : scales)
    if (int64_t(ops.size()) > countOf(scale))
      fail(ops.back()) << "program '" << func.getName() << "' has "
                       << ops.size() << " times '" << scale
                       << "', the step as it was built " << countOf(scale)
                       << " times: a factor too many";
  for (NamedAttribute count : counts)
    if (!scales.contains(count.getName().str()) ||
        int64_t(scales[count.getName().str()].size()) <
            cast<IntegerAttr>(count.getValue()).getInt())
      fail(func) << "program '" << func.getName() << "' has lost a '"
                 << count.getName().getValue() << "'";
  for (auto &[scale, ops] : scalesOf(func, /*again=*/true))
    // A stage computes again what its forward did, which is another program.
    if (isStage
            ? llvm::none_of(
                  programs,
                  [&](NamedAttribute other) {
                    return cast<DictionaryAttr>(other.getValue()).get(scale);
                  })
            : !counts.get(scale))
      fail(ops.back()) << "'" << scale
                       << "' is said to be computed again, but never was";
  return failure(isBroken);
}
