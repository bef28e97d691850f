//===- ReshapeRulesTest.cpp - the factors of all small reshapes -----------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A reshape moves nothing: a rule is right if, for each of its splits and each
// part, the operand's block and the result's block hold the same elements in
// the same order.
//
//===----------------------------------------------------------------------===//
#include "Splits.h"

#include <gtest/gtest.h>

#include <map>
#include <numeric>

using namespace nxdt::test;
using nxdt::plan::DType;

namespace {

using Shape = std::vector<int64_t>;

/// All shapes of up to four dims, by number of elements.
std::map<int64_t, std::vector<Shape>> shapesBySize() {
  std::map<int64_t, std::vector<Shape>> found;
  std::vector<Shape> longest = {{}};
  for (int rank = 0; rank <= 4; ++rank) {
    std::vector<Shape> longer;
    for (const Shape &shape : longest) {
      int64_t size = std::accumulate(shape.begin(), shape.end(), int64_t(1),
                                     std::multiplies<>());
      found[size].push_back(shape);
      for (int64_t dim : {1, 2, 3, 4, 6}) {
        longer.push_back(shape);
        longer.back().push_back(dim);
      }
    }
    longest = std::move(longer);
  }
  return found;
}

/// Element numbers of one block of a tensor, whose dims lie in `counts` parts.
std::vector<int64_t> block(const Shape &shape, const Shape &counts,
                           const Shape &which) {
  std::vector<int64_t> numbers = {0};
  for (size_t d = 0; d < shape.size(); ++d) {
    int64_t size = shape[d] / counts[d];
    std::vector<int64_t> longer;
    for (int64_t number : numbers)
      for (int64_t i = 0; i < size; ++i)
        longer.push_back(number * shape[d] + which[d] * size + i);
    numbers = std::move(longer);
  }
  return numbers;
}

/// Number of parts of each dim and which of them a place in the mesh holds.
void partsOfDims(const Rule::Dims &dims, const Parts &parts, const Parts &at,
                 Shape &counts, Shape &which) {
  counts.assign(dims.size(), 1);
  which.assign(dims.size(), 0);
  for (size_t d = 0; d < dims.size(); ++d)
    for (unsigned f : dims[d]) {
      counts[d] *= parts[f];
      which[d] = which[d] * parts[f] + at[f];
    }
}

Rule ruleOfReshape(const Shape &from, const Shape &to) {
  Sample sample;
  sample.callee = "aten::reshape";
  sample.args = {nxdt::plan::ValueRef{0}, to};
  return ruleOf(sample, {{DType::F32, from}}, {{DType::F32, to}});
}

std::string text(const Shape &from, const Shape &to) {
  return toString(TensorType{DType::F32, from}) + " as " +
         toString(TensorType{DType::F32, to});
}

/// Whether every part of a split holds the same on both sides.
bool isRight(const Rule &rule, const Shape &from, const Shape &to,
             const Parts &parts) {
  Parts at(parts.size(), 0);
  while (true) {
    Shape fromCounts, fromWhich, toCounts, toWhich;
    partsOfDims(rule.operands[0], parts, at, fromCounts, fromWhich);
    partsOfDims(rule.results[0], parts, at, toCounts, toWhich);
    if (block(from, fromCounts, fromWhich) != block(to, toCounts, toWhich))
      return false;
    size_t f = 0;
    while (f < at.size() && ++at[f] == parts[f])
      at[f++] = 0;
    if (f == at.size())
      return true;
  }
}

/// Whether halves of a dim of one are halves of some dim of the other, by
/// comparing elements.
bool halvesAgree(const Shape &from, size_t dim, const Shape &to) {
  auto half = [](const Shape &shape, size_t d) {
    Shape counts(shape.size(), 1), which(shape.size(), 0);
    counts[d] = 2;
    return block(shape, counts, which);
  };
  for (size_t d = 0; d < to.size(); ++d)
    if (to[d] % 2 == 0 && half(from, dim) == half(to, d))
      return true;
  return false;
}

/// Whether a rule lets a dim of the operand be halved alone.
bool letsHalve(const Rule &rule, size_t dim) {
  for (unsigned f : rule.operands[0][dim]) {
    if (rule.factors[f].size == 1)
      continue;
    if (rule.factors[f].size % 2)
      return false;
    Parts parts(rule.factors.size(), 1);
    parts[f] = 2;
    return isLegal(rule, parts);
  }
  return false;
}

TEST(ReshapeRules, AreRightForAllSmallShapes) {
  int pairs = 0, splits = 0, compound = 0, halves = 0;
  for (const auto &[size, shapes] : shapesBySize()) {
    // Of sizes that many shapes have, every pair would take minutes: each
    // shape meets those at these distances, both ways round.
    size_t step = shapes.size() > 24 ? 1 + shapes.size() / 24 : 1;
    for (size_t i = 0; i < shapes.size(); ++i)
      for (size_t j = i % step; j < shapes.size(); j += step) {
        const Shape &from = shapes[i], &to = shapes[j];
        Rule rule = ruleOfReshape(from, to);
        ++pairs;
        ASSERT_EQ(mistakesOf(rule, {from}, {to}), "") << text(from, to);
        for (const Parts &parts : splitsOf(rule)) {
          ASSERT_TRUE(isRight(rule, from, to, parts))
              << text(from, to) << ":" << toString(rule, parts);
          ++splits;
          compound += std::count_if(parts.begin(), parts.end(),
                                    [](int64_t p) { return p != 1; }) > 1;
        }
        for (size_t d = 0; d < from.size(); ++d) {
          if (from[d] % 2)
            continue;
          bool possible = halvesAgree(from, d, to);
          ASSERT_EQ(letsHalve(rule, d), possible)
              << text(from, to) << ": dim " << d << " of"
              << toString(rule, Parts(rule.factors.size(), 1));
          halves += possible;
        }
      }
  }
  EXPECT_GT(pairs, 5000);
  EXPECT_GT(splits, 10000);
  EXPECT_GT(compound, 5000);
  EXPECT_GT(halves, 1000);
}

/// What Llama does to its heads, and what has no common part.
TEST(ReshapeRules, HaveTheFactorsOneExpects) {
  auto factors = [](const Shape &from, const Shape &to) {
    Rule rule = ruleOfReshape(from, to);
    return toString(rule, Parts(rule.factors.size(), 1));
  };
  EXPECT_EQ(factors({2, 5, 12}, {2, 5, 4, 3}),
            " [(a)(b)(cd)] -> [(a)(b)(c)(d)] a=2 b=5 c=4 d=3");
  EXPECT_EQ(factors({8, 4}, {2, 16}), " [(ab)(c)] -> [(a)(bc)] a=2 b=4 c=4");
  EXPECT_EQ(factors({4, 6, 5}, {6, 4, 5}),
            " [(ab)(d)(f)] -> [(ac)(e)(f)] a=2 b=2 whole c=3 whole d=6 whole "
            "e=4 whole f=5");
  EXPECT_EQ(factors({1, 6, 1}, {6}), " [()(a)()] -> [(a)] a=6");
  EXPECT_EQ(factors({0, 3}, {3, 0}),
            " [(a)(b)] -> [(c)(d)] a=0 whole b=3 whole c=3 whole d=0 whole");
}

} // namespace
