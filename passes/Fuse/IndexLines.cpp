//===- IndexLines.cpp - tensors as functions of their indices -------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "IndexLines.h"

#include "LineMath.h"

#include "mlir/Interfaces/FunctionInterfaces.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;
using namespace nxdt;

/// Deeper than any mask; keeps hostile input off the stack's end.
static constexpr int kMaxDepth = 200;

/// One line of the result of one operator.
struct IndexLines::Query {
  StringRef callee;
  CallArgs args;
  RankedTensorType type;
  ArrayRef<int64_t> index;
  int64_t axis;
  /// Elements of the line.
  int64_t size;
};

static Line constantLine(int64_t size, double value) {
  return {{0, size, 0.0, value}};
}

static int64_t wrap(int64_t dim, int64_t rank) {
  return dim < 0 ? dim + rank : dim;
}

FailureOr<Line> IndexLines::fail(const Twine &because) {
  reason = because.str();
  return failure();
}

//===----------------------------------------------------------------------===//
// Entry points
//===----------------------------------------------------------------------===//

FailureOr<Line> IndexLines::row(Value value, ArrayRef<int64_t> shape,
                                int64_t row) {
  int64_t rank = shape.size();
  SmallVector<int64_t> index(rank, kAny);
  index[rank - 2] = row;
  return broadcastLine(value, shape, index, rank - 1);
}

FailureOr<double> IndexLines::constant(Value value) {
  auto type = cast<RankedTensorType>(value.getType());
  SmallVector<int64_t> index;
  for (int64_t size : type.getShape())
    index.push_back(size == 1 ? 0 : kAny);
  FailureOr<Line> point = line(value, index, kPoint);
  if (failed(point))
    return failure();
  return point->front().offset;
}

static std::string nameOf(BlockArgument argument) {
  unsigned number = argument.getArgNumber();
  auto func = dyn_cast<FunctionOpInterface>(argument.getOwner()->getParentOp());
  auto buffer =
      func ? func.getArgAttrOfType<FlatSymbolRefAttr>(number, kBufferAttr)
           : FlatSymbolRefAttr();
  return buffer ? "@" + buffer.getValue().str()
                : "argument " + std::to_string(number);
}

FailureOr<Line> IndexLines::line(Value value, ArrayRef<int64_t> index,
                                 int64_t axis) {
  auto type = cast<RankedTensorType>(value.getType());
  auto op = value.getDefiningOp<AtenOp>();
  if (!op) {
    if (auto argument = dyn_cast<BlockArgument>(value))
      return fail(nameOf(argument));
    return fail("the result of '" +
                value.getDefiningOp()->getName().getStringRef() + "'");
  }
  if (depth == kMaxDepth)
    return fail("more than " + Twine(kMaxDepth) + " operators");
  ++depth;
  int64_t size = axis == kPoint ? 1 : type.getDimSize(axis);
  FailureOr<Line> result =
      size == 0
          ? fail("no elements")
          : evaluate({op.getCallee(), CallArgs(op.getArgs(), op.getInputs()),
                      type, index, axis, size});
  --depth;
  if (failed(result))
    return failure();
  return toElement(std::move(*result), type.getElementType());
}

FailureOr<Line> IndexLines::toElement(Line line, Type element) {
  Line result;
  if (failed(castLine(line, element, result)))
    return fail("numbers that its element type rounds");
  return result;
}

FailureOr<Line> IndexLines::evaluate(const Query &query) {
  reason.clear();
  using Handler = FailureOr<Line> (IndexLines::*)(const Query &);
  auto [name, overload] = query.callee.split('.');
  Handler handler =
      llvm::StringSwitch<Handler>(name)
          .Cases({"aten::arange", "aten::zeros", "aten::ones", "aten::full",
                  "aten::scalar_tensor", "aten::zeros_like", "aten::ones_like",
                  "aten::full_like", "aten::new_zeros", "aten::new_ones",
                  "aten::new_full"},
                 &IndexLines::factory)
          .Cases({"aten::to",           "aten::_to_copy",   "aten::type_as",
                  "aten::clone",        "aten::contiguous", "aten::alias",
                  "aten::detach",       "aten::lift_fresh", "aten::unsqueeze",
                  "aten::squeeze",      "aten::view",       "aten::reshape",
                  "aten::_unsafe_view", "aten::view_as",    "aten::flatten",
                  "aten::unflatten",    "aten::expand",     "aten::expand_as",
                  "aten::broadcast_to", "aten::transpose",  "aten::t",
                  "aten::permute"},
                 &IndexLines::moved)
          .Cases({"aten::slice", "aten::narrow", "aten::select"},
                 &IndexLines::part)
          .Cases({"aten::triu", "aten::tril"}, &IndexLines::triangle)
          .Cases({"aten::add", "aten::sub", "aten::rsub", "aten::mul",
                  "aten::div", "aten::neg"},
                 &IndexLines::arithmetic)
          .Cases({"aten::eq", "aten::ne", "aten::lt", "aten::le", "aten::gt",
                  "aten::ge", "aten::logical_not", "aten::logical_and",
                  "aten::logical_or", "aten::logical_xor", "aten::bitwise_not",
                  "aten::bitwise_and", "aten::bitwise_or"},
                 &IndexLines::logic)
          .Cases({"aten::where", "aten::masked_fill"}, &IndexLines::selection)
          .Default(nullptr);
  if (!handler)
    return fail("'" + query.callee + "'");
  FailureOr<Line> result = (this->*handler)(query);
  // A handler that gives up without a word does not know the overload.
  if (failed(result) && reason.empty())
    return fail("'" + query.callee + "'");
  return result;
}

//===----------------------------------------------------------------------===//
// Operands
//===----------------------------------------------------------------------===//

/// Dimension `d` of the result is dimension `d - (rank - operand rank)` of the
/// operand, unless the operand has size 1 there or lacks it.
FailureOr<Line> IndexLines::broadcastLine(Value value, ArrayRef<int64_t> shape,
                                          ArrayRef<int64_t> index,
                                          int64_t axis) {
  auto type = cast<RankedTensorType>(value.getType());
  int64_t extra = static_cast<int64_t>(shape.size()) - type.getRank();
  SmallVector<int64_t> inner;
  for (int64_t d = 0; d < type.getRank(); ++d)
    inner.push_back(type.getDimSize(d) == 1 ? 0 : index[d + extra]);
  int64_t size = axis == kPoint ? 1 : shape[axis];
  int64_t innerAxis = axis == kPoint ? kPoint : axis - extra;
  if (innerAxis >= 0 && type.getDimSize(innerAxis) != size)
    innerAxis = kPoint;
  FailureOr<Line> result =
      line(value, inner, innerAxis < 0 ? kPoint : innerAxis);
  if (failed(result) || innerAxis >= 0)
    return result;
  return constantLine(size, result->front().offset);
}

FailureOr<Line> IndexLines::operand(const Query &query, unsigned position) {
  Value value = query.args.tensor(position);
  if (!value)
    return failure();
  return broadcastLine(value, query.type.getShape(), query.index, query.axis);
}

FailureOr<Line> IndexLines::numberOrOperand(const Query &query,
                                            unsigned position) {
  if (std::optional<double> number = query.args.number(position))
    return constantLine(query.size, *number);
  return operand(query, position);
}

//===----------------------------------------------------------------------===//
// Factories
//===----------------------------------------------------------------------===//

FailureOr<Line> IndexLines::factory(const Query &query) {
  StringRef callee = query.callee;
  const CallArgs &args = query.args;
  if (callee.starts_with("aten::arange")) {
    bool hasStart = callee != "aten::arange";
    std::optional<double> start = hasStart ? args.number(0) : 0.0;
    std::optional<double> step =
        callee == "aten::arange.start_step" ? args.number(2) : 1.0;
    if (!start || !step)
      return failure();
    if (query.axis != kPoint)
      return Line{{0, query.size, *step, *start}};
    if (query.index[0] == kAny)
      return fail("the batch or the head");
    return constantLine(1, *start + *step * query.index[0]);
  }
  std::optional<double> value =
      llvm::StringSwitch<std::optional<double>>(callee)
          .Cases({"aten::zeros", "aten::zeros_like", "aten::new_zeros"}, 0.0)
          .Cases({"aten::ones", "aten::ones_like", "aten::new_ones"}, 1.0)
          .Cases({"aten::full", "aten::full_like"}, args.number(1))
          .Case("aten::new_full", args.number(2))
          .Case("aten::scalar_tensor", args.number(0))
          .Default(std::nullopt);
  if (!value)
    return failure();
  return constantLine(query.size, *value);
}

//===----------------------------------------------------------------------===//
// Moved elements
//===----------------------------------------------------------------------===//

/// Which dimension of the operand each dimension of the result is, or -1 for
/// dimensions of size 1 that come from nowhere; nullopt if elements change
/// places in another way.
static std::optional<SmallVector<int64_t>> dimsOf(StringRef callee,
                                                  const CallArgs &args,
                                                  RankedTensorType from,
                                                  RankedTensorType to) {
  int64_t rank = to.getRank();
  SmallVector<int64_t> dims;
  if (callee == "aten::transpose.int" || callee == "aten::t") {
    for (int64_t d = 0; d < rank; ++d)
      dims.push_back(d);
    if (callee == "aten::t")
      std::reverse(dims.begin(), dims.end());
    else if (rank > 0)
      std::swap(dims[wrap(args.integer(1).value_or(0), rank)],
                dims[wrap(args.integer(2).value_or(0), rank)]);
    return dims;
  }
  if (callee == "aten::permute") {
    auto order = args.integers(1);
    if (!order || static_cast<int64_t>(order->size()) != rank)
      return std::nullopt;
    for (int64_t dim : *order)
      dims.push_back(wrap(dim, rank));
    return dims;
  }
  // Whatever else keeps the order of elements: the dimensions that are not of
  // size 1 correspond, in order.
  int64_t next = 0;
  auto skipUnits = [&] {
    while (next < from.getRank() && from.getDimSize(next) == 1)
      ++next;
  };
  for (int64_t size : to.getShape()) {
    if (size == 1) {
      dims.push_back(-1);
      continue;
    }
    skipUnits();
    if (next == from.getRank() || from.getDimSize(next) != size)
      return std::nullopt;
    dims.push_back(next++);
  }
  skipUnits();
  if (next != from.getRank())
    return std::nullopt;
  return dims;
}

FailureOr<Line> IndexLines::moved(const Query &query) {
  Value value = query.args.tensor(0);
  if (!value)
    return failure();
  auto from = cast<RankedTensorType>(value.getType());
  StringRef callee = query.callee;
  if (callee == "aten::view.dtype")
    return failure();
  StringRef name = callee.split('.').first;
  bool isExpand = name == "aten::expand" || name == "aten::expand_as" ||
                  name == "aten::broadcast_to";
  bool isPermuted =
      name == "aten::transpose" || name == "aten::t" || name == "aten::permute";
  if (isExpand || (!isPermuted && from.getShape() == query.type.getShape()))
    return operand(query, 0);
  auto dims = dimsOf(query.callee, query.args, from, query.type);
  if (!dims)
    return fail("'" + query.callee + "', which splits or merges dimensions");
  SmallVector<int64_t> inner(from.getRank(), 0);
  int64_t axis = kPoint;
  for (auto [d, source] : llvm::enumerate(*dims)) {
    if (source < 0)
      continue;
    inner[source] = query.index[d];
    if (static_cast<int64_t>(d) == query.axis)
      axis = source;
  }
  FailureOr<Line> result = line(value, inner, axis);
  if (failed(result) || axis != kPoint)
    return result;
  return constantLine(query.size, result->front().offset);
}

FailureOr<Line> IndexLines::part(const Query &query) {
  Value value = query.args.tensor(0);
  auto dimArg = query.args.integer(1);
  if (!value || !dimArg)
    return failure();
  auto from = cast<RankedTensorType>(value.getType());
  int64_t dim = wrap(*dimArg, from.getRank());
  int64_t size = from.getDimSize(dim);
  int64_t start = std::clamp<int64_t>(
      wrap(query.args.integer(2).value_or(0), size), 0, size);
  SmallVector<int64_t> inner(query.index);
  if (query.callee == "aten::select.int") {
    inner.insert(inner.begin() + dim, start);
    int64_t axis = query.axis;
    return line(value, inner, axis >= dim ? axis + 1 : axis);
  }
  bool isSlice = query.callee == "aten::slice.Tensor";
  int64_t step = isSlice ? query.args.integer(4).value_or(1) : 1;
  if (query.axis != dim && inner[dim] != kAny)
    inner[dim] = start + step * inner[dim];
  FailureOr<Line> whole = line(value, inner, query.axis);
  if (failed(whole) || query.axis != dim)
    return whole;
  Line result;
  auto firstFrom = [&](int64_t position) {
    return std::clamp<int64_t>((position - start + step - 1) / step, 0,
                               query.size);
  };
  for (const Piece &piece : *whole) {
    int64_t begin = piece.begin <= start ? 0 : firstFrom(piece.begin);
    int64_t end = piece.end <= start ? 0 : firstFrom(piece.end);
    if (begin < end)
      result.push_back({begin, end, piece.slope * step,
                        piece.slope == 0 ? piece.offset : piece.at(start)});
  }
  return result;
}

FailureOr<Line> IndexLines::triangle(const Query &query) {
  int64_t rank = query.type.getRank();
  bool isUpper = query.callee == "aten::triu";
  int64_t diagonal = query.args.integer(1).value_or(0);
  int64_t i = query.index[rank - 2], j = query.index[rank - 1];
  bool alongRow = query.axis == rank - 1, alongColumn = query.axis == rank - 2;
  if ((!alongRow && j == kAny) || (!alongColumn && i == kAny))
    return fail("the batch or the head");
  FailureOr<Line> full = operand(query, 0);
  if (failed(full))
    return failure();
  // Upper keeps j - i >= diagonal, lower j - i <= diagonal.
  int64_t begin = 0, end = query.size;
  if (alongRow && isUpper)
    begin = i + diagonal;
  else if (alongRow)
    end = i + diagonal + 1;
  else if (alongColumn && isUpper)
    end = j - diagonal + 1;
  else if (alongColumn)
    begin = j - diagonal;
  else if (isUpper ? j - i < diagonal : j - i > diagonal)
    end = 0;
  Line result;
  keepRange(*full, begin, end, result);
  return result;
}

//===----------------------------------------------------------------------===//
// Computed elements
//===----------------------------------------------------------------------===//

/// Two tensors meet in the element type that libtorch promotes them to.
void IndexLines::promoteBoth(const Query &query, FailureOr<Line> &a,
                             FailureOr<Line> &b) {
  RankedTensorType other = query.args.type(1);
  if (!other)
    return;
  Type element = promote(query.args.type(0), other);
  a = toElement(std::move(*a), element);
  if (succeeded(a))
    b = toElement(std::move(*b), element);
}

FailureOr<Line> IndexLines::arithmetic(const Query &query) {
  StringRef name = query.callee.split('.').first;
  FailureOr<Line> a = operand(query, 0);
  if (failed(a))
    return failure();
  double factorA = 1, factorB = 1;
  if (name == "aten::neg")
    return scaleLine(*a, -1);
  FailureOr<Line> b = numberOrOperand(query, 1);
  if (succeeded(b))
    promoteBoth(query, a, b);
  if (failed(a) || failed(b))
    return failure();
  double alpha = query.args.number(2).value_or(1);
  if (name == "aten::add")
    factorB = alpha;
  else if (name == "aten::sub")
    factorB = -alpha;
  else if (name == "aten::rsub")
    factorA = -alpha;
  Line result;
  bool isRounding = name == "aten::div" && query.args.has(2);
  LogicalResult status =
      name == "aten::mul" ? multiplyLines(*a, *b, result)
      : name == "aten::div"
          ? divideLines(*a, *b, result)
          : addLines(scaleLine(*a, factorA), scaleLine(*b, factorB), result);
  if (isRounding || failed(status))
    return fail("'" + query.callee + "' of two tensors that are not constant");
  return result;
}

FailureOr<Line> IndexLines::logic(const Query &query) {
  StringRef name = query.callee.split('.').first;
  name.consume_front("aten::");
  FailureOr<Line> a = operand(query, 0);
  if (failed(a))
    return failure();
  Type boolean = IntegerType::get(query.type.getContext(), 1);
  bool isBitwise = name.consume_front("bitwise_");
  bool isLogical = name.consume_front("logical_");
  if (isBitwise && !query.type.getElementType().isInteger(1))
    return fail("'" + query.callee + "' of integers");
  if (isBitwise || isLogical) {
    a = toElement(std::move(*a), boolean);
    if (failed(a))
      return failure();
    if (name == "not")
      return notLine(*a);
  }
  FailureOr<Line> b = numberOrOperand(query, 1);
  if (succeeded(b) && (isBitwise || isLogical))
    b = toElement(std::move(*b), boolean);
  else if (succeeded(b))
    promoteBoth(query, a, b);
  if (failed(a) || failed(b))
    return failure();
  Line result;
  LogicalResult status = isBitwise || isLogical
                             ? combineBools(name, *a, *b, result)
                             : compareLines(name, *a, *b, result);
  if (failed(status))
    return fail("'" + query.callee + "' of not a number");
  return result;
}

FailureOr<Line> IndexLines::selection(const Query &query) {
  bool isFill = query.callee.starts_with("aten::masked_fill");
  FailureOr<Line> condition = operand(query, isFill ? 1 : 0);
  if (failed(condition))
    return failure();
  FailureOr<Line> ifTrue = numberOrOperand(query, isFill ? 2 : 1);
  if (failed(ifTrue))
    return failure();
  FailureOr<Line> ifFalse = numberOrOperand(query, isFill ? 0 : 2);
  if (failed(ifFalse))
    return failure();
  Line result;
  selectLines(*condition, *ifTrue, *ifFalse, result);
  return result;
}
