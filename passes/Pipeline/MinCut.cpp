//===- MinCut.cpp - where work is cut so that little is sent --------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Dinic's maximum flow; what the source still reaches afterwards is before the
// border. The graph has only those nodes that may lie on either side: few.
//
//===----------------------------------------------------------------------===//
#include "MinCut.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/DenseMap.h"

#include <algorithm>
#include <deque>
#include <limits>

using namespace nxdt;

namespace {
constexpr int64_t kInfinite = std::numeric_limits<int64_t>::max() / 4;
constexpr unsigned kSource = 0, kSink = 1;

class FlowGraph {
public:
  FlowGraph() : first(2) {}

  unsigned addNode() {
    first.emplace_back();
    return first.size() - 1;
  }
  void addEdge(unsigned from, unsigned to, int64_t capacity) {
    first[from].push_back(edges.size());
    edges.push_back({to, capacity});
    first[to].push_back(edges.size());
    edges.push_back({from, 0});
  }
  /// Which nodes the source reaches when no more flows.
  std::vector<bool> sourceSide() {
    while (findLevels()) {
      next.assign(first.size(), 0);
      while (push(kSource, kInfinite))
        ;
    }
    std::vector<bool> side(first.size());
    for (unsigned node = 0; node < first.size(); ++node)
      side[node] = levels[node] >= 0;
    return side;
  }

private:
  struct Edge {
    unsigned to;
    int64_t capacity;
  };

  bool findLevels() {
    levels.assign(first.size(), -1);
    levels[kSource] = 0;
    std::deque<unsigned> open = {kSource};
    while (!open.empty()) {
      unsigned node = open.front();
      open.pop_front();
      for (unsigned edge : first[node])
        if (edges[edge].capacity > 0 && levels[edges[edge].to] < 0) {
          levels[edges[edge].to] = levels[node] + 1;
          open.push_back(edges[edge].to);
        }
    }
    return levels[kSink] >= 0;
  }

  /// Pushes flow along one way to the sink.
  int64_t push(unsigned node, int64_t limit) {
    if (node == kSink)
      return limit;
    for (unsigned &i = next[node]; i < first[node].size(); ++i) {
      Edge &edge = edges[first[node][i]];
      if (edge.capacity <= 0 || levels[edge.to] != levels[node] + 1)
        continue;
      if (int64_t flow = push(edge.to, std::min(limit, edge.capacity))) {
        edge.capacity -= flow;
        edges[first[node][i] ^ 1].capacity += flow;
        return flow;
      }
    }
    return 0;
  }

  std::vector<llvm::SmallVector<unsigned, 4>> first;
  std::vector<Edge> edges;
  std::vector<int> levels;
  std::vector<unsigned> next;
};

/// One border, behind the place `border`.
class Border {
public:
  Border(CutProblem &problem, unsigned border)
      : problem(problem), border(border) {}

  void cut(llvm::ArrayRef<llvm::SmallVector<unsigned, 2>> valuesOf) {
    for (unsigned node = 0; node < problem.nodes.size(); ++node)
      if (isFree(node))
        numbers[node] = graph.addNode();
    if (numbers.empty())
      return;
    std::vector<bool> seen(problem.values.size());
    for (unsigned node = 0; node < problem.nodes.size(); ++node) {
      if (!isFree(node))
        continue;
      for (unsigned value : valuesOf[node]) {
        if (seen[value])
          continue;
        seen[value] = true;
        add(problem.values[value]);
      }
    }
    std::vector<bool> before = graph.sourceSide();
    for (auto [node, number] : numbers) {
      if (before[number])
        problem.nodes[node].high = border;
      else
        problem.nodes[node].low = border + 1;
    }
  }

private:
  bool isFree(unsigned node) const {
    return problem.nodes[node].low <= border &&
           problem.nodes[node].high > border;
  }
  unsigned numberOf(unsigned node) const {
    auto it = numbers.find(node);
    if (it != numbers.end())
      return it->second;
    return problem.nodes[node].high <= border ? kSource : kSink;
  }

  void add(const CutProblem::Value &value) {
    unsigned producer = numberOf(value.producer);
    if (producer == kSink)
      return;
    unsigned sent = graph.addNode();
    graph.addEdge(producer, sent, value.bytes);
    for (unsigned user : value.users) {
      unsigned number = numberOf(user);
      if (number == kSource)
        continue;
      graph.addEdge(sent, number, kInfinite);
      // Nobody uses what is made behind it.
      if (number != kSink && producer != kSource)
        graph.addEdge(number, producer, kInfinite);
    }
  }

  CutProblem &problem;
  unsigned border;
  FlowGraph graph;
  /// Free nodes only, in order: deterministic.
  llvm::DenseMap<unsigned, unsigned> numbers;
};
} // namespace

bool nxdt::narrow(CutProblem &problem, unsigned &failed) {
  // Values in the order of their producers: `low` settles in one go.
  std::vector<llvm::SmallVector<unsigned, 2>> made(problem.nodes.size());
  for (unsigned i = 0; i < problem.values.size(); ++i)
    made[problem.values[i].producer].push_back(i);
  auto eachUse = [&](unsigned node, auto &&visit) {
    for (unsigned value : made[node])
      for (unsigned user : problem.values[value].users)
        visit(problem.nodes[user]);
  };
  for (unsigned node = 0; node < problem.nodes.size(); ++node)
    eachUse(node, [&](CutProblem::Node &user) {
      user.low = std::max(user.low, problem.nodes[node].low);
    });
  for (unsigned node = problem.nodes.size(); node-- > 0;)
    eachUse(node, [&](CutProblem::Node &user) {
      problem.nodes[node].high = std::min(problem.nodes[node].high, user.high);
    });
  for (unsigned node = 0; node < problem.nodes.size(); ++node)
    if (problem.nodes[node].low > problem.nodes[node].high) {
      failed = node;
      return false;
    }
  return true;
}

std::vector<unsigned> nxdt::placeNodes(CutProblem problem) {
  std::vector<llvm::SmallVector<unsigned, 2>> valuesOf(problem.nodes.size());
  for (unsigned i = 0; i < problem.values.size(); ++i) {
    valuesOf[problem.values[i].producer].push_back(i);
    for (unsigned user : problem.values[i].users)
      valuesOf[user].push_back(i);
  }
  for (unsigned border = 0; border + 1 < problem.places; ++border)
    Border(problem, border).cut(valuesOf);
  std::vector<unsigned> places;
  for (const CutProblem::Node &node : problem.nodes)
    places.push_back(node.low);
  return places;
}
