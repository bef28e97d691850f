//===- FunctionalizeViews.cpp - writing through views ---------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Functionalize.h"

#include "llvm/ADT/StringSwitch.h"

using namespace mlir;
using namespace nxdt;

int32_t nxdt::viewedOperand(AtenOp op, unsigned result) {
  if (auto views = op.getViews())
    return (*views)[result];
  // An in-place operator returns what it wrote to.
  if (auto mutates = op.getMutates(); mutates && !mutates->empty())
    return op.getInputs()[mutates->front()].getType() ==
                   op->getResult(result).getType()
               ? mutates->front()
               : -1;
  const OpInfo *info = OpRegistry::get().lookup(op.getCallee());
  return info && info->aliasing == Aliasing::View && result == 0 ? 0 : -1;
}

namespace {
enum class Kind {
  Unknown,
  Reshape,  ///< the same elements in the same order
  Identity, ///< nothing changes, not even the shape
  Expand,
  Transpose,
  T,
  Permute,
  Slice,
  Narrow,
  Select,
  Diagonal,
  Split,
  Unbind,
};
} // namespace

static Kind kindOf(StringRef callee) {
  return llvm::StringSwitch<Kind>(callee)
      .Cases({"aten::view", "aten::reshape", "aten::_unsafe_view",
              "aten::view_as", "aten::reshape_as", "aten::flatten.using_ints",
              "aten::unflatten.int", "aten::unsqueeze", "aten::squeeze",
              "aten::squeeze.dim", "aten::squeeze.dims", "aten::ravel"},
             Kind::Reshape)
      .Cases({"aten::alias", "aten::contiguous", "aten::lift_fresh",
              "aten::to.dtype", "aten::to.dtype_layout", "aten::to.device",
              "aten::to.other", "aten::type_as", "aten::dropout",
              "aten::detach"},
             Kind::Identity)
      .Cases({"aten::expand", "aten::expand_as", "aten::broadcast_to"},
             Kind::Expand)
      .Cases({"aten::transpose.int", "aten::swapaxes", "aten::swapdims"},
             Kind::Transpose)
      .Cases({"aten::t", "aten::numpy_T", "aten::mT"}, Kind::T)
      .Case("aten::permute", Kind::Permute)
      .Case("aten::slice.Tensor", Kind::Slice)
      .Case("aten::narrow", Kind::Narrow)
      .Case("aten::select.int", Kind::Select)
      .Case("aten::diagonal", Kind::Diagonal)
      .Cases({"aten::split.Tensor", "aten::split_with_sizes",
              "aten::split.sizes", "aten::chunk",
              "aten::tensor_split.sections"},
             Kind::Split)
      .Case("aten::unbind.int", Kind::Unbind)
      .Default(Kind::Unknown);
}

static Value inversePermute(PureBuilder &pure, const CallArgs &args, Value base,
                            Value written) {
  ArrayRef<int64_t> dims = *args.integers(1);
  int64_t rank = dims.size();
  SmallVector<int64_t> inverse(rank);
  for (auto [to, from] : llvm::enumerate(dims))
    inverse[from < 0 ? from + rank : from] = to;
  return pure.call("aten::permute", {written, inverse}, base.getType());
}

/// Part `result` of a split starts where the parts before it end.
static Value scatterPart(PureBuilder &pure, AtenOp view, unsigned result,
                         const CallArgs &args, Value base, Value written) {
  int64_t rank = typeOf(base).getRank();
  int64_t dim = args.integer(2).value_or(0);
  if (dim < 0)
    dim += rank;
  int64_t start = 0;
  for (unsigned i = 0; i < result; ++i)
    start += typeOf(view->getResult(i)).getDimSize(dim);
  int64_t end = start + typeOf(written).getDimSize(dim);
  return pure.call("aten::slice_scatter", {base, written, dim, start, end, 1},
                   base.getType());
}

Value nxdt::writeThroughView(PureBuilder &pure, AtenOp view, unsigned result,
                             Value base, Value written, std::string &why) {
  CallArgs args(view.getArgs(), view.getInputs());
  RankedTensorType type = typeOf(base);
  auto attr = [&](unsigned position) { return Arg(args.attr(position)); };
  if (type.getElementType() != typeOf(written).getElementType()) {
    why = "'" + view.getCallee().str() + "' changes the element type";
    return nullptr;
  }
  Kind kind = kindOf(view.getCallee());
  if ((kind == Kind::Permute && !args.integers(1)) ||
      (kind == Kind::Narrow &&
       !(args.integer(1) && args.integer(2) && args.integer(3))))
    kind = Kind::Unknown;
  switch (kind) {
  case Kind::Unknown:
    break;
  case Kind::Identity:
    return written;
  case Kind::Reshape:
    return pure.reshape(written, type);
  case Kind::Expand:
    if (type.getNumElements() == typeOf(written).getNumElements())
      return pure.reshape(written, type);
    why = "'" + view.getCallee().str() +
          "' shows each element several times, so there is no one place to "
          "write to";
    return nullptr;
  case Kind::Transpose:
    return pure.call("aten::transpose.int", {written, attr(1), attr(2)}, type);
  case Kind::T:
    if (type.getRank() > 2 && view.getCallee() == "aten::mT")
      return pure.call("aten::transpose.int", {written, -2, -1}, type);
    if (type.getRank() > 2)
      break;
    return pure.call("aten::t", {written}, type);
  case Kind::Permute:
    return inversePermute(pure, args, base, written);
  case Kind::Slice:
    return pure.call("aten::slice_scatter",
                     {base, written, attr(1), attr(2), attr(3), attr(4)}, type);
  case Kind::Narrow: {
    int64_t start = *args.integer(2);
    int64_t dim = *args.integer(1);
    if (start < 0)
      start += type.getDimSize(dim < 0 ? dim + type.getRank() : dim);
    return pure.call("aten::slice_scatter",
                     {base, written, dim, start, start + *args.integer(3), 1},
                     type);
  }
  case Kind::Select:
    return pure.call("aten::select_scatter", {base, written, attr(1), attr(2)},
                     type);
  case Kind::Diagonal:
    return pure.call("aten::diagonal_scatter",
                     {base, written, attr(1), attr(2), attr(3)}, type);
  case Kind::Split:
    return scatterPart(pure, view, result, args, base, written);
  case Kind::Unbind:
    return pure.call("aten::select_scatter",
                     {base, written, attr(1), static_cast<int64_t>(result)},
                     type);
  }
  why = "no inverse of the view '" + view.getCallee().str() + "' is known";
  return nullptr;
}
