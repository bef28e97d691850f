//===- FunctionalizeInPlace.cpp - pure counterparts of in-place operators -===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Functionalize.h"

#include "llvm/ADT/StringSwitch.h"

using namespace mlir;
using namespace nxdt;

Value PureBuilder::call(StringRef callee, ArrayRef<Arg> args, Type type) {
  AtenOp op = AtenBuilder(builder, loc).callMulti(callee, args, type);
  op.setNoGrad(noGrad);
  return op->getResult(0);
}

Value PureBuilder::reshape(Value value, RankedTensorType type) {
  if (typeOf(value).getShape() == type.getShape())
    return value;
  return call(
      "aten::reshape", {value, type.getShape()},
      RankedTensorType::get(type.getShape(), typeOf(value).getElementType()));
}

Value PureBuilder::cast(Value value, Type elementType) {
  if (typeOf(value).getElementType() == elementType)
    return value;
  return call("aten::to.dtype", {value, elementType, false, false, kNone},
              RankedTensorType::get(typeOf(value).getShape(), elementType));
}

Value PureBuilder::expand(Value value, RankedTensorType type) {
  if (typeOf(value).getShape() == type.getShape())
    return value;
  return call(
      "aten::expand", {value, type.getShape(), false},
      RankedTensorType::get(type.getShape(), typeOf(value).getElementType()));
}

namespace {
/// Element type of a pure operator's result, before it is cast back to that
/// of the tensor that the in-place form would have written.
enum class Result {
  None,    ///< no pure counterpart known
  Self,    ///< that of operand 0
  Promote, ///< libtorch's promotion of all operands
  Bool,
};
} // namespace

/// In-place operators `aten::<stem>_[.overload]` whose pure counterpart
/// `aten::<stem>[.overload]` takes the same arguments.
static Result resultOf(StringRef stem) {
  return llvm::StringSwitch<Result>(stem)
      // Arithmetic.
      .Cases({"add",          "sub",         "subtract",   "mul",
              "multiply",     "div",         "divide",     "true_divide",
              "floor_divide", "fmod",        "remainder",  "pow",
              "addcmul",      "addcdiv",     "lerp",       "xlogy",
              "atan2",        "clamp",       "clip",       "clamp_min",
              "clamp_max",    "bitwise_and", "bitwise_or", "bitwise_xor"},
             Result::Promote)
      // Functions of one tensor.
      .Cases({"abs",         "absolute",   "neg",       "negative",
              "exp",         "exp2",       "expm1",     "log",
              "log2",        "log10",      "log1p",     "sqrt",
              "rsqrt",       "reciprocal", "square",    "sin",
              "cos",         "tan",        "asin",      "acos",
              "atan",        "sinh",       "cosh",      "tanh",
              "asinh",       "acosh",      "atanh",     "floor",
              "ceil",        "round",      "trunc",     "fix",
              "frac",        "sign",       "sgn",       "erf",
              "erfc",        "erfinv",     "lgamma",    "digamma",
              "sigmoid",     "logit",      "relu",      "relu6",
              "silu",        "gelu",       "elu",       "celu",
              "selu",        "mish",       "hardtanh",  "hardswish",
              "hardsigmoid", "leaky_relu", "threshold", "nan_to_num",
              "bitwise_not", "dropout"},
             Result::Self)
      // Parts of a tensor.
      .Cases({"masked_fill", "masked_scatter", "index_put", "index_add",
              "index_copy", "index_fill", "scatter", "scatter_add", "triu",
              "tril", "cumsum", "cumprod"},
             Result::Self)
      // Products.
      .Cases({"addmm", "addmv", "addr", "baddbmm", "addbmm"}, Result::Self)
      .Cases({"eq", "ne", "lt", "le", "gt", "ge", "logical_not", "logical_and",
              "logical_or", "logical_xor"},
             Result::Bool)
      .Default(Result::None);
}

/// The pure counterpart's name and kind; Result::None if there is none.
static std::pair<std::string, Result> pureCallee(StringRef callee) {
  auto [name, overload] = callee.split('.');
  if (!name.consume_front("aten::") || !name.consume_back("_"))
    return {"", Result::None};
  Result kind = resultOf(name);
  // `pow` is the one whose overloads are named for both operands.
  if (name == "pow" && (overload == "Scalar" || overload == "Tensor"))
    return {("aten::pow.Tensor_" + overload).str(), kind};
  std::string pure = ("aten::" + name).str();
  if (!overload.empty())
    pure += ("." + overload).str();
  return {pure, kind};
}

static RankedTensorType pureType(AtenOp op, StringRef callee, Result kind) {
  CallArgs args(op.getArgs(), op.getInputs());
  const OpInfo *info = OpRegistry::get().lookup(callee);
  if (info && info->infer)
    if (auto types = info->infer(args); succeeded(types) && types->size() == 1)
      return (*types)[0];
  RankedTensorType self = typeOf(op.getInputs()[0]);
  Type element = self.getElementType();
  if (kind == Result::Bool)
    element = IntegerType::get(op.getContext(), 1);
  if (kind == Result::Promote)
    for (Value input : op.getInputs().drop_front())
      element = promote(RankedTensorType::get(self.getShape(), element),
                        typeOf(input));
  return RankedTensorType::get(self.getShape(), element);
}

/// `copy_`, `fill_` and `zero_` do not read what they overwrite.
static Value buildOverwrite(PureBuilder &pure, AtenOp op) {
  CallArgs args(op.getArgs(), op.getInputs());
  RankedTensorType self = typeOf(op.getInputs()[0]);
  Type element = self.getElementType();
  auto full = [&](Arg value) {
    return pure.call("aten::full",
                     {self.getShape(), value, element, kNone,
                      Arg(Attribute(DeviceAttr::get(op.getContext()))), kNone},
                     self);
  };
  if (op.getCallee() == "aten::zero_") {
    if (element.isInteger(1))
      return full(false);
    return isa<FloatType>(element) ? full(0.0) : full(0);
  }
  if (op.getCallee() == "aten::fill_.Scalar")
    return full(Arg(args.attr(1)));
  if (op.getCallee() == "aten::fill_.Tensor" || op.getCallee() == "aten::copy_")
    return pure.expand(pure.cast(args.tensor(1), element), self);
  return nullptr;
}

Value nxdt::buildPureCounterpart(PureBuilder &pure, AtenOp op,
                                 std::string &why) {
  if (op.getMutatesAttr().asArrayRef() != ArrayRef<int32_t>{0}) {
    why = "it writes to other operands than its first";
    return nullptr;
  }
  if (Value overwritten = buildOverwrite(pure, op))
    return overwritten;
  auto [callee, kind] = pureCallee(op.getCallee());
  if (kind == Result::None) {
    why = "no pure counterpart of it is known";
    return nullptr;
  }
  RankedTensorType self = typeOf(op.getInputs()[0]);
  RankedTensorType type = pureType(op, callee, kind);
  if (type.getShape() != self.getShape()) {
    why = "its result does not have the shape of what it writes to";
    return nullptr;
  }
  auto call = AtenOp::create(
      pure.builder, pure.loc, TypeRange(ArrayRef<Type>(type)),
      pure.builder.getStringAttr(callee), op.getInputs(), op.getArgs(),
      DenseI32ArrayAttr(), DenseI32ArrayAttr(), UnitAttr());
  call.setNoGrad(pure.noGrad);
  return pure.cast(call->getResult(0), self.getElementType());
}
