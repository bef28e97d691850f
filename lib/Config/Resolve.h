//===- Resolve.h - replaces interpolations by what they stand for  -*- C++
//-*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_LIB_CONFIG_RESOLVE_H
#define NXDT_LIB_CONFIG_RESOLVE_H

#include "Interpolation.h"
#include "nxdt/Config/Node.h"

#include <set>
#include <stdexcept>

namespace nxdt::config {

/// Why one interpolation cannot be resolved (without its location).
struct ResolveError : std::runtime_error {
  ResolveError(const std::string &what, bool notAContainer = false)
      : std::runtime_error(what), notAContainer(notAContainer) {}
  /// The path runs through a scalar; `oc.select` takes that for "absent".
  bool notAContainer;
};

/// Evaluates the interpolations of one tree.
class Resolver {
public:
  explicit Resolver(NodePtr root) : root(std::move(root)) {}

  /// A copy of the tree without interpolations. Values that cannot be resolved
  /// become null and one entry of `errors` each, "file:line:col: key = value:
  /// why".
  NodePtr resolveAll();

  /// OmegaConf.select: the value under a dotted key from the root with
  /// interpolations followed, or nullptr.
  NodePtr select(const std::string &key);

  std::vector<std::string> errors;
  std::vector<std::string> notices;

private:
  NodePtr root;
  /// Interpolated nodes whose value is being computed: meeting one again is a
  /// cycle.
  std::set<const Node *> inProgress;
  /// Interpolated nodes whose target is being copied.
  std::set<const Node *> beingCopied;
  /// Values made by resolvers, alive as long as something may point at them.
  std::vector<NodePtr> made;
  size_t produced = 0;
  size_t steps = 0;
  int depth = 0;
  int evaluationDepth = 0;

  NodePtr materialize(const NodePtr &node, const std::string &key);
  NodePtr materializeTarget(const Node &node, const std::string &key);
  NodePtr dereference(const NodePtr &node);
  NodePtr dereferenceRaw(const Node &node);
  NodePtr evaluateText(const std::vector<Piece> &pieces, const Node &at);
  NodePtr evaluate(const Interpolation &interpolation, const Node &at);
  NodePtr evaluateElement(const Element &element, const Node &at);
  NodePtr selectFrom(Node *start, const std::string &key, bool throwOnMissing);
  NodePtr selectOne(const Node &container, const std::string &key);
  std::pair<Node *, std::string> rootOfKey(const std::string &key,
                                           const Node &at);
  NodePtr nodeByKey(const std::string &key, const Node &at);
  NodePtr callResolver(const std::string &name,
                       const std::vector<NodePtr> &args, const Node &at);
  NodePtr makeValue(Scalar scalar, const Node &at);
  std::string nearest(const std::string &key) const;
};

/// The dotted key of a node within its tree ("a.b[0]"), by identity.
std::string fullKey(const Node &node);

} // namespace nxdt::config

#endif // NXDT_LIB_CONFIG_RESOLVE_H
