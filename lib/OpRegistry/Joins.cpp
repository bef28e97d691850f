//===- Joins.cpp - tensors put together, repeated, moved ---===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Families.h"

using namespace mlir;
using namespace nxdt;

static SmallVector<RankedTensorType> typesAt(const CallArgs &args,
                                             unsigned position) {
  SmallVector<RankedTensorType> types;
  for (Value part : args.tensors(position))
    if (part)
      types.push_back(typeOf(part));
  return types;
}

/// libtorch's legacy: an empty tensor of rank 1 joins with any shape.
static bool isSkipped(RankedTensorType type) {
  return type.getRank() == 1 && type.getDimSize(0) == 0;
}

static Infer inferCat(const CallArgs &args) {
  SmallVector<RankedTensorType> types = typesAt(args, 0);
  if (types.empty() || types.size() != args.tensors(0).size())
    return failure();
  auto first = llvm::find_if_not(types, isSkipped);
  RankedTensorType type = first == types.end() ? types[0] : *first;
  auto dim = wrapDim(args.integer(1), type.getRank());
  if (!dim || !type.getRank())
    return failure();
  Shape shape(type.getShape());
  shape[*dim] = 0;
  for (RankedTensorType other : types) {
    if (isSkipped(other))
      continue;
    if (other.getRank() != type.getRank())
      return failure();
    for (int64_t d = 0; d < type.getRank(); ++d)
      if (d != *dim && other.getDimSize(d) != shape[d])
        return failure();
    shape[*dim] += other.getDimSize(*dim);
  }
  return ResultTypes{RankedTensorType::get(shape, promoteAll(types))};
}

static ShardingRule catRule(AtenOp op, const CallArgs &args) {
  int64_t dim = *wrapDim(args.integer(1), resultShape(op).size());
  ShardingRule rule = sameDimsRule(op, {dim});
  for (unsigned i = 0; i < op->getNumOperands(); ++i)
    if (isSkipped(typeOf(op->getOperand(i))))
      rule.operands[i] =
          newFactors(rule, operandShape(op, i), FactorKind::Whole);
  rule.linearJoint();
  return rule;
}

static void catVjp(VjpContext &ctx) {
  int64_t start = 0;
  unsigned operand = ctx.args.operandIndex(0);
  int64_t dim = *wrapDim(ctx.args.integer(1), typeOf(ctx.out()).getRank());
  for (RankedTensorType type : typesAt(ctx.args, 0)) {
    unsigned number = operand++;
    if (isSkipped(type)) {
      if (ctx.needsOperand(number))
        ctx.setOperand(number, ctx.zeros(type));
      continue;
    }
    int64_t end = start + type.getDimSize(dim);
    if (ctx.needsOperand(number))
      ctx.setOperand(number, ctx.call("aten::slice.Tensor",
                                      {ctx.grad(), dim, start, end, 1}));
    start = end;
  }
}

static Infer inferStack(const CallArgs &args) {
  SmallVector<RankedTensorType> types = typesAt(args, 0);
  if (types.empty() || types.size() != args.tensors(0).size())
    return failure();
  auto dim = wrapDim(args.integer(1), types[0].getRank() + 1);
  if (!dim || !llvm::all_of(types, [&](RankedTensorType type) {
        return type.getShape() == types[0].getShape();
      }))
    return failure();
  Shape shape(types[0].getShape());
  shape.insert(shape.begin() + *dim, types.size());
  return ResultTypes{RankedTensorType::get(shape, promoteAll(types))};
}

static void stackVjp(VjpContext &ctx) {
  unsigned operand = ctx.args.operandIndex(0);
  for (int64_t i = 0, e = ctx.args.tensors(0).size(); i < e; ++i, ++operand)
    if (ctx.needsOperand(operand))
      ctx.setOperand(operand, ctx.call("aten::select.int",
                                       {ctx.grad(), *ctx.args.integer(1), i}));
}

//===----------------------------------------------------------------------===//
// Repetitions
//===----------------------------------------------------------------------===//

/// Repeats per dim, as many as the result has dims; tile pads them with ones.
static std::optional<Shape> repeatsOf(const CallArgs &args, bool pad) {
  RankedTensorType type = args.type(0);
  auto given = args.integers(1);
  if (!type || !given)
    return std::nullopt;
  Shape repeats(*given);
  while (pad && static_cast<int64_t>(repeats.size()) < type.getRank())
    repeats.insert(repeats.begin(), 1);
  if (static_cast<int64_t>(repeats.size()) < type.getRank() ||
      llvm::any_of(repeats, [](int64_t r) { return r < 0; }))
    return std::nullopt;
  return repeats;
}

/// A dim of size s repeated r times is (r, s): parts of it are repeated less
/// often, or are repeated parts if there is but one repetition.
static RuleOf repeating(bool pad) {
  return [pad](AtenOp op, const CallArgs &args) {
    Shape repeats = *repeatsOf(args, pad);
    Sizes sizes = operandShape(op, 0);
    ShardingRule rule;
    TensorFactors operand = newFactors(rule, sizes, FactorKind::Map), result;
    size_t extra = repeats.size() - sizes.size();
    for (auto [dim, times] : llvm::enumerate(repeats)) {
      DimFactors factors = {rule.factor(times)};
      if (dim >= extra)
        llvm::append_range(factors, operand[dim - extra]);
      result.push_back(factors);
    }
    rule.operands.push_back(operand);
    rule.results.push_back(result);
    rule.linearEach({0});
    return rule;
  };
}
static LocalArgs localRepeats(bool pad) {
  return [pad](AtenOp op, ArrayRef<RankedTensorType> localResults,
               MutableArrayRef<Attribute> args) {
    Shape repeats = *repeatsOf(CallArgs(op.getArgs(), op.getInputs()), pad);
    Sizes sizes = operandShape(op, 0);
    size_t extra = repeats.size() - sizes.size();
    for (auto [dim, times] : llvm::enumerate(repeats)) {
      int64_t own = dim < extra ? 1 : sizes[dim - extra];
      // Smaller than the operand: all repetitions are elsewhere, so one is
      // here.
      if (own)
        times = std::min(
            times, std::max<int64_t>(localResults[0].getDimSize(dim) / own, 1));
    }
    args[1] = DenseI64ArrayAttr::get(op.getContext(), repeats);
  };
}

static ShardingRule interleaveRule(AtenOp op, const CallArgs &args) {
  ShardingRule rule;
  TensorFactors operand =
      newFactors(rule, operandShape(op, 0), FactorKind::Map);
  unsigned times = rule.factor(*args.integer(1));
  TensorFactors result;
  if (args.has(2)) {
    result = operand;
    result[*wrapDim(args.integer(2), operand.size())].push_back(times);
  } else {
    DimFactors all;
    for (const DimFactors &factors : operand)
      llvm::append_range(all, factors);
    all.push_back(times);
    result = {all};
  }
  rule.operands.push_back(operand);
  rule.results.push_back(result);
  rule.linearEach({0});
  return rule;
}
static void localInterleave(AtenOp op, ArrayRef<RankedTensorType> localResults,
                            MutableArrayRef<Attribute> args) {
  // A part smaller than the repetitions of one element holds only of them.
  CallArgs call(op.getArgs(), op.getInputs());
  int64_t dim =
      call.has(2) ? *wrapDim(call.integer(2), call.type(0).getRank()) : 0;
  int64_t times = std::min(*call.integer(1), localResults[0].getDimSize(dim));
  args[1] = IntegerAttr::get(cast<IntegerAttr>(args[1]).getType(), times);
}

static void registerRepeats(OpRegistry &registry) {
  for (bool pad : {false, true}) {
    OpInfo &info = registry.add(pad ? "aten::tile" : "aten::repeat");
    info.infer = [pad](const CallArgs &args) -> Infer {
      auto shape = repeatsOf(args, pad);
      if (!shape)
        return failure();
      ArrayRef<int64_t> sizes = args.type(0).getShape();
      for (size_t d = 0; d < sizes.size(); ++d)
        (*shape)[shape->size() - sizes.size() + d] *= sizes[d];
      return shaped(args.type(0), *shape);
    };
    info.sharding = repeating(pad);
    info.localArgs = localRepeats(pad);
    // [r * s] is [r, s] summed over r.
    info.vjp = [pad](VjpContext &ctx) {
      Shape repeats = *repeatsOf(ctx.args, pad), split, dims;
      ArrayRef<int64_t> sizes = ctx.type(0).getShape();
      for (size_t d = 0; d < repeats.size(); ++d) {
        int64_t own = int64_t(d) - int64_t(repeats.size() - sizes.size());
        dims.push_back(split.size());
        split.push_back(repeats[d]);
        if (own >= 0)
          split.push_back(sizes[own]);
      }
      if (dims.empty())
        return ctx.set(0, ctx.grad());
      ctx.set(0, ctx.sum(ctx.reshape(ctx.grad(), split), dims, false));
    };
  }
  // repeat_interleave(self, repeats, dim): [s * r] is [s, r].
  OpInfo &interleave = registry.add("aten::repeat_interleave.self_int");
  interleave.infer = [](const CallArgs &args) -> Infer {
    RankedTensorType type = args.type(0);
    auto repeats = args.integer(1);
    if (!type || !repeats || *repeats < 0)
      return failure();
    if (!args.has(2))
      return shaped(type, {type.getNumElements() * *repeats});
    auto dim = wrapDim(args.integer(2), type.getRank());
    if (!dim || !type.getRank())
      return failure();
    Shape shape(type.getShape());
    shape[*dim] *= *repeats;
    return shaped(type, shape);
  };
  interleave.sharding = interleaveRule;
  interleave.localArgs = localInterleave;
  interleave.vjp = [](VjpContext &ctx) {
    RankedTensorType type = ctx.type(0);
    int64_t repeats = *ctx.args.integer(1);
    Shape split;
    int64_t at = 1;
    if (ctx.args.has(2)) {
      split.assign(type.getShape().begin(), type.getShape().end());
      at = *wrapDim(ctx.args.integer(2), type.getRank()) + 1;
    } else {
      split.push_back(type.getNumElements());
    }
    split.insert(split.begin() + at, repeats);
    Value summed = ctx.sum(ctx.reshape(ctx.grad(), split), {at}, false);
    ctx.set(0, ctx.reshape(summed, type.getShape()));
  };
}

//===----------------------------------------------------------------------===//
// Elements moved or blanked
//===----------------------------------------------------------------------===//

/// flip of no dims is no flip.
static ShardingRule flipRule(AtenOp op, const CallArgs &args) {
  if (args.integers(1)->empty())
    return linearElementwise()(op, args);
  return each({0}, wholeAlong(1))(op, args);
}

static ShardingRule padRule(AtenOp op, const CallArgs &args) {
  ArrayRef<int64_t> pad = *args.integers(1);
  int64_t rank = resultShape(op).size();
  SmallVector<int64_t> padded;
  for (size_t i = 0; i < pad.size() / 2; ++i)
    if (pad[2 * i] || pad[2 * i + 1])
      padded.push_back(rank - 1 - i);
  ShardingRule rule = sameDimsRule(op, padded);
  if (args.number(2) == 0.0)
    rule.linearEach({0});
  return rule;
}

/// What is kept depends on the place in the last two dims.
static ShardingRule triangleRule(AtenOp op, const CallArgs &) {
  int64_t rank = resultShape(op).size();
  ShardingRule rule = pointwiseRule(op, {rank - 2, rank - 1});
  rule.linearEach({0});
  return rule;
}

static void registerMoves(OpRegistry &registry) {
  add(registry, "aten::roll", each({0}, wholeAlong(2)), inferSame,
      [](VjpContext &ctx) {
        Shape back;
        ArrayRef<int64_t> shifts = *ctx.args.integers(1);
        for (int64_t shift : shifts)
          back.push_back(-shift);
        ctx.set(0, ctx.call("aten::roll",
                            {ctx.grad(), back, Arg(ctx.args.attr(2))}));
      });
  add(registry, "aten::flip", flipRule, inferSame, [](VjpContext &ctx) {
    ctx.set(0, ctx.call("aten::flip", {ctx.grad(), Arg(ctx.args.attr(1))}));
  });
  // constant_pad_nd(self, pad, value): pairs from the last dim on; negative
  // numbers cut.
  add(
      registry, "aten::constant_pad_nd", padRule,
      [](const CallArgs &args) -> Infer {
        RankedTensorType type = args.type(0);
        auto pad = args.integers(1);
        if (!type || !pad || pad->size() % 2 ||
            static_cast<int64_t>(pad->size() / 2) > type.getRank())
          return failure();
        Shape shape(type.getShape());
        for (size_t i = 0; i < pad->size() / 2; ++i)
          shape[shape.size() - 1 - i] += (*pad)[2 * i] + (*pad)[2 * i + 1];
        return shaped(type, shape);
      },
      [](VjpContext &ctx) {
        Shape back;
        ArrayRef<int64_t> pad = *ctx.args.integers(1);
        for (int64_t size : pad)
          back.push_back(-size);
        ctx.set(0, ctx.call("aten::constant_pad_nd", {ctx.grad(), back, 0.0}));
      });
  for (StringRef name : {"aten::triu", "aten::tril"}) {
    OpInfo &info = registry.add(name);
    info.infer = [](const CallArgs &args) -> FailureOr<ResultTypes> {
      if (!args.type(0) || args.type(0).getRank() < 2)
        return failure();
      return ResultTypes{args.type(0)};
    };
    info.sharding = triangleRule;
    std::string callee = name.str();
    info.vjp = [callee](VjpContext &ctx) {
      ctx.set(0, ctx.call(callee, {ctx.grad(), Arg(ctx.args.attr(1))}));
    };
  }
}

void nxdt::registerJoins(OpRegistry &registry) {
  for (StringRef name : {"aten::cat", "aten::concat"})
    add(registry, name, catRule, inferCat, catVjp);
  add(registry, "aten::stack", joint({}, inserting(1)), inferStack, stackVjp);
  registerRepeats(registry);
  registerMoves(registry);
}
