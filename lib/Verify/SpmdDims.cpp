//===- SpmdDims.cpp - operators that work along some dimensions -----------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Normalisation, sorting, gathering, cutting, repeating: they need some
// dimensions whole and pass the others on. Where one of those is split, what
// comes out differs between the ranks, and nothing more is known.
//
//===----------------------------------------------------------------------===//
#include "SpmdRules.h"

#include <algorithm>
#include <set>

namespace nxdt::spmd {

using DimSet = std::set<size_t>;
/// The dimensions of operand 0 that are needed whole.
using WholeDims = std::function<DimSet(const Call &)>;

static size_t rankOf(const Call &call) { return call.lie(0).dims.size(); }

static DimSet all(const Call &call) {
  DimSet dims;
  for (size_t dim = 0; dim < rankOf(call); ++dim)
    dims.insert(dim);
  return dims;
}

/// An argument that is a dimension, or a list of them; none: all.
static WholeDims argument(size_t at, int64_t standard = 99) {
  return [=](const Call &call) {
    DimSet dims;
    if (rankOf(call) == 0)
      return dims;
    if (auto list = call.integers(at))
      for (int64_t dim : *list)
        dims.insert(wrapped(dim, rankOf(call)));
    else if (auto dim = call.integer(at))
      dims.insert(wrapped(*dim, rankOf(call)));
    else if (standard != 99)
      dims.insert(wrapped(standard, rankOf(call)));
    return dims.empty() ? all(call) : dims;
  };
}

/// The last dims, as many as the list in an argument has.
static WholeDims lastDims(size_t at) {
  return [=](const Call &call) {
    DimSet dims;
    size_t count = call.integers(at).value_or(std::vector<int64_t>{}).size();
    for (size_t i = 1; i <= count && i <= rankOf(call); ++i)
      dims.insert(rankOf(call) - i);
    return dims;
  };
}

/// All but the first.
static DimSet butBatch(const Call &call) {
  DimSet dims = all(call);
  dims.erase(0);
  return dims;
}

/// What operand 0 and others of its rank have in common in the dims that are
/// not needed whole; the rest is forgotten.
static Lie common(const Call &call, const DimSet &whole, Linear linear,
                  std::span<const size_t> linearIn) {
  std::vector<int32_t> operands = call.operands();
  Lie result = call.lieOf(operands.at(0));
  result.sum = linearSum(call, operands, linear, linearIn);
  result.zero = false;
  result.fact = nullptr;
  AtomSet forgotten = 0;
  for (int32_t value : operands) {
    const Lie &lie = call.lieOf(value);
    forgotten |= lie.unknown;
    if (lie.dims.size() == result.dims.size())
      for (size_t dim : whole)
        forgotten |= lie.dims[dim].atoms();
    else
      forgotten |= lie.split();
  }
  if (AtomSet both = forgotten & result.sum)
    call.fail("needs all of what is split over " + call.atoms.text(both));
  result.forget(forgotten, call.atoms);
  for (int32_t value : operands) {
    Lie lie = call.lieOf(value);
    if (lie.dims.size() != result.dims.size())
      continue;
    lie.forget(forgotten, call.atoms);
    for (size_t dim = 0; dim < lie.dims.size(); ++dim) {
      if (whole.contains(dim) ||
          (lie.dims[dim].local() == 1 && !lie.dims[dim].atoms()))
        continue;
      const Dim both[] = {result.dims[dim], lie.dims[dim]};
      result.dims[dim] =
          unifyAll(call, both, "dimension " + std::to_string(dim));
    }
  }
  return result;
}

/// Results of operand 0's rank: `whole` dims have the sizes that the plan says.
static Rule along(WholeDims dimsOf, Linear linear = Linear::None,
                  std::vector<size_t> linearIn = {}) {
  return [=](const Call &call) {
    DimSet whole = dimsOf(call);
    Lie lie = common(call, whole, linear, linearIn);
    std::vector<Lie> results;
    for (size_t i = 0; i < call.results(); ++i) {
      results.push_back(lie);
      const std::vector<int64_t> *shape = call.resultShape(i);
      if (!shape)
        continue;
      for (size_t dim : whole)
        results.back().dims[dim] = Dim::of(shape->at(dim));
      // New dims come last (one_hot, unfold).
      for (size_t dim = lie.dims.size(); dim < shape->size(); ++dim)
        results.back().dims.push_back(Dim::of((*shape)[dim]));
    }
    return results;
  };
}

/// Results without these dims, or with 1 in their place.
static Rule reducing(WholeDims dimsOf, Linear linear = Linear::None,
                     std::vector<size_t> linearIn = {}) {
  return [=](const Call &call) {
    DimSet whole = dimsOf(call);
    Lie lie = common(call, whole, linear, linearIn);
    const std::vector<int64_t> *shape = call.resultShape();
    bool keeps = shape && shape->size() == lie.dims.size();
    std::vector<Dim> dims;
    for (size_t dim = 0; dim < lie.dims.size(); ++dim)
      if (!whole.contains(dim))
        dims.push_back(lie.dims[dim]);
      else if (keeps)
        dims.push_back({});
    lie.dims = dims;
    return std::vector<Lie>(call.results(), lie);
  };
}

/// A gradient or part that lacks the dimension `at`, which comes back.
static Rule inserting(size_t dimAt) {
  return [=](const Call &call) -> std::vector<Lie> {
    Lie lie = call.lie(0);
    const std::vector<int64_t> *shape = call.resultShape();
    if (!shape)
      return {lie};
    size_t dim = wrapped(call.integer(dimAt).value_or(0), shape->size());
    int64_t size = shape->at(dim);
    lie.dims.insert(lie.dims.begin() + dim, Dim::of(size));
    lie.fact = nullptr;
    return {lie};
  };
}

/// Dims in another order; none are listed: none.
static DimSet flipped(const Call &call) {
  bool isNone = call.integers(1) && call.integers(1)->empty();
  return isNone ? DimSet{} : argument(1)(call);
}

/// All of a dim, or a part of one that is needed whole.
static DimSet narrowed(const Call &call) {
  DimSet dims = argument(1)(call);
  const std::vector<int64_t> *shape = call.resultShape();
  std::erase_if(dims, [&](size_t dim) {
    return shape && shape->at(dim) == call.lie(0).dims[dim].local();
  });
  return dims;
}

/// What is linear in operand 0, the only one.
static Lie copied(const Call &call) {
  const int32_t operand[] = {call.value(0)};
  const size_t first[] = {0};
  Lie lie = call.lie(0);
  lie.sum = linearSum(call, operand, Linear::Each, first);
  lie.fact = nullptr;
  return lie;
}

/// Each dim n times, one copy behind the other: copies are the major part.
static std::vector<Lie> repeat(const Call &call) {
  Lie lie = copied(call);
  std::vector<int64_t> times =
      call.integers(1).value_or(std::vector<int64_t>{});
  if (times.size() > lie.dims.size())
    lie.dims.insert(lie.dims.begin(), times.size() - lie.dims.size(), Dim{});
  for (size_t i = 0; i < times.size(); ++i) {
    size_t dim = i + lie.dims.size() - times.size();
    if (times[i] == 1)
      continue;
    // Copies of parts are not the parts of copies.
    lie.forget(lie.dims[dim].atoms(), call.atoms);
    Dim copies = Dim::constant(times[i]);
    std::vector<Run> &runs = lie.dims[dim].runs;
    runs.insert(runs.begin(), copies.runs.begin(), copies.runs.end());
    lie.dims[dim] = normalized(lie.dims[dim], call.atoms);
  }
  return {lie};
}

/// Each element n times: copies are the minor part. Without a dim, of all of
/// them in a row.
static std::vector<Lie> repeatInterleave(const Call &call) {
  Lie lie = copied(call);
  int64_t times = call.integer(1).value_or(1);
  if (!call.integer(2)) {
    Dim row;
    for (const Dim &dim : lie.dims)
      row.runs.insert(row.runs.end(), dim.runs.begin(), dim.runs.end());
    lie.dims = Dims{row};
  }
  Dim &dim = lie.dims[wrapped(call.integer(2).value_or(0), lie.dims.size())];
  Dim copies = Dim::constant(times);
  dim.runs.insert(dim.runs.end(), copies.runs.begin(), copies.runs.end());
  dim = normalized(dim, call.atoms);
  return {lie};
}

/// Channels are cut between groups: each group is one rank's.
static std::vector<Lie> groupNorm(const Call &call) {
  DimSet whole = butBatch(call);
  whole.erase(1);
  Lie lie = call.lie(0);
  for (int32_t value : call.operands()) {
    linearSum(call, std::span(&value, 1), Linear::None);
    const Lie &other = call.lieOf(value);
    lie.forget(other.unknown, call.atoms);
  }
  for (size_t i : {2, 3})
    if (call.hasTensor(i)) {
      const Dim both[] = {lie.dims[1], call.lie(i).dims[0]};
      lie.dims[1] = unifyAll(call, both, "the channels");
    }
  for (size_t dim : whole)
    lie.forget(lie.dims[dim].atoms(), call.atoms);
  lie.zero = false;
  lie.fact = nullptr;
  // A group that is cut, or filled up, has another mean.
  bool isPaddedAnywhere =
      std::any_of(lie.dims[1].runs.begin(), lie.dims[1].runs.end(),
                  [&](const Run &run) { return isPadded(run, call.atoms); });
  if (isPaddedAnywhere)
    lie.forget(lie.dims[1].atoms(), call.atoms);
  for (Dim &dim : lie.dims)
    setPadding(dim, Padding::Unknown);
  return {lie};
}

void addDimRules(RuleTable &table) {
  auto first = std::vector<size_t>{0};
  table["aten::layer_norm"] = along(lastDims(1));
  table["aten::rms_norm"] = along(lastDims(1));
  table["aten::group_norm"] = groupNorm;
  for (std::string_view op : {"aten::sort", "aten::argsort"})
    table[op] = along(argument(1, -1));
  table["aten::topk"] = along(argument(2, -1));
  table["aten::one_hot"] = along([](const Call &) { return DimSet{}; });
  for (std::string_view op : {"aten::cumsum", "aten::unfold"})
    table[op] = along(argument(1), Linear::Each, first);
  table["aten::flip"] = along(flipped, Linear::Each, first);
  table["aten::narrow"] = along(narrowed, Linear::Each, first);
  table["aten::roll"] = along(argument(2), Linear::Each, first);
  table["aten::glu"] = along(argument(1, -1));
  table["aten::glu_backward"] = along(argument(2), Linear::Each, first);
  for (std::string_view op :
       {"aten::index_fill.int_Scalar", "aten::scatter.value"})
    table[op] = [first](const Call &call) {
      // Linear if it writes zeros.
      return call.number(3) == 0.0
                 ? along(argument(1), Linear::Each, first)(call)
                 : along(argument(1))(call);
    };
  for (std::string_view op :
       {"aten::index_add", "aten::scatter.src", "aten::scatter_add"})
    table[op] = along(argument(1), Linear::Joint, {0, 2});
  table["aten::slice_scatter"] = along(argument(2, 0), Linear::Joint);
  for (std::string_view op :
       {"aten::split.Tensor", "aten::split.sizes", "aten::split_with_sizes",
        "aten::chunk", "aten::tensor_split.sections"})
    table[op] = along(argument(2, 0), Linear::Each, first);
  table["aten::unbind.int"] = reducing(argument(1, 0), Linear::Each, first);
  for (std::string_view op : {"aten::repeat", "aten::tile"})
    table[op] = repeat;
  table["aten::repeat_interleave.self_int"] = repeatInterleave;
  table["aten::select_backward"] = inserting(2);
  for (std::string_view op :
       {"aten::any.dim", "aten::all.dim", "aten::argmax", "aten::argmin",
        "aten::amin", "aten::max.dim", "aten::min.dim", "aten::std.dim",
        "aten::std.correction", "aten::std_mean.correction", "aten::var.dim",
        "aten::var.correction", "aten::var_mean.correction"})
    table[op] = reducing(argument(1));
}

} // namespace nxdt::spmd
