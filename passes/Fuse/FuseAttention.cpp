//===- FuseAttention.cpp - written-out attention becomes one op -----------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   q ------------------------ matmul - scale, mask - softmax - cast - matmul
//   k - repeat heads - k^T ---'                                       /
//   v - repeat heads ------------------------------------------------'
//
// Starts at the softmax: down to the product with v, up to the product of q
// and k. What is on the way decides between `nxdt.sdpa` and a remark.
//
//===----------------------------------------------------------------------===//
#include "ScoreChain.h"
#include "nxdt/Passes/Passes.h"

namespace nxdt {
#define GEN_PASS_DEF_FUSEATTENTION
#include "nxdt/Passes/Passes.h.inc"
} // namespace nxdt

using namespace mlir;
using namespace nxdt;

static int64_t wrap(int64_t dim, int64_t rank) {
  return dim < 0 ? dim + rank : dim;
}

static bool isProduct(AtenOp op) {
  return op &&
         (op.getCallee() == "aten::matmul" || op.getCallee() == "aten::bmm");
}

namespace {
/// Keys or values with each head as often as the model repeated it.
struct Heads {
  Value value;        ///< before the repetition, or the value itself
  int64_t groups = 1; ///< query heads that share a head of `value`
};

class AttentionFuser {
public:
  explicit AttentionFuser(func::FuncOp func) : func(func) {}

  /// Fuses what it can prove, remarks on what looks like attention.
  void run();
  int64_t numFused = 0;

private:
  AtenOp productWith(AtenOp softmax, SmallVectorImpl<AtenOp> &between);
  /// Empty if the attention was fused, else why not.
  std::string fuse(AtenOp softmax, AtenOp product, ArrayRef<AtenOp> between);
  Value keysBehind(AtenOp product, MaskProof &proof, std::string &why);
  Value withoutScale(Value value, double &scale);
  FailureOr<MaskProof> prove(const ScoreChain &chain, std::string &why);

  func::FuncOp func;
  IndexLines lines;
  /// Layers share their mask: it is proven once.
  struct Proven {
    SmallVector<ScoreStep> steps;
    SmallVector<int64_t> shape;
    FailureOr<MaskProof> proof;
    std::string why;
  };
  std::vector<Proven> proven;
};
} // namespace

//===----------------------------------------------------------------------===//
// Repeated heads
//===----------------------------------------------------------------------===//

/// [B, G, D...] -> [B, G*n, D...] with head h = head h / n of the value, or
/// the value as it is.
static Heads withoutRepetition(Value value) {
  Heads same{value, 1};
  int64_t heads = typeOf(value).getDimSize(1);
  auto op = value.getDefiningOp<AtenOp>();
  if (!op || op.getNoGrad())
    return same;
  CallArgs args(op.getArgs(), op.getInputs());
  StringRef callee = op.getCallee();
  if (Value inner = passedThrough(op, /*allowCasts=*/false)) {
    Heads found = withoutRepetition(inner);
    return found.groups > 1 ? found : same;
  }
  auto accept = [&](Value inner) -> Heads {
    RankedTensorType from = typeOf(inner), to = typeOf(value);
    bool fits = from.getRank() == 4 && from.getDimSize(0) == to.getDimSize(0) &&
                from.getShape().drop_front(2) == to.getShape().drop_front(2);
    return fits ? Heads{inner, heads / from.getDimSize(1)} : same;
  };
  if (callee == "aten::repeat_interleave.self_int") {
    bool alongHeads = args.integer(2) && wrap(*args.integer(2), 4) == 1;
    return alongHeads ? accept(args.tensor(0)) : same;
  }
  // One head for all.
  if (callee == "aten::expand" && typeOf(args.tensor(0)).getRank() == 4)
    return typeOf(args.tensor(0)).getDimSize(1) == 1 ? accept(args.tensor(0))
                                                     : same;
  if (callee != "aten::reshape" && callee != "aten::view" &&
      callee != "aten::_unsafe_view" && callee != "aten::flatten.using_ints")
    return same;
  auto expand = args.tensor(0).getDefiningOp<AtenOp>();
  // `reshape` of what `expand` made may come as `clone` and `view`.
  while (expand && !expand.getNoGrad() &&
         passedThrough(expand, /*allowCasts=*/false))
    expand = passedThrough(expand, false).getDefiningOp<AtenOp>();
  if (!expand || expand.getNoGrad() || expand.getCallee() != "aten::expand")
    return same;
  RankedTensorType merged = typeOf(expand->getResult(0));
  RankedTensorType source = typeOf(expand.getInputs()[0]);
  RankedTensorType to = typeOf(value);
  // [B, G, n, T, D] -> [B, G*n, T, D]: head h is (h / n, h % n). It repeats in
  // natural order if only the second of the two was expanded.
  if (merged.getRank() != 5 || source.getRank() != 5 ||
      merged.getDimSize(0) != to.getDimSize(0) ||
      merged.getShape().drop_front(3) != to.getShape().drop_front(2) ||
      source.getDimSize(0) != merged.getDimSize(0) ||
      source.getShape().drop_front(3) != merged.getShape().drop_front(3))
    return same;
  int64_t groups = source.getDimSize(1), repeats = source.getDimSize(2);
  bool isNatural = repeats == 1 && (groups == merged.getDimSize(1) ||
                                    merged.getDimSize(2) == 1 || groups == 1);
  if (!isNatural)
    return same;
  auto unsqueeze = expand.getInputs()[0].getDefiningOp<AtenOp>();
  if (!unsqueeze || unsqueeze.getNoGrad() || unsqueeze.getInputs().empty() ||
      typeOf(unsqueeze.getInputs()[0]).getRank() != 4)
    return same;
  // Any way to put the two dimensions of size 1 there is the same.
  bool addsDim = unsqueeze.getCallee() == "aten::unsqueeze" ||
                 unsqueeze.getCallee() == "aten::view" ||
                 unsqueeze.getCallee() == "aten::reshape";
  Value inner = unsqueeze.getInputs()[0];
  if (!addsDim || typeOf(inner).getDimSize(1) != groups)
    return same;
  return accept(inner);
}

//===----------------------------------------------------------------------===//
// q, k and the way down
//===----------------------------------------------------------------------===//

Value AttentionFuser::withoutScale(Value value, double &scale) {
  while (auto op = value.getDefiningOp<AtenOp>()) {
    auto scaled = scaledBy(op, lines);
    if (!scaled || op.getNoGrad())
      break;
    value = scaled->first;
    scale *= scaled->second;
  }
  return value;
}

/// k in [B, H, T, D] behind the second operand of q k^T.
Value AttentionFuser::keysBehind(AtenOp product, MaskProof &proof,
                                 std::string &why) {
  Value keys = withoutScale(product.getInputs()[1], proof.scale);
  auto op = keys.getDefiningOp<AtenOp>();
  why = "its keys are not transposed in their last two dimensions";
  if (!op || op.getNoGrad())
    return nullptr;
  CallArgs args(op.getArgs(), op.getInputs());
  bool swaps = op.getCallee() == "aten::mT";
  if (op.getCallee() == "aten::transpose.int") {
    int64_t a = wrap(args.integer(1).value_or(0), 4),
            b = wrap(args.integer(2).value_or(0), 4);
    swaps = std::min(a, b) == 2 && std::max(a, b) == 3;
  } else if (op.getCallee() == "aten::permute") {
    SmallVector<int64_t> dims;
    ArrayRef<int64_t> order = args.integers(1).value_or(ArrayRef<int64_t>());
    for (int64_t dim : order)
      dims.push_back(wrap(dim, 4));
    swaps = dims == SmallVector<int64_t>{0, 1, 3, 2};
  }
  if (!swaps)
    return nullptr;
  return withoutScale(args.tensor(0), proof.scale);
}

/// The product that the softmax's result is the first factor of; null if this
/// is no attention at all. `between`: the operators on the way.
AtenOp AttentionFuser::productWith(AtenOp softmax,
                                   SmallVectorImpl<AtenOp> &between) {
  Value value = softmax->getResult(0);
  for (;;) {
    AtenOp next;
    for (Operation *user : value.getUsers()) {
      auto op = dyn_cast<AtenOp>(user);
      if (isProduct(op) && op.getInputs()[0] == value)
        return op;
      if (op && op.getInputs()[0] == value &&
          passedThrough(op, /*allowCasts=*/true))
        next = op;
    }
    if (!next)
      return nullptr;
    between.push_back(next);
    value = next->getResult(0);
  }
}

FailureOr<MaskProof> AttentionFuser::prove(const ScoreChain &chain,
                                           std::string &why) {
  ArrayRef<int64_t> shape = typeOf(chain.product->getResult(0)).getShape();
  for (const Proven &known : proven)
    if (known.steps == chain.steps && ArrayRef(known.shape) == shape) {
      why = known.why;
      return known.proof;
    }
  FailureOr<MaskProof> proof = proveMask(chain.steps, shape, lines, why);
  proven.push_back({chain.steps, SmallVector<int64_t>(shape), proof, why});
  return proof;
}

//===----------------------------------------------------------------------===//
// Fusion
//===----------------------------------------------------------------------===//

std::string AttentionFuser::fuse(AtenOp softmax, AtenOp product,
                                 ArrayRef<AtenOp> between) {
  CallArgs args(softmax.getArgs(), softmax.getInputs());
  RankedTensorType outType = typeOf(product->getResult(0));
  int64_t rank = typeOf(softmax->getResult(0)).getRank();
  if (rank != 4 || outType.getRank() != 4)
    return "its scores have " + std::to_string(rank) +
           " dimensions; attention is [batch, heads, sequence, head_dim]";
  if (!args.integer(1) || wrap(*args.integer(1), rank) != rank - 1)
    return "its softmax is not over the last dimension";

  ScoreChain chain;
  std::string why;
  if (failed(findProduct(softmax.getInputs()[0], lines, chain, why)))
    return why;
  SmallVector<AtenOp> inner(chain.ops);
  inner.push_back(softmax);
  llvm::append_range(inner, between);
  for (AtenOp op : inner) {
    if (!op->hasOneUse())
      return (op == softmax || llvm::is_contained(between, op)
                  ? "its probabilities are used elsewhere too"
                  : "its scores are used elsewhere too");
    if (op.getNoGrad())
      return "a part of it runs without gradients";
  }
  if (product.getNoGrad())
    return "a part of it runs without gradients";

  FailureOr<MaskProof> proof = prove(chain, why);
  if (failed(proof))
    return why;
  Value q = withoutScale(chain.product.getInputs()[0], proof->scale);
  Value k = keysBehind(chain.product, *proof, why);
  if (!k)
    return why;
  Value v = product.getInputs()[1];
  if (proof->scale <= 0)
    return "its scale " + std::to_string(proof->scale) + " is not positive";
  for (Value value : {q, k, v})
    if (typeOf(value).getRank() != 4)
      return "q, k and v are not all [batch, heads, sequence, head_dim]";

  // Without repetition only if both have it, and the same.
  Heads keys = withoutRepetition(k), values = withoutRepetition(v);
  if (keys.groups == values.groups) {
    k = withoutScale(keys.value, proof->scale);
    v = values.value;
  }
  RankedTensorType qType = typeOf(q), kType = typeOf(k), vType = typeOf(v);
  if (!qType.getElementType().isF32() && !qType.getElementType().isBF16() &&
      !qType.getElementType().isF16())
    return "fused attention computes in f32 at most";
  if (kType != vType)
    return "keys and values differ in shape or element type";
  if (outType != qType)
    return "its result differs from its queries in shape or element type";
  if (qType.getElementType() != kType.getElementType() ||
      qType.getDimSize(0) != kType.getDimSize(0) ||
      qType.getDimSize(3) != kType.getDimSize(3) ||
      qType.getDimSize(1) % kType.getDimSize(1) != 0)
    return "queries and keys differ in batch, head_dim or element type";

  OpBuilder builder(product);
  auto lse =
      RankedTensorType::get(qType.getShape().drop_back(), builder.getF32Type());
  auto sdpa = SdpaOp::create(builder, product.getLoc(), outType, lse, q, k, v,
                             builder.getBoolAttr(proof->isCausal),
                             builder.getF64FloatAttr(proof->scale));
  product->getResult(0).replaceAllUsesWith(sdpa.getOut());
  ++numFused;
  return "";
}

void AttentionFuser::run() {
  SmallVector<AtenOp> softmaxes;
  func.walk([&](AtenOp op) {
    if (op.getCallee() == "aten::softmax.int" ||
        op.getCallee() == "aten::_softmax" ||
        op.getCallee() == "aten::special_softmax")
      softmaxes.push_back(op);
  });
  for (AtenOp softmax : softmaxes) {
    SmallVector<AtenOp> between;
    AtenOp product = productWith(softmax, between);
    if (!product)
      continue;
    std::string why = fuse(softmax, product, between);
    if (!why.empty())
      softmax.emitRemark("attention stays written out: ") << why;
  }
  if (numFused == 0)
    return;
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(func.front())))
    if (isOpTriviallyDead(&op))
      op.erase();
}

namespace {
struct FuseAttentionPass : nxdt::impl::FuseAttentionBase<FuseAttentionPass> {
  void runOnOperation() override {
    for (auto func : getOperation().getOps<func::FuncOp>()) {
      if (func.isExternal())
        continue;
      AttentionFuser fuser(func);
      fuser.run();
      numFused += fuser.numFused;
    }
  }
};
} // namespace
