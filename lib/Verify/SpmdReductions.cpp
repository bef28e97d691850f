//===- SpmdReductions.cpp - operators that read whole dimensions
//-----------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "SpmdRules.h"

#include <algorithm>
#include <limits>
#include <set>

namespace nxdt::spmd {

/// The dims that argument `at` lists; all if it lists none.
static std::set<size_t> dimsOf(const Call &call, size_t at) {
  size_t rank = call.lie(0).dims.size();
  std::set<size_t> dims;
  // A scalar has no dim 0, and operators take it all the same.
  if (rank == 0)
    return dims;
  if (auto list = call.integers(at))
    for (int64_t dim : *list)
      dims.insert(wrapped(dim, rank));
  if (dims.empty())
    for (size_t dim = 0; dim < rank; ++dim)
      dims.insert(dim);
  return dims;
}

/// Takes dims out; returns the atoms that split them.
static AtomSet drop(Lie &lie, const std::set<size_t> &dims, bool keep) {
  AtomSet atoms = 0;
  std::vector<Dim> left;
  for (size_t dim = 0; dim < lie.dims.size(); ++dim) {
    if (!dims.contains(dim)) {
      left.push_back(lie.dims[dim]);
      continue;
    }
    atoms |= lie.dims[dim].atoms();
    if (keep)
      left.push_back({});
  }
  lie.dims = left;
  lie.fact = nullptr;
  return atoms;
}

/// A sum over a split dimension is a term of the sum over its ranks.
static std::vector<Lie> sum(const Call &call, const std::set<size_t> &dims,
                            bool keep) {
  const int32_t operand[] = {call.value(0)};
  const size_t first[] = {0};
  Lie lie = call.lie(0);
  lie.sum = linearSum(call, operand, Linear::Each, first);
  for (size_t dim : dims)
    checkZeroPadding(call, call.value(0), lie.dims[dim]);
  for (size_t dim : dims)
    if (dim > 0 && !dims.contains(dim - 1) && lie.dims[dim].runs.empty() &&
        lie.dims[dim - 1].local() == 1)
      lie.either |= lie.dims[dim - 1].atoms();
  lie.sum |= drop(lie, dims, keep);
  return {lie};
}

/// A mean over parts is not the mean of the whole.
static std::vector<Lie> mean(const Call &call, const std::set<size_t> &dims,
                             bool keep) {
  const int32_t operand[] = {call.value(0)};
  const size_t first[] = {0};
  Lie lie = call.lie(0);
  lie.sum = linearSum(call, operand, Linear::Each, first);
  if (AtomSet atoms = drop(lie, dims, keep)) {
    if (lie.sum)
      call.fail("takes the mean of parts over " + call.atoms.text(atoms));
    lie.unknown |= atoms;
  }
  return {lie};
}

static std::vector<Lie> maximum(const Call &call) {
  const int32_t operand[] = {call.value(0)};
  linearSum(call, operand, Linear::None);
  Lie lie = call.lie(0);
  for (size_t dim : dimsOf(call, 1))
    for (const Run &run : lie.dims[dim].runs)
      if (isPadded(run, call.atoms) && run.padding != Padding::Lowest)
        call.fail("takes the maximum of what lies in the padding of " +
                  call.shown(call.value(0)) + ": mask it first");
  lie.max |= drop(lie, dimsOf(call, 1), call.flag(2));
  return {lie};
}

/// Needs all of some dims, and gives the operand's form back.
static Rule needsWhole(size_t dimAt, Linear linear) {
  return [=](const Call &call) -> std::vector<Lie> {
    std::vector<int32_t> operands = call.operands();
    const size_t first[] = {0};
    Lie lie = pointwise(call, operands, linear, first);
    size_t dim = wrapped(call.integer(dimAt).value_or(0), lie.dims.size());
    if (AtomSet atoms = lie.dims[dim].atoms()) {
      if (lie.sum)
        call.fail("needs all of dimension " + std::to_string(dim));
      lie.forget(atoms, call.atoms);
    }
    return {lie};
  };
}

static std::vector<Lie> logSumExp(const Call &call) {
  const int32_t operand[] = {call.value(0)};
  linearSum(call, operand, Linear::None);
  Lie lie = call.lie(0);
  lie.unknown |= drop(lie, dimsOf(call, 1), call.flag(2));
  return {lie};
}

static std::vector<Lie> triangle(const Call &call) {
  Lie lie = call.lie(0);
  for (size_t i = 0; i < 2 && i < lie.dims.size(); ++i) {
    Dim &dim = lie.dims[lie.dims.size() - 1 - i];
    lie.forget(dim.atoms(), call.atoms);
    dim = Dim::of(dim.local());
  }
  lie.fact = nullptr;
  return {lie};
}

/// A norm along dims (argument `dimsAt`; none: of all elements): of parts, the
/// square norm is the root of a term, and those of degree 1 and 0 are terms.
static Rule norm(size_t dimsAt) {
  return [=](const Call &call) -> std::vector<Lie> {
    Lie lie = call.lie(0);
    if (lie.sum | lie.max)
      call.fail("squares " + call.shown(call.value(0)) +
                ": the sum of squares is not the square of the sum; reduce it "
                "first");
    bool isWhole = !call.integers(dimsAt);
    for (size_t dim : dimsOf(call, dimsAt))
      checkZeroPadding(call, call.value(0), lie.dims[dim]);
    AtomSet atoms = drop(lie, dimsOf(call, dimsAt), call.flag(dimsAt + 1));
    if (isWhole && call.number(1) == 2.0) {
      if (lie.root & atoms)
        call.fail("counts elements twice over " +
                  call.atoms.text(lie.root & atoms));
      lie.root |= atoms;
    } else if ((call.number(1) == 1.0 || call.number(1) == 0.0) && !lie.root) {
      lie.sum |= atoms;
    } else if (call.number(1) == std::numeric_limits<double>::infinity() &&
               !lie.root) {
      // Absolute values: zeros of padding are never the largest.
      lie.max |= atoms;
    } else {
      lie.unknown |= atoms | lie.root;
      lie.root = 0;
    }
    return {lie};
  };
}

/// log_softmax rows [N, C], targets [N]: summed loss and weight.
static std::vector<Lie> negativeLogLikelihood(const Call &call) {
  constexpr int64_t kSum = 2;
  const int32_t operands[] = {call.value(0), call.value(1)};
  linearSum(call, operands, Linear::None);
  Lie lie = call.lie(0);
  const Dim rows[] = {lie.dims[0], call.lie(1).dims[0]};
  for (const Run &run : rows[1].runs)
    if (isPadded(run, call.atoms) && run.padding != Padding::Ignored)
      call.fail("counts targets in the padding of " +
                call.shown(call.value(1)));
  lie.dims[0] = unifyAll(call, rows, "the rows of scores and targets");
  lie.unknown |= call.lie(1).unknown | lie.dims[1].atoms();
  AtomSet split = lie.dims[0].atoms();
  lie.dims.clear();
  (call.integer(3) == kSum ? lie.sum : lie.unknown) |= split;
  return {lie, lie};
}

void addReductionRules(RuleTable &table) {
  table["aten::sum"] = [](const Call &call) {
    return sum(call, dimsOf(call, 99), false);
  };
  table["aten::sum.dim_IntList"] = [](const Call &call) {
    return sum(call, dimsOf(call, 1), call.flag(2));
  };
  table["aten::mean"] = [](const Call &call) {
    return mean(call, dimsOf(call, 99), false);
  };
  table["aten::mean.dim"] = [](const Call &call) {
    return mean(call, dimsOf(call, 1), call.flag(2));
  };
  table["aten::amax"] = maximum;
  table["aten::max"] = maximum;
  table["aten::logsumexp"] = logSumExp;
  for (std::string_view op : {"aten::softmax.int", "aten::log_softmax.int",
                              "aten::_softmax", "aten::_log_softmax"})
    table[op] = needsWhole(1, Linear::None);
  for (std::string_view op :
       {"aten::_softmax_backward_data", "aten::_log_softmax_backward_data"})
    table[op] = needsWhole(2, Linear::Each);
  table["aten::triu"] = triangle;
  table["aten::tril"] = triangle;
  for (std::string_view op : {"aten::linalg_vector_norm", "aten::norm.Scalar",
                              "aten::norm.ScalarOpt_dim"})
    table[op] = norm(2);
  table["aten::nll_loss_forward"] = negativeLogLikelihood;
}

} // namespace nxdt::spmd
