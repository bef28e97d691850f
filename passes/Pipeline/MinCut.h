//===- MinCut.h - where work is cut so that little is sent ------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_PASSES_PIPELINE_MINCUT_H
#define NXDT_PASSES_PIPELINE_MINCUT_H

#include "llvm/ADT/SmallVector.h"

#include <cstdint>
#include <vector>

namespace nxdt {

/// Work in a row of places 0 .. places - 1, each node at one of `low` ..
/// `high`. A value that is used behind the place where it is made is sent over
/// each border between, once however many use it.
struct CutProblem {
  struct Node {
    unsigned low = 0, high = 0;
  };
  struct Value {
    unsigned producer = 0;
    int64_t bytes = 0;
    llvm::SmallVector<unsigned, 2> users; ///< nodes behind the producer
  };
  unsigned places = 1;
  std::vector<Node> nodes; ///< in an order in which they can run
  std::vector<Value> values;
};

/// Narrows `low` and `high` by what nodes need of each other. False if a node
/// has no place left, `failed` is one.
bool narrow(CutProblem &problem, unsigned &failed);

/// A place for each node of a narrowed problem: no user before its producer,
/// and over each border, from the first on, as few bytes as can be; of several
/// ways the one with least work before the border.
std::vector<unsigned> placeNodes(CutProblem problem);

} // namespace nxdt

#endif // NXDT_PASSES_PIPELINE_MINCUT_H
