//===- SpmdShapes.cpp - operators that only move elements ===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "SpmdRules.h"

#include <algorithm>

namespace nxdt::spmd {

//===----------------------------------------------------------------------===//
// Reshapes
//===----------------------------------------------------------------------===//

/// Flattens what both shapes do not share at the beginning, and deals the runs
/// out again. A result of size 1 takes what is split into parts of 1, or the
/// major part of a split run: heads of which a rank has one.
std::optional<std::vector<Dim>> regroup(const std::vector<Dim> &dims,
                                        const std::vector<int64_t> &shape,
                                        const Atoms &atoms) {
  std::vector<Dim> result;
  size_t common = 0;
  while (common < dims.size() && common < shape.size() &&
         dims[common].local() == shape[common])
    result.push_back(dims[common++]);
  std::vector<Run> rest;
  for (size_t dim = dims.size(); dim > common; --dim)
    rest.insert(rest.end(), dims[dim - 1].runs.rbegin(),
                dims[dim - 1].runs.rend());
  for (size_t dim = common; dim < shape.size(); ++dim) {
    Dim made;
    int64_t left = shape[dim];
    bool takesSplit = left == 1;
    while (!rest.empty()) {
      Run next = rest.back();
      if (next.local == 0)
        return std::nullopt;
      if (next.local == 1) {
        if (left == 1 && !takesSplit)
          break;
        takesSplit = left != 1;
        rest.pop_back();
        made.runs.push_back(next);
        continue;
      }
      if (left == 1 && (!takesSplit || next.atoms.empty()))
        break;
      if (next.local <= left && left % next.local == 0) {
        rest.pop_back();
        made.runs.push_back(next);
        left /= next.local;
        takesSplit = false;
        continue;
      }
      auto parts = cut(next, left, atoms);
      if (!parts)
        return std::nullopt;
      rest.back() = parts->second;
      made.runs.push_back(parts->first);
      left = 1;
      break;
    }
    result.push_back(normalized(made, atoms));
  }
  // Parts of 1 at the very end belong to the last dimension.
  while (!rest.empty() && !result.empty()) {
    result.back().runs.push_back(rest.back());
    rest.pop_back();
  }
  if (!rest.empty())
    return std::nullopt;
  for (Dim &dim : result)
    dim = normalized(dim, atoms);
  return result;
}

/// The same dims in front and at the end, and between them others, of which
/// nothing is known that is split.
static Lie mixed(const Call &call, Lie lie, const std::vector<int64_t> &shape) {
  size_t front = 0, back = 0, rank = lie.dims.size();
  auto isSame = [&](size_t from, size_t to) {
    return lie.dims[from].local() == shape[to];
  };
  size_t least = std::min(rank, shape.size());
  while (front < least && isSame(front, front))
    ++front;
  while (front + back < least &&
         isSame(rank - 1 - back, shape.size() - 1 - back))
    ++back;
  AtomSet between = 0;
  for (size_t dim = front; dim + back < rank; ++dim)
    between |= lie.dims[dim].atoms();
  lie.forget(between, call.atoms);
  Dims dims = Lie::whole(shape).dims;
  for (size_t dim = 0; dim < front; ++dim)
    dims[dim] = lie.dims[dim];
  for (size_t dim = 1; dim <= back; ++dim)
    dims[shape.size() - dim] = lie.dims[rank - dim];
  lie.dims = dims;
  return lie;
}

static std::vector<Lie> reshape(const Call &call) {
  Lie lie = call.lie(0);
  const std::vector<int64_t> *shape = call.resultShape();
  if (!shape)
    return {};
  auto dims = regroup(lie.dims, *shape, call.atoms);
  if (!dims)
    return {mixed(call, lie, *shape)};
  lie.dims = *dims;
  return {lie};
}

static std::vector<Lie> unsqueeze(const Call &call) {
  Lie lie = call.lie(0);
  size_t at = wrapped(call.integer(1).value_or(0), lie.dims.size() + 1);
  if (at > lie.dims.size())
    call.fail("has no place " + std::to_string(at));
  lie.dims.insert(lie.dims.begin() + at, Dim{});
  return {lie};
}

static std::vector<Lie> squeeze(const Call &call) {
  Lie lie = call.lie(0);
  size_t at = wrapped(call.integer(1).value_or(0), lie.dims.size());
  if (lie.dims.empty() || lie.dims[at].local() != 1)
    return {lie};
  lie.forget(lie.dims[at].atoms(), call.atoms);
  lie.dims.erase(lie.dims.begin() + at);
  return {lie};
}

/// Dims in the order that `order` gives.
static std::vector<Lie> permuted(const Call &call,
                                 const std::vector<int64_t> &order) {
  Lie lie = call.lie(0);
  std::vector<Dim> dims;
  for (int64_t dim : order)
    dims.push_back(lie.dims[wrapped(dim, lie.dims.size())]);
  lie.dims = dims;
  lie.fact = nullptr;
  return {lie};
}

static std::vector<Lie> transpose(const Call &call) {
  size_t rank = call.lie(0).dims.size();
  std::vector<int64_t> order(rank);
  for (size_t dim = 0; dim < rank; ++dim)
    order[dim] = dim;
  if (rank == 0)
    return permuted(call, order);
  std::swap(order.at(wrapped(call.integer(1).value_or(0), rank)),
            order.at(wrapped(call.integer(2).value_or(0), rank)));
  return permuted(call, order);
}

/// Dims `from` go to the places `to`; the others keep their order.
static std::vector<Lie> moveDims(const Call &call) {
  size_t rank = call.lie(0).dims.size();
  auto listOf = [&](size_t at) {
    std::vector<int64_t> list =
        call.integers(at).value_or(std::vector<int64_t>{});
    if (auto one = call.integer(at))
      list = {*one};
    for (int64_t &dim : list)
      dim = wrapped(dim, rank);
    return list;
  };
  std::vector<int64_t> from = listOf(1), to = listOf(2), order(rank, -1);
  for (size_t i = 0; i < to.size(); ++i)
    order.at(to[i]) = from.at(i);
  int64_t next = 0;
  for (int64_t &dim : order) {
    if (dim >= 0)
      continue;
    while (std::find(from.begin(), from.end(), next) != from.end())
      ++next;
    dim = next++;
  }
  return permuted(call, order);
}

static std::vector<Lie> expand(const Call &call) {
  Lie lie = call.lie(0);
  const std::vector<int64_t> *shape = call.resultShape();
  if (!shape)
    return {};
  size_t extra = shape->size() - lie.dims.size();
  std::vector<Dim> dims;
  for (size_t dim = 0; dim < shape->size(); ++dim) {
    if (dim < extra) {
      dims.push_back(Dim::constant(shape->at(dim)));
      continue;
    }
    const Dim &own = lie.dims[dim - extra];
    if (own.local() == shape->at(dim)) {
      dims.push_back(own);
      continue;
    }
    if (own.atoms())
      call.fail("repeats what is one of several parts: " +
                call.shown(call.value(0)));
    dims.push_back(Dim::constant(shape->at(dim)));
  }
  lie.dims = dims;
  lie.fact = nullptr;
  return {lie};
}

//===----------------------------------------------------------------------===//
// Parts and joins
//===----------------------------------------------------------------------===//

static std::vector<Lie> slice(const Call &call) {
  Lie lie = call.lie(0);
  size_t at = wrapped(call.integer(1).value_or(0), lie.dims.size());
  const std::vector<int64_t> *shape = call.resultShape();
  if (!shape || shape->at(at) == lie.dims[at].local())
    return {lie};
  lie.fact = nullptr;
  Dim &dim = lie.dims[at];
  int64_t size = shape->at(at);
  if (!dim.atoms()) {
    dim = dim.uniform() && !dim.runs.empty() ? Dim::constant(size)
                                             : Dim::of(size);
    return {lie};
  }
  // What an all_gather left behind the end of a part.
  Run &run = dim.runs[0];
  if (dim.runs.size() == 1 && call.integer(2).value_or(0) == 0 &&
      partSize(run.whole, run.atoms, call.atoms) == size && run.local > size) {
    run.local = size;
    return {lie};
  }
  lie.forget(dim.atoms(), call.atoms);
  dim = Dim::of(size);
  return {lie};
}

/// The reverse: zeros around.
static std::vector<Lie> sliceBackward(const Call &call) {
  Lie lie = call.lie(0);
  const std::vector<int64_t> *shape = call.resultShape();
  if (!shape)
    return {};
  size_t at = wrapped(call.integer(2).value_or(0), lie.dims.size());
  if (shape->at(at) == lie.dims[at].local())
    return {lie};
  lie.forget(lie.dims[at].atoms(), call.atoms);
  lie.dims[at] = Dim::of(shape->at(at));
  return {lie};
}

/// Zeros behind the end: what makes parts of one size, for a collective.
static std::vector<Lie> pad(const Call &call) {
  Lie lie = call.lie(0);
  const std::vector<int64_t> *shape = call.resultShape();
  std::vector<int64_t> pads = call.integers(1).value_or(std::vector<int64_t>{});
  if (!shape)
    return {};
  const size_t first[] = {0};
  const int32_t operand[] = {call.value(0)};
  linearSum(call, operand, call.number(2) == 0.0 ? Linear::Each : Linear::None,
            first);
  for (size_t dim = 0; dim < lie.dims.size(); ++dim) {
    int64_t size = shape->at(dim);
    size_t pair = 2 * (lie.dims.size() - 1 - dim);
    if (size == lie.dims[dim].local())
      continue;
    std::vector<Run> &runs = lie.dims[dim].runs;
    if (runs.empty())
      runs = {Run{}};
    if (runs.size() == 1 && !runs[0].uniform && pads.at(pair) == 0) {
      Run &run = runs[0];
      Padding added = call.number(2) == 0.0 ? Padding::Zero
                      : call.number(2) == double(kIgnoredTarget)
                          ? Padding::Ignored
                          : Padding::Unknown;
      bool isMore = isPadded(run, call.atoms) || run.filled;
      run.padding = isMore && run.padding != added ? Padding::Unknown : added;
      if (run.atoms.empty() && !isPadded(run, call.atoms)) {
        run.filled = run.filled ? run.filled : run.local;
        run.whole = size;
      }
      run.local = size;
      continue;
    }
    lie.forget(lie.dims[dim].atoms(), call.atoms);
    lie.dims[dim] = Dim::of(size);
  }
  return {lie};
}

static std::vector<Lie> join(const Call &call, bool isNew) {
  std::vector<int32_t> parts = call.list(0);
  Lie result;
  result.zero = true;
  for (int32_t part : parts) {
    const Lie &lie = call.lieOf(part);
    result.unknown |= lie.unknown;
    result.root |= lie.root;
    result.zero = result.zero && lie.zero;
  }
  // Norms of parts: of one kind only.
  if (result.root) {
    for (int32_t part : parts)
      if (call.lieOf(part).root != result.root || call.lieOf(part).sum)
        call.fail("joins " + call.shown(part) + " and norms of parts over " +
                  call.atoms.text(result.root));
  } else {
    result.sum = linearSum(call, parts, Linear::Joint);
  }
  size_t rank = call.lieOf(parts.at(0)).dims.size();
  size_t at = wrapped(call.integer(1).value_or(0), rank + (isNew ? 1 : 0));
  for (size_t dim = 0; dim < rank; ++dim) {
    std::vector<Dim> here;
    for (int32_t part : parts) {
      Lie lie = call.lieOf(part);
      lie.forget(result.unknown, call.atoms);
      here.push_back(lie.dims[dim]);
    }
    if (!isNew && dim == at) {
      int64_t size = 0;
      for (const Dim &own : here) {
        if (own.atoms() && parts.size() > 1)
          call.fail("joins parts of a dimension that is split over " +
                    call.atoms.text(own.atoms()) + ": gather it first");
        size += own.local();
      }
      result.dims.push_back(parts.size() == 1 ? here[0] : Dim::of(size));
      continue;
    }
    result.dims.push_back(
        unifyAll(call, here, "dimension " + std::to_string(dim)));
  }
  if (isNew && at > rank)
    call.fail("has no place " + std::to_string(at));
  if (isNew)
    result.dims.insert(result.dims.begin() + at, Dim::of(parts.size()));
  checkDisjoint(call, result);
  return {result};
}

static std::vector<Lie> select(const Call &call) {
  Lie lie = call.lie(0);
  size_t at = wrapped(call.integer(1).value_or(0), lie.dims.size());
  lie.forget(lie.dims[at].atoms(), call.atoms);
  lie.dims.erase(lie.dims.begin() + at);
  lie.fact = nullptr;
  return {lie};
}

/// Nothing but numbers among the arguments: the same on all ranks.
static std::vector<Lie> constant(const Call &call, size_t value) {
  const std::vector<int64_t> *shape = call.resultShape();
  if (!shape)
    return {};
  Lie lie;
  for (int64_t size : *shape)
    lie.dims.push_back(Dim::constant(size));
  lie.zero = call.number(value) == 0.0;
  return {lie};
}

void addShapeRules(RuleTable &table) {
  for (std::string_view op :
       {"aten::view", "aten::reshape", "aten::_unsafe_view",
        "aten::flatten.using_ints", "aten::unflatten.int", "aten::ravel",
        "aten::reshape_as", "aten::view_as", "aten::squeeze",
        "aten::squeeze.dims"})
    table[op] = reshape;
  table["aten::unsqueeze"] = unsqueeze;
  table["aten::squeeze.dim"] = squeeze;
  for (std::string_view op :
       {"aten::transpose.int", "aten::swapaxes", "aten::swapdims"})
    table[op] = transpose;
  for (std::string_view op :
       {"aten::movedim.int", "aten::moveaxis.int", "aten::movedim.intlist",
        "aten::moveaxis.intlist"})
    table[op] = moveDims;
  for (std::string_view op : {"aten::mT", "aten::numpy_T"})
    table[op] = [op](const Call &call) {
      int64_t rank = call.lie(0).dims.size();
      std::vector<int64_t> order(rank);
      for (int64_t dim = 0; dim < rank; ++dim)
        order[dim] = op == "aten::mT" ? dim : rank - 1 - dim;
      if (op == "aten::mT" && rank > 1)
        std::swap(order[rank - 1], order[rank - 2]);
      return permuted(call, order);
    };
  table["aten::t"] = [](const Call &call) {
    return call.lie(0).dims.size() < 2 ? std::vector<Lie>{call.lie(0)}
                                       : permuted(call, {1, 0});
  };
  table["aten::permute"] = [](const Call &call) {
    return permuted(call, call.integers(1).value_or(std::vector<int64_t>{}));
  };
  for (std::string_view op :
       {"aten::expand", "aten::broadcast_to", "aten::expand_as"})
    table[op] = expand;
  table["aten::slice.Tensor"] = slice;
  table["aten::slice_backward"] = sliceBackward;
  table["aten::constant_pad_nd"] = pad;
  table["aten::concat"] = [](const Call &call) { return join(call, false); };
  table["aten::cat"] = [](const Call &call) { return join(call, false); };
  table["aten::stack"] = [](const Call &call) { return join(call, true); };
  table["aten::select.int"] = select;
  table["aten::copy"] = [](const Call &call) {
    return std::vector<Lie>{call.lie(1)};
  };
  table["aten::full"] = [](const Call &call) { return constant(call, 1); };
  table["aten::fill.Scalar"] = [](const Call &call) {
    return constant(call, 1);
  };
  for (std::string_view op :
       {"aten::zeros", "aten::zeros_like", "aten::new_zeros", "aten::zero"})
    table[op] = [](const Call &call) {
      std::vector<Lie> made = constant(call, 0);
      if (!made.empty())
        made[0].zero = true;
      return made;
    };
  for (std::string_view op :
       {"aten::ones", "aten::ones_like", "aten::new_ones", "aten::new_full",
        "aten::full_like", "aten::empty.memory_format", "aten::empty_like",
        "aten::new_empty"})
    table[op] = [](const Call &call) { return constant(call, 99); };
}

} // namespace nxdt::spmd
