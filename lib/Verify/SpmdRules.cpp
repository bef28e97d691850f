//===- SpmdRules.cpp - what all rules share -------------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "SpmdRules.h"

#include <algorithm>
#include <cstdlib>

namespace nxdt::spmd {

//===----------------------------------------------------------------------===//
// Call
//===----------------------------------------------------------------------===//

bool Call::hasTensor(size_t i) const {
  if (i >= instruction.args.size())
    return false;
  auto *ref = std::get_if<plan::ValueRef>(&instruction.args[i]);
  return ref && ref->index >= 0;
}

int32_t Call::value(size_t i) const {
  if (!hasTensor(i))
    fail("argument " + std::to_string(i) + " is no tensor");
  return std::get<plan::ValueRef>(instruction.args[i]).index;
}

std::vector<int32_t> Call::placesOf(size_t i) const {
  std::vector<int32_t> values;
  if (i < instruction.args.size())
    if (auto *refs =
            std::get_if<std::vector<plan::ValueRef>>(&instruction.args[i]))
      for (plan::ValueRef ref : *refs)
        values.push_back(ref.index);
  return values;
}

std::vector<int32_t> Call::list(size_t i) const {
  std::vector<int32_t> values = placesOf(i);
  std::erase_if(values, [](int32_t value) { return value < 0; });
  return values;
}

std::vector<int32_t> Call::operands() const {
  std::vector<int32_t> values;
  for (size_t i = 0; i < instruction.args.size(); ++i) {
    if (hasTensor(i))
      values.push_back(value(i));
    for (int32_t element : list(i))
      values.push_back(element);
  }
  for (int32_t grad : instruction.gradOuts)
    if (grad >= 0)
      values.push_back(grad);
  return values;
}

std::optional<int64_t> Call::integer(size_t i) const {
  if (i >= instruction.args.size())
    return std::nullopt;
  if (auto *integer = std::get_if<int64_t>(&instruction.args[i]))
    return *integer;
  return std::nullopt;
}

std::optional<double> Call::number(size_t i) const {
  if (i >= instruction.args.size())
    return std::nullopt;
  if (auto *number = std::get_if<double>(&instruction.args[i]))
    return *number;
  if (auto *flag = std::get_if<bool>(&instruction.args[i]))
    return *flag ? 1.0 : 0.0;
  if (auto found = integer(i))
    return double(*found);
  return std::nullopt;
}

std::optional<std::vector<int64_t>> Call::integers(size_t i) const {
  if (i >= instruction.args.size())
    return std::nullopt;
  if (auto *list = std::get_if<std::vector<int64_t>>(&instruction.args[i]))
    return *list;
  return std::nullopt;
}

bool Call::flag(size_t i) const {
  if (i >= instruction.args.size())
    return false;
  auto *flag = std::get_if<bool>(&instruction.args[i]);
  return flag && *flag;
}

bool Call::rounds(size_t i) const {
  return i < instruction.args.size() &&
         std::holds_alternative<std::string>(instruction.args[i]);
}

const std::vector<int64_t> *Call::resultShape(size_t i) const {
  if (!pureName(op()).empty())
    return &program.values[hasTensor(0) ? value(0) : list(0).at(0)].shape;
  if (i >= instruction.outs.size() || instruction.outs[i] < 0)
    return nullptr;
  return &program.values[instruction.outs[i]].shape;
}

plan::DType Call::resultDtype() const {
  if (!pureName(op()).empty())
    return dtypeOf(hasTensor(0) ? value(0) : list(0).at(0));
  int32_t out = instruction.outs.empty() ? -1 : instruction.outs[0];
  return out < 0 ? plan::DType::F32 : program.values[out].dtype;
}

void Call::fail(const std::string &message) const {
  failFn(message);
  std::abort();
}

std::string Call::shown(int32_t value) const {
  std::vector<int32_t> all = operands();
  auto it = std::find(all.begin(), all.end(), value);
  return "operand " + std::to_string(it - all.begin()) + " (" +
         text(lies[value], atoms) + ")";
}

std::string pureName(std::string_view op) {
  size_t dot = op.find('.');
  std::string_view name = op.substr(0, dot);
  if (name.empty() || name.back() != '_')
    return "";
  std::string pure(name.substr(0, name.size() - 1));
  return dot == std::string_view::npos ? pure
                                       : pure + std::string(op.substr(dot));
}

//===----------------------------------------------------------------------===//
// Parts of rules
//===----------------------------------------------------------------------===//

size_t wrapped(int64_t dim, size_t rank) {
  return dim < 0 ? dim + int64_t(rank) : dim;
}

AtomSet linearSum(const Call &call, std::span<const int32_t> operands,
                  Linear linear, std::span<const size_t> linearIn) {
  AtomSet sum = 0;
  size_t partials = 0;
  auto isLinearIn = [&](size_t i) {
    bool isListed =
        std::find(linearIn.begin(), linearIn.end(), i) != linearIn.end();
    return linear == Linear::Joint ? isListed || linearIn.empty()
                                   : linear == Linear::Each && isListed;
  };
  bool toInteger = call.resultDtype() != plan::DType::F64 &&
                   call.resultDtype() != plan::DType::F32 &&
                   call.resultDtype() != plan::DType::BF16 &&
                   call.resultDtype() != plan::DType::F16;
  for (size_t i = 0; i < operands.size(); ++i) {
    const Lie &lie = call.lieOf(operands[i]);
    if (lie.max)
      call.fail("reads " + call.shown(operands[i]) +
                ": reduce the maximum first");
    if (lie.root)
      call.fail("reads " + call.shown(operands[i]) +
                ": only its square adds up to that of the whole");
    if (!lie.sum)
      continue;
    plan::DType from = call.dtypeOf(operands[i]);
    bool rounds = toInteger && from != call.resultDtype() &&
                  from != plan::DType::I64 && from != plan::DType::I32;
    if (!isLinearIn(i) || rounds)
      call.fail("is not linear in " + call.shown(operands[i]) +
                ": reduce it first");
    if (partials++ && linear == Linear::Each)
      call.fail("multiplies terms of sums: the product of sums is not the sum "
                "of products");
    if (sum && sum != lie.sum)
      call.fail("adds terms of a sum over " + call.atoms.text(sum) +
                " and of one over " + call.atoms.text(lie.sum));
    sum = lie.sum;
  }
  if (!sum)
    return 0;
  for (size_t i = 0; i < operands.size(); ++i) {
    const Lie &lie = call.lieOf(operands[i]);
    if (linear == Linear::Joint && isLinearIn(i) && !lie.sum && !lie.zero)
      call.fail("adds " + call.shown(operands[i]) +
                " to a term of a sum over " + call.atoms.text(sum) +
                ": it would count once for each rank; reduce the sum first");
    if (!lie.sum && (lie.differs() & sum))
      call.fail("multiplies a term of a sum over " + call.atoms.text(sum) +
                " by " + call.shown(operands[i]) +
                ", which differs between the same ranks");
  }
  return sum;
}

Dim unifyAll(const Call &call, std::span<const Dim> dims,
             const std::string &what) {
  Dim result = dims[0];
  for (const Dim &dim : dims.subspan(1)) {
    std::optional<Dim> both = unify(result, dim, call.atoms);
    if (!both)
      call.fail(what + " lies in two ways: " + text(result, call.atoms) +
                ", and " + text(dim, call.atoms));
    result = *both;
  }
  return result;
}

void checkDisjoint(const Call &call, const Lie &lie) {
  AtomSet seen = lie.unknown;
  auto check = [&](AtomSet set) {
    if (seen & set)
      call.fail("would give each rank a diagonal block: " +
                call.atoms.text(seen & set) + " splits its operands twice");
    seen |= set;
  };
  for (const Dim &dim : lie.dims)
    check(dim.atoms());
  check(lie.sum);
}

Lie opaque(const Call &call, size_t result, AtomSet atoms) {
  const std::vector<int64_t> *shape = call.resultShape(result);
  Lie lie = Lie::whole(shape ? *shape : std::vector<int64_t>{});
  lie.unknown = atoms;
  return lie;
}

/// Broadcasting along a dimension of 1 that is split: it was the major part of
/// the next one ([16] as [1, 16] or as [2 over tp, 8] look the same on a rank).
static void moveRight(std::vector<Dim> &dims, size_t from, const Atoms &atoms) {
  if (from + 1 >= dims.size())
    return;
  Dim &next = dims[from + 1];
  next.runs.insert(next.runs.begin(), dims[from].runs.begin(),
                   dims[from].runs.end());
  dims[from] = {};
  next = normalized(next, atoms);
}

void checkZeroPadding(const Call &call, int32_t value, const Dim &dim) {
  if (paddingOf(dim, call.atoms) != Padding::Zero)
    call.fail("sums what lies in the padding of " + call.shown(value) +
              ": mask it first");
}

/// Padding of the result in the place `dim` from the end.
static Padding resultPadding(const Call &call,
                             std::span<const int32_t> operands, size_t fromEnd,
                             ZeroIf zeroIf) {
  bool any = false, all = true, first = false;
  for (size_t i = 0; i < operands.size(); ++i) {
    const Lie &lie = call.lieOf(operands[i]);
    bool isZero = lie.zero;
    if (fromEnd < lie.dims.size()) {
      const Dim &dim = lie.dims[lie.dims.size() - 1 - fromEnd];
      // What is broadcast is not zero in the padding of another.
      isZero = isZero || (!dim.runs.empty() && !dim.uniform() &&
                          fillOf(dim, call.atoms) == Padding::Zero);
    }
    any = any || isZero;
    all = all && isZero;
    first = first || (i == 0 && isZero);
  }
  bool isZero = (zeroIf == ZeroIf::Any && any) ||
                (zeroIf == ZeroIf::All && all) ||
                (zeroIf == ZeroIf::First && first);
  return isZero ? Padding::Zero : Padding::Unknown;
}

Lie pointwise(const Call &call, std::span<const int32_t> operands,
              Linear linear, std::span<const size_t> linearIn, ZeroIf zeroIf) {
  Lie result;
  result.sum = linearSum(call, operands, linear, linearIn);
  size_t rank = 0;
  for (int32_t value : operands) {
    result.unknown |= call.lieOf(value).unknown;
    rank = std::max(rank, call.lieOf(value).dims.size());
  }
  std::vector<int64_t> sizes(rank, 1);
  std::vector<std::vector<Dim>> all;
  for (int32_t value : operands) {
    Lie lie = call.lieOf(value);
    lie.forget(result.unknown, call.atoms);
    size_t extra = rank - lie.dims.size();
    for (size_t dim = 0; dim < lie.dims.size(); ++dim)
      sizes[dim + extra] = std::max(sizes[dim + extra], lie.dims[dim].local());
    all.push_back(lie.dims);
  }
  result.dims.resize(rank);
  for (std::vector<Dim> &dims : all) {
    size_t extra = rank - dims.size();
    for (size_t dim = 0; dim < dims.size(); ++dim)
      if (dims[dim].local() == 1 && sizes[dim + extra] != 1 &&
          dims[dim].atoms())
        moveRight(dims, dim, call.atoms);
  }
  for (size_t dim = 0; dim < rank; ++dim) {
    std::vector<Dim> here;
    for (const std::vector<Dim> &dims : all) {
      size_t extra = rank - dims.size();
      if (dim < extra)
        continue;
      const Dim &own = dims[dim - extra];
      if (own.local() == 1 && !own.atoms())
        continue;
      here.push_back(own);
    }
    if (here.empty())
      continue;
    result.dims[dim] = unifyAll(call, here, "dimension " + std::to_string(dim));
    setPadding(result.dims[dim],
               resultPadding(call, operands, rank - 1 - dim, zeroIf));
  }
  checkDisjoint(call, result);
  return result;
}

//===----------------------------------------------------------------------===//
// Any operator
//===----------------------------------------------------------------------===//

static const RuleTable &table() {
  static const RuleTable rules = [] {
    RuleTable made;
    addPointwiseRules(made);
    addShapeRules(made);
    addReductionRules(made);
    addProductRules(made);
    addIndexRules(made);
    addDimRules(made);
    addLabelRules(made);
    return made;
  }();
  return rules;
}

std::vector<Lie> inferUnknown(const Call &call, size_t results) {
  AtomSet differs = 0;
  for (int32_t value : call.operands()) {
    const Lie &lie = call.lieOf(value);
    if (lie.sum | lie.max | lie.root)
      call.fail("reads " + call.shown(value) +
                ", and is not known to be linear: reduce it first");
    differs |= lie.differs();
  }
  std::vector<Lie> lies;
  for (size_t i = 0; i < results; ++i)
    lies.push_back(opaque(call, i, differs));
  return lies;
}

std::vector<Lie> inferCall(const Call &call) {
  std::string pure = pureName(call.op());
  auto it = table().find(pure.empty() ? std::string_view(call.op())
                                      : std::string_view(pure));
  std::vector<Lie> lies =
      it == table().end() ? inferUnknown(call, 8) : it->second(call);
  if (!lies.empty() && !lies[0].fact)
    lies[0].fact = factOf(call);
  return lies;
}

} // namespace nxdt::spmd
