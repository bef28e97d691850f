//===- SpmdProducts.cpp - contractions, attention, the optimizer
//-----------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "SpmdRules.h"

#include <algorithm>

namespace nxdt::spmd {

/// Adds the bias of linear, argument 2: a term if the product is one, over the
/// same axes.
static std::vector<Lie> withBias(const Call &call, Lie product, bool isLinear) {
  if (!isLinear || !call.hasTensor(2))
    return {product};
  const Lie &bias = call.lie(2);
  if (product.sum & ~bias.sum)
    call.fail("adds its bias to each term of a sum over " +
              call.atoms.text(product.sum) +
              ": it would count once for each "
              "rank");
  if (bias.sum != product.sum)
    call.fail("adds a bias that is " + text(bias, call.atoms));
  if (!product.dims.empty() && !bias.dims.empty()) {
    const Dim sides[] = {product.dims.back(), bias.dims[0]};
    product.dims.back() = unifyAll(call, sides, "the bias");
  }
  product.forget(bias.unknown, call.atoms);
  return {product};
}

/// [..., n, k] x [..., k, m]; `swapped`: the second is [m, k], as in linear.
static std::vector<Lie> product(const Call &call, bool swapped) {
  const int32_t operands[] = {call.value(0), call.value(1)};
  const size_t both[] = {0, 1};
  Lie a = call.lie(0), b = call.lie(1);
  if (a.dims.empty() || b.dims.empty())
    return inferUnknown(call, 1);
  if (a.dims.size() == 1 || b.dims.size() == 1)
    return withBias(call, vectorProduct(call, swapped).at(0), swapped);
  Lie result;
  result.sum = linearSum(call, operands, Linear::Each, both);
  result.unknown = a.unknown | b.unknown;
  a.forget(result.unknown, call.atoms);
  b.forget(result.unknown, call.atoms);
  size_t last = b.dims.size() - 1;
  Dim inner = swapped ? b.dims[last] : b.dims[last - 1];
  Dim columns = swapped ? b.dims[last - 1] : b.dims[last];
  const Dim contracted[] = {a.dims.back(), inner};
  // Of both: zero times what is not a number is none.
  checkZeroPadding(call, operands[0], a.dims.back());
  checkZeroPadding(call, operands[1], inner);
  AtomSet summed =
      unifyAll(call, contracted, "the contracted dimension").atoms();
  // Leading dims: all of a's for linear, pairs that broadcast else.
  size_t rank = std::max(a.dims.size(), b.dims.size());
  for (size_t dim = 0; dim + 2 < rank; ++dim) {
    std::vector<Dim> here;
    for (const Lie *lie : {&a, &b}) {
      size_t extra = rank - lie->dims.size();
      if (dim < extra)
        continue;
      const Dim &own = lie->dims[dim - extra];
      if (own.local() != 1 || own.atoms())
        here.push_back(own);
    }
    result.dims.push_back(
        here.empty()
            ? Dim{}
            : unifyAll(call, here, "dimension " + std::to_string(dim)));
  }
  result.dims.push_back(a.dims[a.dims.size() - 2]);
  result.dims.push_back(columns);
  if (result.sum & summed)
    call.fail("contracts over " + call.atoms.text(summed) +
              " what is a term of a sum over it already");
  result.sum |= summed;
  checkDisjoint(call, result);
  return withBias(call, result, swapped);
}

/// added + a x b. The addend is a term if the product is one, over the same
/// axes, or it would count once for each rank.
static std::vector<Lie> addedProduct(const Call &call) {
  const int32_t factors[] = {call.value(1), call.value(2)};
  const size_t both[] = {0, 1};
  Lie a = call.lie(1), b = call.lie(2), added = call.lie(0);
  Lie result;
  result.sum = linearSum(call, factors, Linear::Each, both);
  result.unknown = a.unknown | b.unknown | added.unknown;
  for (Lie *lie : {&a, &b, &added})
    lie->forget(result.unknown, call.atoms);
  size_t rank = a.dims.size();
  const Dim contracted[] = {a.dims.back(), b.dims[rank - 2]};
  checkZeroPadding(call, factors[0], contracted[0]);
  checkZeroPadding(call, factors[1], contracted[1]);
  result.sum |= unifyAll(call, contracted, "the contracted dimension").atoms();
  if (rank == 3) {
    const Dim batches[] = {a.dims[0], b.dims[0]};
    result.dims.push_back(unifyAll(call, batches, "the batch"));
  }
  result.dims.push_back(a.dims[rank - 2]);
  result.dims.push_back(b.dims.back());
  if (added.sum != result.sum && !added.zero)
    call.fail("adds " + call.shown(call.value(0)) +
              " to a product that is a term of a sum over " +
              call.atoms.text(result.sum));
  size_t extra = rank - added.dims.size();
  for (size_t dim = 0; dim < added.dims.size(); ++dim) {
    if (added.dims[dim].local() == 1 && !added.dims[dim].atoms())
      continue;
    const Dim sides[] = {result.dims[dim + extra], added.dims[dim]};
    result.dims[dim + extra] = unifyAll(call, sides, "what is added");
  }
  checkDisjoint(call, result);
  return {result};
}

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

namespace {
/// Queries [B, H, S, D], keys and values [B, H, T, D]: of each head its own.
struct Attention {
  Dim batch, queryHeads, keyHeads;
  /// Atoms that split query heads of which all read one key head.
  AtomSet shared = 0;
  AtomSet unknown = 0;
};
} // namespace

static Attention attention(const Call &call, std::span<const size_t> queries,
                           std::span<const size_t> keys) {
  Attention result;
  std::vector<Dim> batches, queryHeads, keyHeads;
  auto read = [&](size_t i, std::vector<Dim> &heads) {
    const Lie &lie = call.lie(i);
    const int32_t operand[] = {call.value(i)};
    linearSum(call, operand, Linear::None);
    result.unknown |= lie.unknown;
    batches.push_back(lie.dims[0]);
    heads.push_back(lie.dims[1]);
    for (size_t dim = 2; dim < lie.dims.size(); ++dim)
      if (lie.dims[dim].atoms())
        call.fail("needs whole sequences and heads: " +
                  call.shown(call.value(i)));
  };
  for (size_t i : queries)
    read(i, queryHeads);
  for (size_t i : keys)
    read(i, keyHeads);
  result.batch = unifyAll(call, batches, "the batch");
  result.queryHeads = unifyAll(call, queryHeads, "the heads of queries");
  result.keyHeads = unifyAll(call, keyHeads, "the heads of keys");
  if (auto same = unify(result.queryHeads, result.keyHeads, call.atoms)) {
    result.keyHeads = *same;
    return result;
  }
  // One key head for each rank, and for several of them the same.
  const std::vector<Run> &q = result.queryHeads.runs;
  const std::vector<Run> &k = result.keyHeads.runs;
  AtomList more = q.size() == 1 ? q[0].atoms : AtomList{};
  AtomList less = k.size() == 1 ? k[0].atoms : AtomList{};
  bool isPrefix = less.size() <= more.size() &&
                  std::equal(less.begin(), less.end(), more.begin());
  bool oneKey =
      k.empty() || (k.size() == 1 && (k[0].uniform || k[0].local == 1));
  // Repeated for the rank's query heads: still one.
  if (k.size() == 2 && k[0].local == 1 && k[1].uniform) {
    less = k[0].atoms;
    isPrefix = less.size() <= more.size() &&
               std::equal(less.begin(), less.end(), more.begin());
    oneKey = true;
  }
  int64_t heads = k.empty() ? 1 : k[0].whole;
  if (!isPrefix || !oneKey || (heads && q[0].whole % heads) ||
      (heads && heads != call.atoms.size(less)))
    call.fail("has query heads " + text(result.queryHeads, call.atoms) +
              ", but key heads " + text(result.keyHeads, call.atoms));
  result.shared = setOf(more) & ~setOf(less);
  return result;
}

static std::vector<Lie> attentionForward(const Call &call) {
  const size_t queries[] = {0}, keys[] = {1, 2};
  Attention shape = attention(call, queries, keys);
  const Lie &q = call.lie(0);
  Lie out, lse;
  out.dims = {shape.batch, shape.queryHeads, q.dims[2], call.lie(2).dims[3]};
  lse.dims = {shape.batch, shape.queryHeads, q.dims[2]};
  out.forget(shape.unknown, call.atoms);
  lse.forget(shape.unknown, call.atoms);
  return {out, lse};
}

/// dout, q, k, v, out, lse.
static std::vector<Lie> attentionBackward(const Call &call) {
  const size_t queries[] = {0, 1, 4, 5}, keys[] = {2, 3};
  Attention shape = attention(call, queries, keys);
  Lie dq = call.lie(1), dk = call.lie(2), dv = call.lie(3);
  dq.dims[0] = dk.dims[0] = dv.dims[0] = shape.batch;
  dq.dims[1] = shape.queryHeads;
  for (Lie *key : {&dk, &dv}) {
    key->dims[1] = shape.keyHeads;
    // Of repeated heads each has a gradient of its own.
    for (Run &run : key->dims[1].runs)
      if (run.uniform)
        run = {run.local, run.local, {}, false, Padding::Zero};
    key->dims[1] = normalized(key->dims[1], call.atoms);
    key->sum |= shape.shared;
  }
  for (Lie *lie : {&dq, &dk, &dv})
    lie->forget(shape.unknown, call.atoms);
  return {dq, dk, dv};
}

//===----------------------------------------------------------------------===//
// The optimizer
//===----------------------------------------------------------------------===//

/// Lists of parameters, gradients and moments; what differs between ranks must
/// be split alike in all of them.
static std::vector<Lie> fusedAdamW(const Call &call) {
  std::vector<int32_t> tensors;
  for (size_t i = 0; i < 5; ++i)
    for (int32_t value : call.list(i))
      tensors.push_back(value);
  Lie lie = pointwise(call, tensors, Linear::None, {}, ZeroIf::All);
  if (lie.unknown)
    call.fail("updates a parameter by values that differ over " +
              call.atoms.text(lie.unknown));
  std::vector<int32_t> scalars = call.list(5);
  for (size_t i : {size_t(6), size_t(13), size_t(14)})
    if (call.hasTensor(i))
      scalars.push_back(call.value(i));
  for (int32_t value : scalars)
    if (call.lieOf(value).differs())
      call.fail("updates replicas by different numbers: " + call.shown(value));
  return {lie};
}

void addProductRules(RuleTable &table) {
  for (std::string_view op : {"aten::matmul", "aten::mm", "aten::bmm"})
    table[op] = [](const Call &call) { return product(call, false); };
  for (std::string_view op : {"aten::addmm", "aten::baddbmm"})
    table[op] = addedProduct;
  table["aten::linear"] = [](const Call &call) { return product(call, true); };
  table["aten::_scaled_dot_product_flash_attention_for_cpu"] = attentionForward;
  table["aten::_scaled_dot_product_flash_attention_for_cpu_backward"] =
      attentionBackward;
  table["aten::_fused_adamw.tensor_lr"] = fusedAdamW;
}

} // namespace nxdt::spmd
