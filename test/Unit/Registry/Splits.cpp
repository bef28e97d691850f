//===- Splits.cpp - calls in parts, as a sharding rule says ---------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Splits.h"

#include "Oracle.h"

#include "ATen/core/Formatting.h"
#include "ATen/ops/equal.h"
#include "ATen/ops/isfinite.h"
#include "ATen/ops/maximum.h"
#include "ATen/ops/zeros.h"

#include <map>
#include <random>
#include <set>
#include <sstream>

namespace nxdt::test {

//===----------------------------------------------------------------------===//
// Which splits there are
//===----------------------------------------------------------------------===//

static std::vector<Rule::Dims> tensorsOf(const Rule &rule) {
  std::vector<Rule::Dims> tensors = rule.operands;
  tensors.insert(tensors.end(), rule.results.begin(), rule.results.end());
  return tensors;
}

bool isLegal(const Rule &rule, const Parts &parts) {
  for (size_t f = 0; f < parts.size(); ++f)
    if (rule.factors[f].kind == Rule::Whole && parts[f] != 1)
      return false;
  for (const Rule::Dims &dims : tensorsOf(rule))
    for (const std::vector<unsigned> &dim : dims) {
      bool mayBeSplit = true;
      for (unsigned f : dim) {
        if (parts[f] != 1 && !mayBeSplit)
          return false;
        mayBeSplit &= parts[f] == rule.factors[f].size;
      }
    }
  return true;
}

std::optional<Parts> withSplit(const Rule &rule, Parts parts, unsigned factor,
                               int64_t count) {
  if (rule.factors[factor].kind == Rule::Whole)
    return std::nullopt;
  parts[factor] = count;
  for (const Rule::Dims &dims : tensorsOf(rule))
    for (const std::vector<unsigned> &dim : dims) {
      auto at = std::find(dim.begin(), dim.end(), factor);
      if (at == dim.end())
        continue;
      for (auto before = dim.begin(); before != at; ++before) {
        int64_t size = rule.factors[*before].size;
        if (parts[*before] == size)
          continue;
        auto next = withSplit(rule, parts, *before, size);
        if (!next)
          return std::nullopt;
        parts = *next;
      }
    }
  return parts;
}

std::vector<Parts> splitsOf(const Rule &rule) {
  std::set<Parts> splits;
  Parts none(rule.factors.size(), 1);
  auto add = [&](std::optional<Parts> parts) {
    if (parts && isLegal(rule, *parts))
      splits.insert(*parts);
  };
  for (unsigned f = 0; f < rule.factors.size(); ++f) {
    if (!rule.factors[f].canBeSplit())
      continue;
    int64_t size = rule.factors[f].size;
    for (int64_t count : {int64_t(2), int64_t(4), size})
      if (size % count == 0)
        add(withSplit(rule, none, f, count));
    for (unsigned g = 0; g < f; ++g) {
      if (!rule.factors[g].canBeSplit())
        continue;
      auto smallest = [&](unsigned h) {
        return rule.factors[h].size % 2 ? rule.factors[h].size : 2;
      };
      if (auto first = withSplit(rule, none, g, smallest(g)))
        if ((*first)[f] == 1)
          add(withSplit(rule, *first, f, smallest(f)));
    }
  }
  return {splits.begin(), splits.end()};
}

std::string mistakesOf(const Rule &rule,
                       const std::vector<std::vector<int64_t>> &operands,
                       const std::vector<std::vector<int64_t>> &results) {
  std::ostringstream text;
  auto check = [&](const char *what, const std::vector<Rule::Dims> &factors,
                   const std::vector<std::vector<int64_t>> &shapes) {
    if (factors.size() != shapes.size())
      text << "the rule is of " << factors.size() << " " << what << "s, not "
           << shapes.size() << "\n";
    for (size_t t = 0; t < std::min(factors.size(), shapes.size()); ++t) {
      if (factors[t].size() != shapes[t].size()) {
        text << what << " " << t << " has not " << factors[t].size()
             << " dims\n";
        continue;
      }
      for (size_t d = 0; d < shapes[t].size(); ++d) {
        int64_t size = 1;
        for (unsigned f : factors[t][d])
          size *= rule.factors.at(f).size;
        // A broadcast dim has none.
        if (size != shapes[t][d])
          text << "factors of dim " << d << " of " << what << " " << t
               << " make " << size << ", not " << shapes[t][d] << "\n";
      }
    }
  };
  check("operand", rule.operands, operands);
  check("result", rule.results, results);
  return text.str();
}

//===----------------------------------------------------------------------===//
// Cutting and putting together
//===----------------------------------------------------------------------===//

/// A part's coordinates, by factor.
using Coordinates = std::vector<int64_t>;

static std::vector<Coordinates> coordinatesOf(const Parts &parts) {
  std::vector<Coordinates> all = {{}};
  for (int64_t count : parts) {
    std::vector<Coordinates> longer;
    for (const Coordinates &prefix : all)
      for (int64_t c = 0; c < count; ++c) {
        longer.push_back(prefix);
        longer.back().push_back(c);
      }
    all = std::move(longer);
  }
  return all;
}

/// Which of a dim's parts: its factors' coordinates, major to minor.
static int64_t partOf(const std::vector<unsigned> &dim, const Parts &parts,
                      const Coordinates &at) {
  int64_t part = 0;
  for (unsigned f : dim)
    part = part * parts[f] + at[f];
  return part;
}

std::vector<int64_t> localShape(const Rule::Dims &dims,
                                std::vector<int64_t> shape,
                                const Parts &parts) {
  for (size_t d = 0; d < shape.size(); ++d)
    for (unsigned f : dims[d])
      shape[d] /= parts[f];
  return shape;
}

static at::Tensor cut(at::Tensor tensor, const Rule::Dims &dims,
                      const Parts &parts, const Coordinates &at) {
  std::vector<int64_t> shape = localShape(dims, tensor.sizes().vec(), parts);
  for (size_t d = 0; d < dims.size(); ++d)
    tensor = tensor.narrow(d, partOf(dims[d], parts, at) * shape[d], shape[d]);
  return tensor;
}

double toleranceOf(const at::Tensor &result) {
  switch (result.scalar_type()) {
  case at::kDouble:
    return 1e-10;
  case at::kFloat:
    return 1e-5;
  case at::kBFloat16:
    return 4e-2;
  case at::kHalf:
    return 5e-3;
  default:
    return 0;
  }
}

static bool has(const Rule::Dims &dims, unsigned factor) {
  for (const std::vector<unsigned> &dim : dims)
    if (std::find(dim.begin(), dim.end(), factor) != dim.end())
      return true;
  return false;
}

/// What the user of a rule does around a part of a look-up by index.
static std::vector<at::Tensor> runPart(const Rule &rule, const Parts &parts,
                                       const Coordinates &at,
                                       std::vector<at::Tensor> locals,
                                       const LocalRun &run) {
  unsigned f = rule.indexedFactor;
  if (rule.indexedFactor < 0 || parts[f] == 1)
    return run(locals);
  int64_t size = rule.factors[f].size / parts[f];
  at::Tensor &indices = locals[rule.indexOperand];
  indices = indices.sub(at[f] * size);
  at::Tensor outside = indices.lt(0).logical_or(indices.ge(size));
  indices = indices.masked_fill(outside, 0);
  bool isInResult = has(rule.results[0], f);
  if (isInResult)
    locals[0] = locals[0].masked_fill(outside.unsqueeze(-1), 0);
  std::vector<at::Tensor> results = run(locals);
  if (!isInResult)
    results[0] = results[0].masked_fill(outside.unsqueeze(-1), 0);
  return results;
}

namespace {
/// The parts of one result, where they lie and what they are parts of a sum of.
class Joined {
public:
  Joined(const Rule &rule, const Rule::Dims &dims, const Parts &parts)
      : rule(rule), dims(dims), parts(parts) {}

  /// False if a part that must be the same as one seen before is not.
  bool add(const Coordinates &at, const at::Tensor &part) {
    std::vector<int64_t> place, summand;
    for (const std::vector<unsigned> &dim : dims)
      place.push_back(partOf(dim, parts, at));
    for (unsigned f = 0; f < parts.size(); ++f)
      if (rule.factors[f].kind == Rule::Reduce && !has(dims, f))
        summand.push_back(at[f]);
    auto [it, isNew] = pieces[place].emplace(summand, part);
    return isNew || difference(it->second, part) <= toleranceOf(part);
  }

  at::Tensor value(const at::Tensor &like) const {
    at::Tensor whole = at::zeros(like.sizes(), like.options());
    for (const auto &[place, summands] : pieces) {
      at::Tensor total;
      for (const auto &[which, summand] : summands)
        total = !total.defined() ? summand
                : rule.isMax     ? at::maximum(total, summand)
                                 : total.add(summand);
      at::Tensor target = whole;
      for (size_t d = 0; d < place.size(); ++d)
        target = target.narrow(d, place[d] * total.size(d), total.size(d));
      target.copy_(total);
    }
    return whole;
  }

private:
  const Rule &rule;
  const Rule::Dims &dims;
  const Parts &parts;
  std::map<std::vector<int64_t>, std::map<std::vector<int64_t>, at::Tensor>>
      pieces;
};
} // namespace

std::string checkSplit(const Rule &rule, const Parts &parts,
                       const std::vector<at::Tensor> &operands,
                       const std::vector<at::Tensor> &results,
                       const LocalRun &run, bool valuesMatter) {
  std::vector<Joined> joined;
  for (const Rule::Dims &dims : rule.results)
    joined.emplace_back(rule, dims, parts);
  std::ostringstream text;
  for (const Coordinates &at : coordinatesOf(parts)) {
    std::vector<at::Tensor> locals;
    for (size_t i = 0; i < operands.size(); ++i)
      locals.push_back(
          cut(operands[i], rule.operands[i], parts, at).contiguous());
    std::vector<at::Tensor> found;
    try {
      found = runPart(rule, parts, at, locals, run);
    } catch (const std::exception &error) {
      return std::string("a part does not run: ") + error.what();
    }
    if (found.size() != results.size())
      return "a part has another number of results";
    for (size_t r = 0; r < found.size(); ++r) {
      std::vector<int64_t> expected =
          localShape(rule.results[r], results[r].sizes().vec(), parts);
      if (found[r].sizes().vec() != expected ||
          found[r].scalar_type() != results[r].scalar_type())
        return "result " + std::to_string(r) +
               " of a part has another type than the rule says";
      if (valuesMatter && !joined[r].add(at, found[r]))
        text << "result " << r << " differs between parts that share it\n";
    }
  }
  for (size_t r = 0; valuesMatter && r < results.size(); ++r) {
    at::Tensor whole = joined[r].value(results[r]);
    double distance = difference(whole, results[r]);
    if (!(distance <= toleranceOf(results[r])))
      text << "result " << r << " is off by " << distance << ": joined "
           << whole << "\nwhole " << results[r] << "\n";
  }
  return text.str();
}

//===----------------------------------------------------------------------===//
// Partial sums
//===----------------------------------------------------------------------===//

/// Three tensors of both signs that sum up to this one; only the last depends
/// on it.
static std::vector<at::Tensor> summandsOf(const at::Tensor &whole,
                                          std::mt19937_64 &generator) {
  bool isFloat = whole.is_floating_point();
  std::uniform_real_distribution<double> uniform(-1000, 1000);
  std::vector<at::Tensor> summands;
  at::Tensor rest = whole;
  for (int i = 0; i < 2; ++i) {
    at::Tensor values = at::zeros(whole.sizes(), at::kDouble);
    for (int64_t k = 0; k < values.numel(); ++k) {
      double value = uniform(generator) / (i * 9 + 1);
      values.data_ptr<double>()[k] = isFloat ? value : std::floor(value);
    }
    // By way of i64, so that u8 wraps.
    if (!isFloat)
      values = values.to(at::kLong);
    summands.push_back(values.to(whole.scalar_type()));
    rest = rest.sub(summands.back());
  }
  summands.push_back(rest);
  return summands;
}

std::string checkLinearity(const Rule &rule,
                           const std::vector<at::Tensor> &operands,
                           const std::vector<at::Tensor> &results,
                           const LocalRun &run, int &checked) {
  std::vector<std::vector<unsigned>> groups;
  for (unsigned i = 0; i < rule.linearIn.size(); ++i) {
    if (!rule.linearIn[i])
      continue;
    if (rule.linearity == Rule::Each || groups.empty())
      groups.emplace_back();
    groups.back().push_back(i);
  }
  std::ostringstream text;
  std::mt19937_64 generator(7);
  // The parts are a thousand times as large as their sum, and rounded in the
  // narrowest type around.
  double allowed = 0;
  auto widen = [&](const at::Tensor &tensor) {
    allowed = std::max(allowed, tensor.scalar_type() == at::kFloat
                                    ? 1e-3
                                    : toleranceOf(tensor));
  };
  for (unsigned i = 0; i < rule.linearIn.size(); ++i)
    if (rule.linearIn[i])
      widen(operands[i]);
  for (const at::Tensor &result : results) {
    widen(result);
    if (!at::isfinite(result).all().item<bool>())
      return "";
  }
  if (allowed > 1e-3)
    return "";
  for (const std::vector<unsigned> &group : groups) {
    std::vector<std::vector<at::Tensor>> calls(3, operands);
    for (unsigned i : group) {
      if (operands[i].scalar_type() == at::kBool)
        return "partial bools";
      std::vector<at::Tensor> summands = summandsOf(operands[i], generator);
      for (int k = 0; k < 3; ++k)
        calls[k][i] = summands[k];
    }
    std::vector<at::Tensor> totals;
    for (const std::vector<at::Tensor> &call : calls) {
      std::vector<at::Tensor> found = run(call);
      for (size_t r = 0; r < found.size(); ++r)
        if (totals.size() <= r)
          totals.push_back(found[r]);
        else
          totals[r] = totals[r].add(found[r]);
    }
    for (size_t r = 0; r < results.size(); ++r) {
      double distance = difference(totals[r], results[r]);
      if (!(distance <= allowed))
        text << "sums of operand " << group[0]
             << (group.size() > 1 ? " and others" : "")
             << " are no sums of result " << r << ": off by " << distance
             << "\n";
    }
    ++checked;
  }
  return text.str();
}

std::string toString(const Rule &rule, const Parts &parts) {
  std::ostringstream text;
  auto print = [&](const std::vector<Rule::Dims> &tensors) {
    for (const Rule::Dims &dims : tensors) {
      text << " [";
      for (const std::vector<unsigned> &dim : dims) {
        text << "(";
        for (unsigned f : dim)
          text << char('a' + f % 26);
        text << ")";
      }
      text << "]";
    }
  };
  print(rule.operands);
  text << " ->";
  print(rule.results);
  for (size_t f = 0; f < rule.factors.size(); ++f)
    text << " " << char('a' + f % 26) << "=" << rule.factors[f].size
         << (rule.factors[f].kind == Rule::Reduce  ? " reduced"
             : rule.factors[f].kind == Rule::Whole ? " whole"
                                                   : "")
         << (parts[f] != 1 ? " in " + std::to_string(parts[f]) + " parts" : "");
  return text.str();
}

} // namespace nxdt::test
