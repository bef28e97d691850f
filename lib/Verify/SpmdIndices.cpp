//===- SpmdIndices.cpp - indices and masks from coordinates
//----------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Where ranks do something else on purpose, they do it by their coordinates.
// What is computed from these alone is evaluated here, for each coordinate;
// with it, masks of padding and shifted lookups are recognized, and checked.
//
//===----------------------------------------------------------------------===//
#include "SpmdRules.h"

#include <algorithm>
#include <functional>

namespace nxdt::spmd {

/// Elements of all ranks together that are worth evaluating.
static constexpr int64_t kMaxElements = 1 << 24;

//===----------------------------------------------------------------------===//
// Tables
//===----------------------------------------------------------------------===//

FactPtr coordinateFact(const AtomList &over, const Atoms &atoms) {
  if (atoms.size(over) > kMaxElements)
    return nullptr;
  auto fact = std::make_shared<IndexFact>();
  fact->over = over;
  for (int64_t i = 0; i < atoms.size(over); ++i)
    fact->table.push_back({i});
  return fact;
}

/// A table for more atoms, `over`, which contain its own.
static const std::vector<int64_t> &rowOf(const IndexFact &fact,
                                         const AtomList &over, int64_t row,
                                         const Atoms &atoms) {
  std::vector<int64_t> at(atoms.count(), 0);
  for (auto it = over.rbegin(); it != over.rend(); ++it) {
    at[*it] = row % atoms.size(*it);
    row /= atoms.size(*it);
  }
  int64_t own = 0;
  for (int atom : fact.over)
    own = own * atoms.size(atom) + at[atom];
  return fact.table[own];
}

static FactPtr combine(const Call &call, const IndexFact &a, const IndexFact &b,
                       const std::function<int64_t(int64_t, int64_t)> &f) {
  auto fact = std::make_shared<IndexFact>();
  fact->over = a.over;
  for (int atom : b.over)
    if (std::find(a.over.begin(), a.over.end(), atom) == a.over.end())
      fact->over.push_back(atom);
  int64_t rows = call.atoms.size(fact->over);
  if (rows > kMaxElements)
    return nullptr;
  for (int64_t row = 0; row < rows; ++row) {
    const auto &x = rowOf(a, fact->over, row, call.atoms);
    const auto &y = rowOf(b, fact->over, row, call.atoms);
    if (x.size() != y.size() && x.size() != 1 && y.size() != 1)
      return nullptr;
    size_t size = std::max(x.size(), y.size());
    if (int64_t(size) * rows > kMaxElements)
      return nullptr;
    std::vector<int64_t> made(size);
    for (size_t i = 0; i < size; ++i)
      made[i] = f(x[x.size() == 1 ? 0 : i], y[y.size() == 1 ? 0 : i]);
    fact->table.push_back(made);
  }
  return fact;
}

static FactPtr constantFact(int64_t value) {
  auto fact = std::make_shared<IndexFact>();
  fact->table = {{value}};
  return fact;
}

static bool isTable(const Call &call, size_t i) {
  return call.hasTensor(i) && call.lie(i).fact &&
         call.lie(i).fact->kind == IndexFact::Table;
}

static FactPtr tableOf(const Call &call) {
  const std::string &op = call.op();
  if (op == "aten::arange") {
    std::optional<int64_t> size = call.integer(0);
    if (!size || *size < 0 || *size > kMaxElements ||
        call.resultDtype() != plan::DType::I64)
      return nullptr;
    auto fact = std::make_shared<IndexFact>();
    fact->table.emplace_back();
    for (int64_t i = 0; i < *size; ++i)
      fact->table[0].push_back(i);
    return fact;
  }
  if (!isTable(call, 0))
    return nullptr;
  FactPtr b;
  if (isTable(call, 1))
    b = call.lie(1).fact;
  else if (auto number = call.integer(1))
    b = constantFact(*number);
  else if (op == "aten::logical_not")
    b = constantFact(0);
  if (!b)
    return nullptr;
  const IndexFact &a = *call.lie(0).fact;
  using Function = std::function<int64_t(int64_t, int64_t)>;
  static const std::unordered_map<std::string_view, Function> functions = {
      {"aten::mul.Scalar", [](int64_t x, int64_t y) { return x * y; }},
      {"aten::add.Tensor", [](int64_t x, int64_t y) { return x + y; }},
      {"aten::sub.Tensor", [](int64_t x, int64_t y) { return x - y; }},
      {"aten::lt.Scalar", [](int64_t x, int64_t y) { return int64_t(x < y); }},
      {"aten::ge.Scalar", [](int64_t x, int64_t y) { return int64_t(x >= y); }},
      {"aten::logical_and",
       [](int64_t x, int64_t y) { return int64_t(x && y); }},
      {"aten::logical_or",
       [](int64_t x, int64_t y) { return int64_t(x || y); }},
      {"aten::logical_not", [](int64_t x, int64_t) { return int64_t(!x); }},
  };
  auto it = functions.find(op);
  // alpha, the third argument of add and sub.
  if (it == functions.end() ||
      (op.ends_with("b.Tensor") && call.number(2).value_or(1) != 1) ||
      (op.ends_with("d.Tensor") && call.number(2).value_or(1) != 1))
    return nullptr;
  return combine(call, a, *b, it->second);
}

//===----------------------------------------------------------------------===//
// What tables mean
//===----------------------------------------------------------------------===//

int64_t wholeOf(const IndexFact &fact) {
  int64_t left = 0;
  for (const std::vector<int64_t> &row : fact.table)
    left += std::count(row.begin(), row.end(), 0);
  return left;
}

namespace {
/// One rank's part of a dimension.
struct Part {
  int64_t start = 0, valid = 0;
};
} // namespace

static Part partOf(const Run &run, int64_t rank, const Atoms &atoms) {
  std::vector<int64_t> parts = atoms.sizes(run.atoms);
  std::vector<int64_t> at(parts.size());
  for (size_t i = parts.size(); i > 0; --i) {
    at[i - 1] = rank % parts[i - 1];
    rank /= parts[i - 1];
  }
  Part part{0, run.whole};
  int64_t size = run.whole;
  for (size_t i = 0; i < parts.size(); ++i) {
    size = (size + parts[i] - 1) / parts[i];
    part.start += at[i] * size;
    part.valid = std::clamp<int64_t>(part.valid - at[i] * size, 0, size);
  }
  return part;
}

bool isPaddingMask(const IndexFact &fact, const Run &run, const Atoms &atoms) {
  // 22 rows for each of tp, and 6 of these for each of dp: the mask asks for dp
  // only, as all tp ranks have the same padding.
  if ((setOf(fact.over) & ~setOf(run.atoms)) || !run.whole)
    return false;
  for (int64_t rank = 0; rank < atoms.size(run.atoms); ++rank) {
    int64_t valid = partOf(run, rank, atoms).valid;
    const auto &row = rowOf(fact, run.atoms, rank, atoms);
    if (int64_t(row.size()) != run.local)
      return false;
    for (int64_t i = 0; i < run.local; ++i)
      if ((row[i] != 0) != (i >= valid))
        return false;
  }
  return true;
}

bool isStart(const IndexFact &fact, const Run &run, const Atoms &atoms) {
  if (setOf(fact.over) != setOf(run.atoms))
    return false;
  for (int64_t rank = 0; rank < atoms.size(run.atoms); ++rank) {
    const auto &row = rowOf(fact, run.atoms, rank, atoms);
    if (row.size() != 1 || row[0] != partOf(run, rank, atoms).start)
      return false;
  }
  return true;
}

//===----------------------------------------------------------------------===//
// Lookups
//===----------------------------------------------------------------------===//

static FactPtr derived(const FactPtr &from, IndexFact::Kind kind) {
  auto fact = std::make_shared<IndexFact>(*from);
  fact->kind = kind;
  return fact;
}

static bool is(const Call &call, size_t i, IndexFact::Kind kind) {
  return call.hasTensor(i) && call.lie(i).fact &&
         call.lie(i).fact->kind == kind;
}

FactPtr factOf(const Call &call) {
  if (FactPtr table = tableOf(call))
    return table;
  const std::string &op = call.op();
  if (op == "aten::sub.Tensor" && isTable(call, 1) &&
      call.lie(1).fact->table[0].size() == 1 &&
      call.number(2).value_or(1) == 1 &&
      call.dtypeOf(call.value(0)) == plan::DType::I64) {
    auto fact = std::make_shared<IndexFact>();
    fact->kind = IndexFact::Shifted;
    // Unique: the indices and their shift are.
    fact->id = (int64_t(call.value(0)) << 32) + call.value(1);
    fact->start = call.lie(1).fact;
    return fact;
  }
  if (op == "aten::lt.Scalar" && is(call, 0, IndexFact::Shifted) &&
      call.integer(1) == 0)
    return derived(call.lie(0).fact, IndexFact::Below);
  if (op == "aten::ge.Scalar" && is(call, 0, IndexFact::Shifted) &&
      call.integer(1)) {
    auto fact = std::make_shared<IndexFact>(*call.lie(0).fact);
    fact->kind = IndexFact::Above;
    fact->size = *call.integer(1);
    return fact;
  }
  if (op == "aten::logical_or" && is(call, 0, IndexFact::Below) &&
      is(call, 1, IndexFact::Above) &&
      call.lie(0).fact->id == call.lie(1).fact->id)
    return derived(call.lie(1).fact, IndexFact::Outside);
  return nullptr;
}

/// Rows of a table at indices.
static std::vector<Lie> embedding(const Call &call) {
  const int32_t operands[] = {call.value(0), call.value(1)};
  const size_t first[] = {0};
  Lie result;
  result.sum = linearSum(call, operands, Linear::Each, first);
  const Lie &weight = call.lie(0);
  Lie indices = call.lie(1);
  result.unknown = weight.unknown | indices.unknown;
  result.dims = indices.dims;
  result.dims.push_back(weight.dims[1]);
  const Dim &rows = weight.dims[0];
  if (!rows.atoms())
    return {result};
  if (!is(call, 1, IndexFact::Inside) || rows.runs.size() != 1 ||
      indices.fact->size != rows.runs[0].local ||
      !isStart(*indices.fact->start, rows.runs[0], call.atoms))
    call.fail("looks up rows of a table that is split over " +
              call.atoms.text(rows.atoms()) +
              " by indices that are not those of the rank's part");
  result.fact = derived(indices.fact, IndexFact::LookedUp);
  checkDisjoint(call, result);
  return {result};
}

/// The gradient of the table: a sum over all indices.
static std::vector<Lie> embeddingBackward(const Call &call) {
  const int32_t operands[] = {call.value(0), call.value(1)};
  const size_t first[] = {0};
  Lie grad = call.lie(0);
  const Lie &indices = call.lie(1);
  Lie result;
  result.sum = linearSum(call, operands, Linear::Each, first);
  result.unknown = grad.unknown | indices.unknown;
  grad.forget(indices.unknown, call.atoms);
  AtomSet summed = 0;
  for (size_t dim = 0; dim + 1 < grad.dims.size(); ++dim) {
    const Dim both[] = {grad.dims[dim], indices.dims[dim]};
    summed |= unifyAll(call, both, "dimension " + std::to_string(dim)).atoms();
    checkZeroPadding(call, call.value(0), grad.dims[dim]);
  }
  result.sum |= summed;
  int64_t size = call.integer(2).value_or(0);
  Dim rows = Dim::of(size);
  if (is(call, 1, IndexFact::Inside)) {
    const IndexFact &inside = *indices.fact;
    bool isMasked = is(call, 0, IndexFact::Masked) &&
                    call.lie(0).fact->id == inside.id && inside.size == size;
    AtomSet over = setOf(inside.start->over);
    // The padding of the last part is in no index, so any whole will do that
    // begins its parts there.
    AtomList order = inside.start->over;
    std::sort(order.begin(), order.end());
    // What no index names has a gradient of zero.
    Run run{size * call.atoms.size(order), size, order, false, Padding::Zero};
    if (isMasked && isStart(*inside.start, run, call.atoms)) {
      result.unknown &= ~over;
      run.whole = 0;
      rows = {{run}};
    }
  }
  result.dims = {rows, grad.dims.back()};
  checkDisjoint(call, result);
  return {result};
}

void addIndexRules(RuleTable &table) {
  table["aten::embedding"] = embedding;
  table["aten::embedding_dense_backward"] = embeddingBackward;
  for (std::string_view op : {"aten::arange", "aten::arange.start_step"})
    table[op] = [](const Call &call) {
      const std::vector<int64_t> *shape = call.resultShape();
      return shape ? std::vector<Lie>{Lie::whole(*shape)} : std::vector<Lie>{};
    };
}

} // namespace nxdt::spmd
