//===- ShardingRules.cpp - the rules of all ops ---------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "nxdt/Registry/ShardingRules.h"

#include "Families.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace nxdt;

using Sizes = ArrayRef<int64_t>;

static TensorFactors wholeFactors(ShardingRule &rule, Sizes shape) {
  TensorFactors factors;
  for (int64_t size : shape)
    factors.push_back({rule.factor(size, FactorKind::Whole)});
  return factors;
}

ShardingRule nxdt::wholeRule(Operation *op) {
  ShardingRule rule;
  for (Value operand : op->getOperands())
    rule.operands.push_back(wholeFactors(rule, typeOf(operand).getShape()));
  for (Value result : op->getResults())
    rule.results.push_back(wholeFactors(rule, typeOf(result).getShape()));
  return rule;
}

//===----------------------------------------------------------------------===//
// Families
//===----------------------------------------------------------------------===//

/// Elementwise with broadcasting; dims in `whole` (of the result) stay whole.
static ShardingRule pointwise(Operation *op, ArrayRef<int64_t> whole = {}) {
  ShardingRule rule;
  Sizes out = typeOf(op->getResult(0)).getShape();
  TensorFactors result;
  for (auto [dim, size] : llvm::enumerate(out))
    result.push_back(
        {rule.factor(size, llvm::is_contained(whole, static_cast<int64_t>(dim))
                               ? FactorKind::Whole
                               : FactorKind::Map)});
  for (Value operand : op->getOperands()) {
    Sizes shape = typeOf(operand).getShape();
    TensorFactors factors;
    for (auto [dim, size] : llvm::enumerate(shape)) {
      int64_t at = dim + out.size() - shape.size();
      factors.push_back(size == 1 && out[at] != 1 ? DimFactors{} : result[at]);
    }
    rule.operands.push_back(factors);
  }
  for (unsigned i = 0; i < op->getNumResults(); ++i)
    rule.results.push_back(result);
  return rule;
}

/// Reduction of operand 0 over `dims`.
static ShardingRule reduction(Operation *op, ArrayRef<int64_t> dims,
                              bool keepDim, FactorKind kind) {
  ShardingRule rule;
  TensorFactors operand, result;
  for (auto [dim, size] :
       llvm::enumerate(typeOf(op->getOperand(0)).getShape())) {
    bool reduced = llvm::is_contained(dims, static_cast<int64_t>(dim));
    operand.push_back({rule.factor(size, reduced ? kind : FactorKind::Map)});
    if (!reduced)
      result.push_back(operand.back());
    else if (keepDim)
      result.push_back({});
  }
  rule.operands.push_back(operand);
  rule.results.push_back(result);
  return rule;
}

/// Dims of both shapes as products of common factors. A dimension whose
/// boundaries do not meet the other shape's is whole.
static ShardingRule reshape(Operation *op) {
  Sizes from = typeOf(op->getOperand(0)).getShape();
  Sizes to = typeOf(op->getResult(0)).getShape();
  ShardingRule rule;
  TensorFactors operand(from.size()), result(to.size());
  size_t i = 0, j = 0;
  int64_t a = from.empty() ? 1 : from[0], b = to.empty() ? 1 : to[0];
  // a and b: what is left of dims i and j, taken from the major end. Factors
  // are cut at each boundary: [8, 4] <-> [2, 16] is (2, 4, 4).
  while (i < from.size() && j < to.size()) {
    if (a == 1) {
      if (++i < from.size())
        a = from[i];
      continue;
    }
    if (b == 1) {
      if (++j < to.size())
        b = to[j];
      continue;
    }
    int64_t cut = std::min(a, b);
    if (std::max(a, b) % cut != 0) {
      // [6] against [4, ...]: the rest of both groups is whole.
      return wholeRule(op);
    }
    unsigned factor = rule.factor(cut);
    operand[i].push_back(factor);
    result[j].push_back(factor);
    a /= cut;
    b /= cut;
  }
  rule.operands.push_back(operand);
  rule.results.push_back(result);
  rule.linearEach({0});
  return rule;
}

/// Operand dim `map[d]` becomes result dim d; -1 = a new dim.
static ShardingRule permutation(Operation *op, ArrayRef<int64_t> map) {
  ShardingRule rule;
  TensorFactors operand, result;
  for (int64_t size : typeOf(op->getOperand(0)).getShape())
    operand.push_back({rule.factor(size)});
  for (int64_t from : map)
    result.push_back(from < 0 ? DimFactors{} : operand[from]);
  rule.operands.push_back(operand);
  rule.results.push_back(result);
  rule.linearEach({0});
  return rule;
}

/// Same dims, some of them whole on both sides with sizes of their own
/// (slice, cat, select_backward, ...).
static ShardingRule sameDims(Operation *op, ArrayRef<int64_t> whole) {
  ShardingRule rule;
  TensorFactors shared;
  Sizes out = typeOf(op->getResult(0)).getShape();
  for (auto [dim, size] : llvm::enumerate(out))
    shared.push_back(
        {rule.factor(size, llvm::is_contained(whole, static_cast<int64_t>(dim))
                               ? FactorKind::Whole
                               : FactorKind::Map)});
  for (Value operand : op->getOperands()) {
    TensorFactors factors = shared;
    for (int64_t dim : whole)
      factors[dim] = {
          rule.factor(typeOf(operand).getDimSize(dim), FactorKind::Whole)};
    rule.operands.push_back(factors);
  }
  rule.results.push_back(shared);
  return rule;
}

/// [..., n, k] x [..., k, m] with broadcasting batch dims, both of rank > 1.
static ShardingRule matmul(Operation *op) {
  Sizes a = typeOf(op->getOperand(0)).getShape();
  Sizes b = typeOf(op->getOperand(1)).getShape();
  if (a.size() < 2 || b.size() < 2)
    return wholeRule(op);
  Sizes out = typeOf(op->getResult(0)).getShape();
  ShardingRule rule;
  TensorFactors result;
  for (int64_t size : out)
    result.push_back({rule.factor(size)});
  unsigned inner = rule.factor(a.back(), FactorKind::Reduce);
  auto batch = [&](Sizes shape) {
    TensorFactors factors;
    size_t extra = out.size() - shape.size();
    for (size_t dim = 0; dim + 2 < shape.size(); ++dim)
      factors.push_back(shape[dim] == 1 && out[dim + extra] != 1
                            ? DimFactors{}
                            : result[dim + extra]);
    return factors;
  };
  TensorFactors left = batch(a), right = batch(b);
  left.push_back(result[out.size() - 2]);
  left.push_back({inner});
  right.push_back({inner});
  right.push_back(result[out.size() - 1]);
  rule.operands = {left, right};
  rule.results = {result};
  rule.linearEach({0, 1});
  return rule;
}

/// x [..., in], w [out, in] (, b [out]).
static ShardingRule linear(Operation *op) {
  Sizes x = typeOf(op->getOperand(0)).getShape();
  ShardingRule rule;
  TensorFactors rows;
  for (int64_t size : x.drop_back())
    rows.push_back({rule.factor(size)});
  unsigned out = rule.factor(typeOf(op->getResult(0)).getShape().back());
  // A bias must be added once: with one, partial sums are not allowed.
  bool biased = op->getNumOperands() > 2;
  unsigned in =
      rule.factor(x.back(), biased ? FactorKind::Whole : FactorKind::Reduce);
  TensorFactors left = rows, result = rows;
  left.push_back({in});
  result.push_back({out});
  rule.operands = {left, {{out}, {in}}};
  if (biased)
    rule.operands.push_back({{out}});
  rule.results = {result};
  if (!biased)
    rule.linearEach({0, 1});
  return rule;
}

/// dout [..., out], input [..., in] -> [out, in].
static ShardingRule weightGrad(WeightGradOp op) {
  ShardingRule rule;
  Sizes dout = typeOf(op.getDout()).getShape();
  TensorFactors rows;
  for (int64_t size : dout.drop_back())
    rows.push_back({rule.factor(size, FactorKind::Reduce)});
  unsigned out = rule.factor(dout.back());
  unsigned in = rule.factor(typeOf(op.getInput()).getShape().back());
  TensorFactors left = rows, right = rows;
  left.push_back({out});
  right.push_back({in});
  rule.operands = {left, right};
  rule.results = {{{out}, {in}}};
  rule.linearEach({0, 1});
  return rule;
}

/// table [v, h], indices [...] -> [..., h].
static ShardingRule embedding(Operation *op) {
  ShardingRule rule;
  Sizes table = typeOf(op->getOperand(0)).getShape();
  unsigned v = rule.factor(table[0], FactorKind::Reduce);
  unsigned h = rule.factor(table[1]);
  TensorFactors indices;
  for (int64_t size : typeOf(op->getOperand(1)).getShape())
    indices.push_back({rule.factor(size)});
  TensorFactors result = indices;
  result.push_back({h});
  rule.operands = {{{v}, {h}}, indices};
  rule.results = {result};
  rule.indexedFactor = v;
  rule.indexOperand = 1;
  rule.linearEach({0});
  return rule;
}

/// grad [..., h], indices [...] -> [v, h].
static ShardingRule embeddingBackward(Operation *op) {
  ShardingRule rule;
  Sizes table = typeOf(op->getResult(0)).getShape();
  unsigned v = rule.factor(table[0]), h = rule.factor(table[1]);
  TensorFactors indices;
  for (int64_t size : typeOf(op->getOperand(1)).getShape())
    indices.push_back({rule.factor(size, FactorKind::Reduce)});
  TensorFactors grad = indices;
  grad.push_back({h});
  rule.operands = {grad, indices};
  rule.results = {{{v}, {h}}};
  rule.indexedFactor = v;
  rule.indexOperand = 1;
  rule.linearEach({0});
  return rule;
}

/// Several tensors to one scalar.
static ShardingRule squareSum(Operation *op) {
  ShardingRule rule;
  for (Value operand : op->getOperands()) {
    TensorFactors factors;
    for (int64_t size : typeOf(operand).getShape())
      factors.push_back({rule.factor(size, FactorKind::Reduce)});
    rule.operands.push_back(factors);
  }
  rule.results.push_back({});
  return rule;
}

//===----------------------------------------------------------------------===//
// nxdt.aten
//===----------------------------------------------------------------------===//

static ShardingRule sliceRule(AtenOp op, const CallArgs &args) {
  int64_t dim = *wrapDim(args.integer(1), args.type(0).getRank());
  auto result = typeOf(op->getResult(0));
  ShardingRule rule = result.getDimSize(dim) == args.type(0).getDimSize(dim)
                          ? pointwise(op)
                          : sameDims(op, {dim});
  rule.linearEach({0});
  return rule;
}

/// Result shape from nothing: any split is legal.
static ShardingRule factoryRule(Operation *op) {
  ShardingRule rule;
  TensorFactors result;
  for (int64_t size : typeOf(op->getResult(0)).getShape())
    result.push_back({rule.factor(size)});
  for (Value operand : op->getOperands())
    rule.operands.push_back(wholeFactors(rule, typeOf(operand).getShape()));
  rule.results.push_back(result);
  return rule;
}

static ShardingRule expandRule(AtenOp op) {
  ShardingRule rule = pointwise(op);
  rule.linearEach({0});
  return rule;
}

static ShardingRule dimRule(AtenOp op, const CallArgs &args, unsigned position,
                            bool linear) {
  int64_t rank = typeOf(op->getResult(0)).getRank();
  std::optional<int64_t> dim = wrapDim(args.integer(position), rank);
  if (!dim)
    return wholeRule(op);
  ShardingRule rule = pointwise(op, {*dim});
  if (linear)
    rule.linearEach({0});
  return rule;
}

using AtenRule = std::function<ShardingRule(AtenOp, const CallArgs &)>;

static llvm::StringMap<AtenRule> makeTable() {
  llvm::StringMap<AtenRule> table;
  auto each = [](std::initializer_list<unsigned> which) {
    SmallVector<unsigned> operands(which);
    return [operands](AtenOp op, const CallArgs &) {
      ShardingRule rule = pointwise(op);
      rule.linearEach(operands);
      return rule;
    };
  };
  auto plain = [](AtenOp op, const CallArgs &) { return pointwise(op); };
  auto joint = [](AtenOp op, const CallArgs &) {
    ShardingRule rule = pointwise(op);
    rule.linearJoint();
    return rule;
  };
  for (StringRef name : {"add.Tensor", "sub.Tensor"})
    table[("aten::" + name).str()] = joint;
  table["aten::mul.Tensor"] = each({0, 1});
  for (StringRef name :
       {"div.Tensor", "mul.Scalar", "div.Scalar", "neg", "to.dtype", "_to_copy",
        "clone", "contiguous", "alias", "detach", "dropout", "silu_backward",
        "gelu_backward", "tanh_backward", "sigmoid_backward",
        "threshold_backward"})
    table[("aten::" + name).str()] = each({0});
  for (StringRef name : {"add.Scalar",
                         "sub.Scalar",
                         "rsub.Scalar",
                         "pow.Tensor_Scalar",
                         "pow.Scalar",
                         "exp",
                         "log",
                         "sqrt",
                         "rsqrt",
                         "reciprocal",
                         "cos",
                         "sin",
                         "tanh",
                         "sigmoid",
                         "silu",
                         "gelu",
                         "relu",
                         "abs",
                         "sgn",
                         "where.self",
                         "masked_fill.Scalar",
                         "eq.Tensor",
                         "ne.Tensor",
                         "lt.Tensor",
                         "le.Tensor",
                         "gt.Tensor",
                         "ge.Tensor",
                         "eq.Scalar",
                         "ne.Scalar",
                         "lt.Scalar",
                         "le.Scalar",
                         "gt.Scalar",
                         "ge.Scalar",
                         "logical_not",
                         "logical_and",
                         "logical_or",
                         "bitwise_not",
                         "bitwise_and.Tensor",
                         "bitwise_or.Tensor",
                         "clamp_min",
                         "clamp_max",
                         "erf"})
    table[("aten::" + name).str()] = plain;

  for (StringRef name : {"aten::matmul", "aten::mm", "aten::bmm"})
    table[name] = [](AtenOp op, const CallArgs &) { return matmul(op); };
  table["aten::linear"] = [](AtenOp op, const CallArgs &) {
    return linear(op);
  };

  for (StringRef name :
       {"aten::view", "aten::reshape", "aten::_unsafe_view", "aten::unsqueeze",
        "aten::squeeze.dim", "aten::flatten.using_ints", "aten::unflatten.int"})
    table[name] = [](AtenOp op, const CallArgs &) { return reshape(op); };
  table["aten::expand"] = [](AtenOp op, const CallArgs &) {
    return expandRule(op);
  };
  table["aten::transpose.int"] = [](AtenOp op, const CallArgs &args) {
    int64_t rank = args.type(0).getRank();
    auto map = llvm::to_vector(llvm::seq<int64_t>(0, rank));
    std::swap(map[*wrapDim(args.integer(1), rank)],
              map[*wrapDim(args.integer(2), rank)]);
    return permutation(op, map);
  };
  table["aten::t"] = [](AtenOp op, const CallArgs &args) {
    auto map = llvm::to_vector(
        llvm::reverse(llvm::seq<int64_t>(0, args.type(0).getRank())));
    return permutation(op, map);
  };
  table["aten::permute"] = [](AtenOp op, const CallArgs &args) {
    SmallVector<int64_t> map;
    ArrayRef<int64_t> dims = *args.integers(1);
    for (int64_t dim : dims)
      map.push_back(*wrapDim(dim, args.type(0).getRank()));
    return permutation(op, map);
  };
  table["aten::slice.Tensor"] = sliceRule;
  table["aten::slice_backward"] = [](AtenOp op, const CallArgs &args) {
    int64_t rank = typeOf(op->getResult(0)).getRank();
    ShardingRule rule = sameDims(op, {*wrapDim(args.integer(2), rank)});
    rule.linearEach({0});
    return rule;
  };
  table["aten::cat"] = [](AtenOp op, const CallArgs &args) {
    int64_t rank = typeOf(op->getResult(0)).getRank();
    ShardingRule rule = sameDims(op, {*wrapDim(args.integer(1), rank)});
    rule.linearJoint();
    return rule;
  };

  table["aten::sum.dim_IntList"] = [](AtenOp op, const CallArgs &args) {
    ShardingRule rule =
        reduction(op, *wrapDims(args.integers(1), args.type(0).getRank()),
                  args.boolean(2).value_or(false), FactorKind::Reduce);
    rule.linearEach({0});
    return rule;
  };
  table["aten::sum"] = [](AtenOp op, const CallArgs &args) {
    ShardingRule rule =
        reduction(op, *wrapDims(std::nullopt, args.type(0).getRank()), false,
                  FactorKind::Reduce);
    rule.linearEach({0});
    return rule;
  };
  // A mean of parts is not part of a mean.
  table["aten::mean.dim"] = [](AtenOp op, const CallArgs &args) {
    ShardingRule rule =
        reduction(op, *wrapDims(args.integers(1), args.type(0).getRank()),
                  args.boolean(2).value_or(false), FactorKind::Whole);
    rule.linearEach({0});
    return rule;
  };
  for (StringRef name : {"aten::softmax.int", "aten::log_softmax.int"})
    table[name] = [](AtenOp op, const CallArgs &args) {
      return dimRule(op, args, 1, false);
    };
  for (StringRef name :
       {"aten::_softmax_backward_data", "aten::_log_softmax_backward_data"})
    table[name] = [](AtenOp op, const CallArgs &args) {
      return dimRule(op, args, 2, true);
    };

  table["aten::amax"] = [](AtenOp op, const CallArgs &args) {
    ShardingRule rule =
        reduction(op, *wrapDims(args.integers(1), args.type(0).getRank()),
                  args.boolean(2).value_or(false), FactorKind::Reduce);
    rule.reduction = Reduction::Max;
    return rule;
  };
  table["aten::embedding"] = [](AtenOp op, const CallArgs &) {
    return embedding(op);
  };
  table["aten::embedding_dense_backward"] = [](AtenOp op, const CallArgs &) {
    return embeddingBackward(op);
  };
  for (StringRef name :
       {"aten::full", "aten::zeros", "aten::ones", "aten::zeros_like",
        "aten::ones_like", "aten::full_like"})
    table[name] = [](AtenOp op, const CallArgs &) { return factoryRule(op); };
  for (StringRef name : {"aten::triu", "aten::tril"})
    table[name] = [](AtenOp op, const CallArgs &) {
      int64_t rank = typeOf(op->getResult(0)).getRank();
      ShardingRule rule = pointwise(op, {rank - 2, rank - 1});
      rule.linearEach({0});
      return rule;
    };
  table["aten::layer_norm"] = [](AtenOp op, const CallArgs &args) {
    // Weight and bias broadcast over the leading dims, as pointwise says.
    int64_t rank = args.type(0).getRank();
    SmallVector<int64_t> whole;
    for (int64_t d = rank - args.integers(1)->size(); d < rank; ++d)
      whole.push_back(d);
    return pointwise(op, whole);
  };
  return table;
}

static ShardingRule atenRule(AtenOp op, bool &known) {
  static const llvm::StringMap<AtenRule> table = makeTable();
  auto it = table.find(op.getCallee());
  known = it != table.end();
  if (!known)
    return wholeRule(op);
  return it->second(op, CallArgs(op.getArgs(), op.getInputs()));
}

//===----------------------------------------------------------------------===//
// Typed ops
//===----------------------------------------------------------------------===//

/// q [b, (g r), s, d], k and v [b, g, t, d]: kv heads g, r query heads each.
static ShardingRule attention(Operation *op, Sizes q, Sizes k,
                              ArrayRef<bool> operandIsQuery,
                              ArrayRef<bool> resultIsQuery, int lseOperand,
                              int lseResult) {
  ShardingRule rule;
  unsigned b = rule.factor(q[0]), g = rule.factor(k[1]);
  // Keys are used by r query heads: their gradients are sums over r.
  unsigned r = rule.factor(q[1] / k[1], FactorKind::Reduce);
  unsigned s = rule.factor(q[2], FactorKind::Whole);
  unsigned t = rule.factor(k[2], FactorKind::Whole);
  unsigned d = rule.factor(q[3], FactorKind::Whole);
  TensorFactors query = {{b}, {g, r}, {s}, {d}};
  TensorFactors key = {{b}, {g}, {t}, {d}};
  TensorFactors lse = {{b}, {g, r}, {s}};
  for (auto [i, isQuery] : llvm::enumerate(operandIsQuery))
    rule.operands.push_back(static_cast<int>(i) == lseOperand ? lse
                            : isQuery                         ? query
                                                              : key);
  for (auto [i, isQuery] : llvm::enumerate(resultIsQuery))
    rule.results.push_back(static_cast<int>(i) == lseResult ? lse
                           : isQuery                        ? query
                                                            : key);
  return rule;
}

/// Classes are whole: what splits them writes the loss out.
static ShardingRule lossRule(CrossEntropyOp op) {
  ShardingRule rule;
  TensorFactors rows;
  for (int64_t size : typeOf(op.getTargets()).getShape())
    rows.push_back({rule.factor(size, FactorKind::Reduce)});
  unsigned v =
      rule.factor(typeOf(op.getLogits()).getShape().back(), FactorKind::Whole);
  TensorFactors classes = rows;
  classes.push_back({v});
  rule.operands = {classes, rows};
  rule.results = {{}, {}, classes};
  return rule;
}

static ShardingRule lossBackwardRule(CrossEntropyBackwardOp op) {
  ShardingRule rule;
  TensorFactors rows;
  for (int64_t size : typeOf(op.getTargets()).getShape())
    rows.push_back({rule.factor(size)});
  TensorFactors classes = rows;
  classes.push_back({rule.factor(typeOf(op.getLogProbs()).getShape().back(),
                                 FactorKind::Whole)});
  rule.operands = {{}, classes, rows};
  rule.results = {classes};
  return rule;
}

ShardingRule nxdt::shardingRuleOf(Operation *op, bool *isKnown) {
  bool known = true;
  ShardingRule rule =
      TypeSwitch<Operation *, ShardingRule>(op)
          .Case<AtenOp>([&](AtenOp aten) { return atenRule(aten, known); })
          .Case<SdpaOp>([](SdpaOp o) {
            return attention(o, typeOf(o.getQ()).getShape(),
                             typeOf(o.getK()).getShape(), {true, false, false},
                             {true, true}, -1, 1);
          })
          .Case<SdpaBackwardOp>([](SdpaBackwardOp o) {
            return attention(o, typeOf(o.getQ()).getShape(),
                             typeOf(o.getK()).getShape(),
                             {true, true, false, false, true, true},
                             {true, false, false}, 5, -1);
          })
          .Case<CrossEntropyOp>([](auto o) { return lossRule(o); })
          .Case<CrossEntropyBackwardOp>(
              [](auto o) { return lossBackwardRule(o); })
          .Case<WeightGradOp>([](auto o) { return weightGrad(o); })
          .Case<SquareSumOp>([](auto o) { return squareSum(o); })
          .Case<AdamWOp, SgdOp>([](Operation *o) { return pointwise(o); })
          .Case<AccumulateOp>([](Operation *o) {
            ShardingRule rule = pointwise(o);
            rule.linearJoint();
            return rule;
          })
          .Case<ClipScaleOp>([](Operation *o) { return wholeRule(o); })
          .Default([&](Operation *o) {
            known = false;
            return wholeRule(o);
          });
  if (isKnown)
    *isKnown = known;
  return rule;
}

//===----------------------------------------------------------------------===//
// Local shapes
//===----------------------------------------------------------------------===//

ArrayAttr nxdt::localArguments(AtenOp op,
                               ArrayRef<RankedTensorType> localResults) {
  // Position of the shape among the arguments.
  static const llvm::StringMap<unsigned> shapeAt = {
      {"aten::view", 1},         {"aten::reshape", 1},
      {"aten::_unsafe_view", 1}, {"aten::expand", 1},
      {"aten::full", 0},         {"aten::zeros", 0},
      {"aten::ones", 0},         {"aten::slice_backward", 1}};
  if (op.getCallee() == "aten::embedding_dense_backward") {
    SmallVector<Attribute> args(op.getArgs().begin(), op.getArgs().end());
    args[2] = Builder(op.getContext())
                  .getI64IntegerAttr(localResults[0].getDimSize(0));
    return ArrayAttr::get(op.getContext(), args);
  }
  auto it = shapeAt.find(op.getCallee());
  if (it == shapeAt.end())
    return op.getArgs();
  SmallVector<Attribute> args(op.getArgs().begin(), op.getArgs().end());
  args[it->second] =
      DenseI64ArrayAttr::get(op.getContext(), localResults[0].getShape());
  return ArrayAttr::get(op.getContext(), args);
}
