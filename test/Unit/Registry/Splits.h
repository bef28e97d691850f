//===- Splits.h - calls in parts, as a sharding rule says -------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_TEST_REGISTRY_SPLITS_H
#define NXDT_TEST_REGISTRY_SPLITS_H

#include "Rules.h"

#include "ATen/core/Tensor.h"

#include <functional>

namespace nxdt::test {

/// Into how many parts each factor is split.
using Parts = std::vector<int64_t>;

/// Parts are contiguous: a factor is split only if those in front of it, in
/// every dim that has it, are split fully.
bool isLegal(const Rule &rule, const Parts &parts);
/// Splits a factor, and fully what stands in front of it; nullopt if something
/// there must not be split.
std::optional<Parts> withSplit(const Rule &rule, Parts parts, unsigned factor,
                               int64_t count);
/// Each factor into 2, 4 and as many parts as it has elements, where that
/// divides, and each two factors.
std::vector<Parts> splitsOf(const Rule &rule);

/// What is wrong with the rule itself: the sizes of factors do not make up
/// dims, or a dim that is no factor's is larger than 1. Empty if nothing is.
std::string mistakesOf(const Rule &rule,
                       const std::vector<std::vector<int64_t>> &operands,
                       const std::vector<std::vector<int64_t>> &results);

std::vector<int64_t> localShape(const Rule::Dims &dims,
                                std::vector<int64_t> shape, const Parts &parts);

/// One part of a call.
using LocalRun =
    std::function<std::vector<at::Tensor>(const std::vector<at::Tensor> &)>;

/// Runs every part on its cut of the operands, puts the results together and
/// compares with those of the whole call. Empty if they agree.
std::string checkSplit(const Rule &rule, const Parts &parts,
                       const std::vector<at::Tensor> &operands,
                       const std::vector<at::Tensor> &results,
                       const LocalRun &run, bool valuesMatter = true);

/// Replaces the operands that may be partial by three parts of very different
/// values: the sum of the results must be the result. Each = one at a time.
/// Empty if they agree; counts what was checked, which leaves out types too
/// narrow to tell.
std::string checkLinearity(const Rule &rule,
                           const std::vector<at::Tensor> &operands,
                           const std::vector<at::Tensor> &results,
                           const LocalRun &run, int &checked);

/// How far a sum of parts may lie from the whole: exact types are compared
/// exactly.
double toleranceOf(const at::Tensor &result);

std::string toString(const Rule &rule, const Parts &parts);

} // namespace nxdt::test

#endif // NXDT_TEST_REGISTRY_SPLITS_H
