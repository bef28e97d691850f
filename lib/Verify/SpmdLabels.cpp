//===- SpmdLabels.cpp - operators told as in an einsum ----------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Operators whose dims are those of their operands, in another order or less of
// them: each dim has a letter; one that the result lacks is summed, and `.` is
// a dim that is needed whole.
//
//===----------------------------------------------------------------------===//
#include "SpmdRules.h"

#include <algorithm>

namespace nxdt::spmd {

namespace {
struct Labels {
  std::vector<int32_t> operands;
  std::vector<std::string> dims;
  std::string result;
  Linear linear = Linear::None;
  std::vector<size_t> linearIn = {};
};
} // namespace

static constexpr char kWhole = '.';

/// Letters from `first` on, for dims of one operand.
static std::string letters(size_t rank, char first = 'A') {
  std::string text;
  for (size_t dim = 0; dim < rank; ++dim)
    text += char(first + dim);
  return text;
}

/// Zero if what is zero there makes the result so: of a product or a copy one
/// operand, of a sum all.
static Padding paddingAt(const Call &call, const Labels &labels, char letter) {
  bool isAny = false, isAll = true;
  for (size_t i : labels.linearIn) {
    size_t at = labels.dims[i].find(letter);
    bool isZero = at != std::string::npos &&
                  fillOf(call.lieOf(labels.operands[i]).dims[at], call.atoms) ==
                      Padding::Zero;
    isAny = isAny || isZero;
    isAll = isAll && isZero;
  }
  bool isZero = labels.linear == Linear::Each    ? isAny
                : labels.linear == Linear::Joint ? isAll
                                                 : false;
  return isZero ? Padding::Zero : Padding::Unknown;
}

static Lie labelled(const Call &call, const Labels &labels) {
  Lie result;
  result.sum = linearSum(call, labels.operands, labels.linear, labels.linearIn);
  for (size_t i = 0; i < labels.operands.size(); ++i) {
    const Lie &lie = call.lieOf(labels.operands[i]);
    if (lie.dims.size() != labels.dims[i].size())
      call.fail("has another number of dimensions than its operator: " +
                call.shown(labels.operands[i]));
    result.unknown |= lie.unknown;
    for (size_t dim = 0; dim < lie.dims.size(); ++dim)
      if (labels.dims[i][dim] == kWhole)
        result.unknown |= lie.dims[dim].atoms();
  }
  if (AtomSet both = result.unknown & result.sum)
    call.fail("needs all of what is split over " + call.atoms.text(both));
  auto at = [&](char letter) {
    std::vector<Dim> here;
    for (size_t i = 0; i < labels.operands.size(); ++i) {
      Lie lie = call.lieOf(labels.operands[i]);
      lie.forget(result.unknown, call.atoms);
      for (size_t dim = 0; dim < lie.dims.size(); ++dim)
        if (labels.dims[i][dim] == letter &&
            (lie.dims[dim].local() != 1 || lie.dims[dim].atoms()))
          here.push_back(lie.dims[dim]);
    }
    return here.empty() ? Dim{}
                        : unifyAll(call, here, std::string("index ") + letter);
  };
  const std::vector<int64_t> *shape = call.resultShape();
  for (size_t dim = 0; dim < labels.result.size(); ++dim) {
    char letter = labels.result[dim];
    if (letter == kWhole) {
      result.dims.push_back(shape ? Dim::of(shape->at(dim)) : Dim{});
      continue;
    }
    result.dims.push_back(at(letter));
    setPadding(result.dims.back(), paddingAt(call, labels, letter));
  }
  std::string seen = labels.result + kWhole;
  for (size_t i = 0; i < labels.operands.size(); ++i)
    for (size_t dim = 0; dim < labels.dims[i].size(); ++dim) {
      char letter = labels.dims[i][dim];
      if (labels.result.find(letter) == std::string::npos && letter != kWhole)
        checkZeroPadding(call, labels.operands[i],
                         call.lieOf(labels.operands[i]).dims[dim]);
      if (seen.find(letter) != std::string::npos)
        continue;
      seen += letter;
      AtomSet summed = at(letter).atoms();
      if (result.sum & summed)
        call.fail("sums over " + call.atoms.text(summed) +
                  " what is a term of a sum over it already");
      result.sum |= summed;
    }
  checkDisjoint(call, result);
  return result;
}

//===----------------------------------------------------------------------===//
// Products with vectors
//===----------------------------------------------------------------------===//

std::vector<Lie> vectorProduct(const Call &call, bool swapped) {
  size_t a = call.lie(0).dims.size(), b = call.lie(1).dims.size();
  std::string left = letters(a), right = letters(b), result;
  if (a == 1) {
    // The vector meets the last dim of linear's weight, else the last but one.
    left = "k";
    right[swapped || b == 1 ? b - 1 : b - 2] = 'k';
    result = right;
  } else {
    right = "k";
    left.back() = 'k';
    result = left;
  }
  std::erase(result, 'k');
  return {labelled(call, {{call.value(0), call.value(1)},
                          {left, right},
                          result,
                          Linear::Each,
                          {0, 1}})};
}

static std::vector<Lie> outer(const Call &call) {
  return {labelled(call, {{call.value(0), call.value(1)},
                          {"A", "B"},
                          "AB",
                          Linear::Each,
                          {0, 1}})};
}

/// added + matrix x vector.
static std::vector<Lie> addedVectorProduct(const Call &call) {
  Lie result = labelled(
      call,
      {{call.value(1), call.value(2)}, {"AB", "B"}, "A", Linear::Each, {0, 1}});
  const Lie &added = call.lie(0);
  if (added.sum != result.sum && !added.zero)
    call.fail("adds " + call.shown(call.value(0)) +
              " to a product that is a term of a sum over " +
              call.atoms.text(result.sum));
  const Dim both[] = {result.dims[0],
                      added.dims.empty() ? result.dims[0] : added.dims[0]};
  result.dims[0] = unifyAll(call, both, "what is added");
  result.forget(added.unknown, call.atoms);
  return {result};
}

//===----------------------------------------------------------------------===//
// Diagonals, and parts that are put back
//===----------------------------------------------------------------------===//

/// The letters of a tensor whose dims `first` and `second` are needed whole,
/// and of its diagonals, which come last.
static std::pair<std::string, std::string>
diagonalLetters(const Call &call, size_t rank, size_t dimsAt) {
  std::string whole = letters(rank), kept;
  for (size_t i = 0; i < 2; ++i) {
    int64_t standard = i;
    whole.at(wrapped(call.integer(dimsAt + i).value_or(standard), rank)) =
        kWhole;
  }
  for (char letter : whole)
    if (letter != kWhole)
      kept += letter;
  return {whole, kept + kWhole};
}

static size_t resultRank(const Call &call) {
  const std::vector<int64_t> *shape = call.resultShape();
  return shape ? shape->size() : 0;
}

static std::vector<Lie> diagonal(const Call &call) {
  auto [whole, kept] = diagonalLetters(call, call.lie(0).dims.size(), 2);
  return {labelled(call, {{call.value(0)}, {whole}, kept, Linear::Each, {0}})};
}

static std::vector<Lie> diagonalBackward(const Call &call) {
  if (!call.resultShape())
    return {};
  auto [whole, kept] = diagonalLetters(call, resultRank(call), 3);
  return {labelled(call, {{call.value(0)}, {kept}, whole, Linear::Each, {0}})};
}

static std::vector<Lie> diagonalScatter(const Call &call) {
  auto [whole, kept] = diagonalLetters(call, call.lie(0).dims.size(), 3);
  return {labelled(call, {{call.value(0), call.value(1)},
                          {whole, kept},
                          whole,
                          Linear::Joint,
                          {0, 1}})};
}

static std::vector<Lie> selectScatter(const Call &call) {
  std::string whole = letters(call.lie(0).dims.size()), part = whole;
  size_t dim = wrapped(call.integer(2).value_or(0), whole.size());
  whole.at(dim) = kWhole;
  part.erase(dim, 1);
  return {labelled(call, {{call.value(0), call.value(1)},
                          {whole, part},
                          whole,
                          Linear::Joint,
                          {0, 1}})};
}

/// Windows, the elements of each in the last dim.
static std::vector<Lie> unfoldBackward(const Call &call) {
  std::string whole = letters(resultRank(call));
  if (whole.empty())
    return {};
  whole.at(wrapped(call.integer(2).value_or(0), whole.size())) = kWhole;
  return {labelled(
      call, {{call.value(0)}, {whole + kWhole}, whole, Linear::Each, {0}})};
}

/// The gradient of a maximum, median, ... along a dim, put where it was found.
static std::vector<Lie> selectingBackward(const Call &call) {
  std::string whole = letters(resultRank(call));
  if (whole.empty())
    return {labelled(call, {{call.value(0)}, {""}, "", Linear::Each, {0}})};
  size_t dim = wrapped(call.integer(1).value_or(0), whole.size());
  whole.at(dim) = kWhole;
  std::string part = whole;
  if (call.lie(0).dims.size() < whole.size())
    part.erase(dim, 1);
  return {labelled(call, {{call.value(0), call.value(2)},
                          {part, part},
                          whole,
                          Linear::Each,
                          {0}})};
}

//===----------------------------------------------------------------------===//
// Indices
//===----------------------------------------------------------------------===//

/// Elements at indices of one dim. Of the others there may be less.
static std::vector<Lie> gather(const Call &call) {
  const Lie &x = call.lie(0), &indices = call.lie(2);
  std::string kept = letters(indices.dims.size()), from = kept;
  if (from.empty())
    return {labelled(call, {{call.value(0), call.value(2)},
                            {from, kept},
                            kept,
                            Linear::Each,
                            {0}})};
  size_t along = wrapped(call.integer(1).value_or(0), from.size());
  for (size_t dim = 0; dim < from.size(); ++dim)
    if (dim == along || x.dims[dim].local() != indices.dims[dim].local())
      from[dim] = kWhole;
  return {labelled(
      call,
      {{call.value(0), call.value(2)}, {from, kept}, kept, Linear::Each, {0}})};
}

static std::vector<Lie> indexSelect(const Call &call) {
  std::string from = letters(call.lie(0).dims.size()), kept = from;
  if (from.empty())
    return {call.lie(0)};
  size_t along = wrapped(call.integer(1).value_or(0), from.size());
  from.at(along) = kWhole;
  kept.at(along) = 'k';
  std::string index = call.lie(2).dims.empty() ? "" : "k";
  return {labelled(call, {{call.value(0), call.value(2)},
                          {from, index},
                          kept,
                          Linear::Each,
                          {0}})};
}

namespace {
/// x[i, :, j]: where dims of indices and of x go.
struct Advanced {
  std::vector<int32_t> indices;
  std::vector<std::string> indexDims;
  std::string from, result;
};
} // namespace

/// Nothing for masks, whose result has a size of its own.
static std::optional<Advanced> advanced(const Call &call) {
  Advanced found;
  found.from = letters(call.lie(0).dims.size());
  std::vector<int32_t> places = call.placesOf(1);
  size_t rank = 0, first = 99, last = 0, count = 0;
  for (size_t dim = 0; dim < places.size(); ++dim) {
    if (places[dim] < 0)
      continue;
    if (call.dtypeOf(places[dim]) == plan::DType::Bool ||
        call.dtypeOf(places[dim]) == plan::DType::U8)
      return std::nullopt;
    found.from.at(dim) = kWhole;
    found.indices.push_back(places[dim]);
    rank = std::max(rank, call.lieOf(places[dim]).dims.size());
    first = std::min(first, dim);
    last = dim;
    ++count;
  }
  if (!count)
    return std::nullopt;
  std::string index = letters(rank, 'a');
  for (int32_t value : found.indices)
    found.indexDims.push_back(
        index.substr(rank - call.lieOf(value).dims.size()));
  // Indices that stand together leave their dims there, others in front.
  bool isTogether = last - first + 1 == count;
  for (size_t dim = 0; dim < found.from.size(); ++dim) {
    if (isTogether && dim == first)
      found.result += index;
    if (found.from[dim] != kWhole)
      found.result += found.from[dim];
  }
  if (!isTogether)
    found.result = index + found.result;
  return found;
}

static std::vector<Lie> indexTensor(const Call &call) {
  std::optional<Advanced> found = advanced(call);
  if (!found)
    return inferUnknown(call, call.results());
  Labels labels{
      {call.value(0)}, {found->from}, found->result, Linear::Each, {0}};
  for (size_t i = 0; i < found->indices.size(); ++i) {
    labels.operands.push_back(found->indices[i]);
    labels.dims.push_back(found->indexDims[i]);
  }
  return {labelled(call, labels)};
}

/// Values at indices: what is written to is needed whole, and so are indices.
static std::vector<Lie> indexPut(const Call &call) {
  std::optional<Advanced> found = advanced(call);
  if (!found)
    return inferUnknown(call, call.results());
  auto whole = [](std::string text) {
    std::replace_if(
        text.begin(), text.end(), [](char c) { return std::islower(c); },
        kWhole);
    return text;
  };
  size_t rank = call.lie(2).dims.size();
  if (rank > found->result.size())
    return inferUnknown(call, call.results());
  std::string values = whole(found->result.substr(found->result.size() - rank));
  Labels labels{{call.value(0), call.value(2)},
                {found->from, values},
                found->from,
                Linear::Joint,
                {0, 1}};
  for (size_t i = 0; i < found->indices.size(); ++i) {
    labels.operands.push_back(found->indices[i]);
    labels.dims.push_back(whole(found->indexDims[i]));
  }
  return {labelled(call, labels)};
}

/// Of a loss that is a sum or a mean (by the whole's weight, an operand), or
/// one for each row.
static std::vector<Lie> negativeLogLikelihoodBackward(const Call &call) {
  Labels labels{{call.value(0), call.value(1), call.value(2)},
                {call.lie(0).dims.empty() ? "" : "A", "A.", "A"},
                "A.",
                Linear::Each,
                {0}};
  constexpr int64_t kMean = 1;
  if (call.hasTensor(3)) {
    labels.operands.push_back(call.value(3));
    labels.dims.push_back(".");
  }
  if (call.integer(4) == kMean && call.hasTensor(6)) {
    labels.operands.push_back(call.value(6));
    labels.dims.push_back("");
  }
  Lie result = labelled(call, labels);
  if (fillOf(call.lie(2).dims[0], call.atoms) == Padding::Ignored)
    setPadding(result.dims[0], Padding::Zero);
  return {result};
}

void addLabelRules(RuleTable &table) {
  for (std::string_view op : {"aten::mv", "aten::dot", "aten::vdot"})
    table[op] = [](const Call &call) { return vectorProduct(call, false); };
  table["aten::outer"] = outer;
  table["aten::addmv"] = addedVectorProduct;
  table["aten::diagonal"] = diagonal;
  table["aten::diagonal_backward"] = diagonalBackward;
  table["aten::diagonal_scatter"] = diagonalScatter;
  table["aten::select_scatter"] = selectScatter;
  table["aten::unfold_backward"] = unfoldBackward;
  table["aten::value_selecting_reduction_backward"] = selectingBackward;
  table["aten::gather"] = gather;
  table["aten::index_select"] = indexSelect;
  table["aten::index.Tensor"] = indexTensor;
  table["aten::index_put"] = indexPut;
  table["aten::nll_loss_backward"] = negativeLogLikelihoodBackward;
}

} // namespace nxdt::spmd
