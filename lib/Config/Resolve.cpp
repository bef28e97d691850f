//===- Resolve.cpp - replaces interpolations by what they stand for -------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Resolve.h"
#include "Nearest.h"
#include "PyFormat.h"

#include <algorithm>

namespace nxdt::config {
namespace {

/// Chains of references and nested values; far beyond any configuration.
constexpr int kMaxDepth = 200;
constexpr size_t kMaxNodes = 200000;
/// References followed and resolvers called, all in all: two references each
/// to the next of a long chain would double the work at every link.
constexpr size_t kMaxSteps = 200000;
constexpr int kMaxEvaluationDepth = 500;
constexpr size_t kMaxErrors = 100;
constexpr size_t kMaxTextBytes = 1 << 20;

std::string keyText(const Node &parent, const Node &child) {
  for (size_t i = 0; i < parent.items.size(); ++i)
    if (parent.items[i].get() == &child)
      return "[" + std::to_string(i) + "]";
  for (const Entry &entry : parent.entries)
    if (entry.value.get() == &child)
      return pyStr(entry.key);
  return "?";
}

std::string childKey(const std::string &parent, const std::string &child) {
  if (parent.empty() || child.starts_with('['))
    return parent + child;
  return parent + "." + child;
}

/// Python's int() of an index: digits with an optional sign.
bool parseIndex(const std::string &key, int64_t &index) {
  size_t begin = key.starts_with('-') || key.starts_with('+') ? 1 : 0;
  if (begin == key.size() || key.size() > 18)
    return false;
  for (size_t i = begin; i < key.size(); ++i)
    if (key[i] < '0' || key[i] > '9')
      return false;
  index = std::stoll(key);
  return true;
}

} // namespace

std::string fullKey(const Node &node) {
  if (!node.parent)
    return {};
  return childKey(fullKey(*node.parent), keyText(*node.parent, node));
}

NodePtr Resolver::makeValue(Scalar scalar, const Node &at) {
  NodePtr node = Node::makeScalar(std::move(scalar), at.location);
  node->literal = true;
  return node;
}

NodePtr Resolver::resolveAll() { return materialize(root, ""); }

NodePtr Resolver::materialize(const NodePtr &node, const std::string &key) {
  // The tree will not be used: no more work for it.
  if (errors.size() >= kMaxErrors)
    return Node::makeScalar({}, node->location);
  try {
    if (!node->isInterpolation())
      return materializeTarget(*node, key);
    NodePtr target = dereference(node);
    // Not `inProgress`: within its target a value may well be looked through.
    if (!beingCopied.insert(node.get()).second)
      throw ResolveError("a cycle: it contains itself");
    struct Done {
      std::set<const Node *> &set;
      const Node *node;
      ~Done() { set.erase(node); }
    } done{beingCopied, node.get()};
    NodePtr copy = materializeTarget(*target, key);
    copy->location = node->location;
    return copy;
  } catch (const ResolveError &error) {
    if (errors.size() < kMaxErrors)
      errors.push_back(node->location.str() + ": " + key + " = " + show(*node) +
                       ": " + error.what());
    return Node::makeScalar({}, node->location);
  }
}

NodePtr Resolver::materializeTarget(const Node &node, const std::string &key) {
  struct Depth {
    int &depth;
    explicit Depth(int &depth) : depth(depth) { ++depth; }
    ~Depth() { --depth; }
  } guard(depth);
  if (depth > kMaxDepth)
    throw ResolveError("a cycle of interpolations, or values nested deeper "
                       "than " +
                       std::to_string(kMaxDepth) + " levels");
  if (++produced > kMaxNodes)
    throw ResolveError("interpolations make more than " +
                       std::to_string(kMaxNodes) + " values");
  if (node.literal)
    return node.clone();
  NodePtr copy = Node::makeScalar(node.scalar, node.location);
  copy->origin = node.origin;
  copy->kind = node.kind;
  for (size_t i = 0; i < node.items.size(); ++i)
    copy->append(
        materialize(node.items[i], key + "[" + std::to_string(i) + "]"));
  for (const Entry &entry : node.entries)
    copy->set(entry.key,
              materialize(entry.value, childKey(key, pyStr(entry.key))),
              entry.keyLocation);
  return copy;
}

NodePtr Resolver::dereference(const NodePtr &node) {
  if (!node->isInterpolation())
    return node;
  return dereferenceRaw(*node);
}

NodePtr Resolver::dereferenceRaw(const Node &node) {
  if (!inProgress.insert(&node).second)
    throw ResolveError("a cycle: it leads back to " + fullKey(node));
  struct Done {
    std::set<const Node *> &set;
    const Node *node;
    ~Done() { set.erase(node); }
  } done{inProgress, &node};
  if (inProgress.size() > static_cast<size_t>(kMaxDepth))
    throw ResolveError("a chain of more than " + std::to_string(kMaxDepth) +
                       " interpolations");
  try {
    return evaluateText(parseInterpolatedText(*node.string()), node);
  } catch (const SyntaxError &error) {
    throw ResolveError(error.what());
  } catch (const ResolveError &error) {
    // To whoever asked for this node it is there, only broken.
    throw ResolveError(error.what());
  }
}

NodePtr Resolver::evaluateText(const std::vector<Piece> &pieces,
                               const Node &at) {
  if (pieces.size() == 1 && pieces[0].interpolation)
    return evaluate(*pieces[0].interpolation, at);
  std::string text;
  for (const Piece &piece : pieces) {
    text += piece.interpolation ? pyStr(*evaluate(*piece.interpolation, at))
                                : piece.text;
    if (text.size() > kMaxTextBytes)
      throw ResolveError("the text becomes longer than " +
                         std::to_string(kMaxTextBytes >> 20) + " MiB");
  }
  return makeValue(std::move(text), at);
}

NodePtr Resolver::evaluate(const Interpolation &interpolation, const Node &at) {
  struct Depth {
    int &depth;
    explicit Depth(int &depth) : depth(depth) { ++depth; }
    ~Depth() { --depth; }
  } guard(evaluationDepth);
  if (evaluationDepth > kMaxEvaluationDepth || ++steps > kMaxSteps)
    throw ResolveError("too many interpolations lead from one to the next");
  std::string name;
  for (const Piece &piece : interpolation.name) {
    if (!piece.interpolation) {
      name += piece.text;
      continue;
    }
    NodePtr value = evaluate(*piece.interpolation, at);
    const std::string *text = value->string();
    if (!text)
      throw ResolveError("an interpolation inside of a name must be a string, "
                         "not " +
                         show(*value));
    name += *text;
  }
  if (!interpolation.isResolver)
    return nodeByKey(name, at);
  std::vector<NodePtr> args;
  for (const Element &element : interpolation.args)
    args.push_back(evaluateElement(element, at));
  return callResolver(name, args, at);
}

NodePtr Resolver::evaluateElement(const Element &element, const Node &at) {
  switch (element.kind) {
  case Element::Kind::Scalar:
    return makeValue(element.scalar, at);
  case Element::Kind::Text:
    return evaluateText(element.pieces, at);
  case Element::Kind::List: {
    NodePtr list = Node::makeList(at.location);
    list->literal = true;
    for (const Element &item : element.items)
      list->append(evaluateElement(item, at)->clone());
    return list;
  }
  case Element::Kind::Dict: {
    NodePtr map = Node::makeMap(at.location);
    map->literal = true;
    for (const auto &[key, value] : element.entries)
      map->set(key, evaluateElement(value, at)->clone(), at.location);
    return map;
  }
  }
  return nullptr;
}

std::pair<Node *, std::string> Resolver::rootOfKey(const std::string &key,
                                                   const Node &at) {
  if (!key.starts_with('.'))
    return {root.get(), key};
  Node *base = at.parent ? at.parent : root.get();
  size_t dots = 1;
  for (; dots < key.size() && key[dots] == '.'; ++dots) {
    base = base->parent;
    if (!base)
      throw ResolveError("'" + key + "' goes up beyond the top level");
  }
  return {base, key.substr(dots)};
}

NodePtr Resolver::nodeByKey(const std::string &key, const Node &at) {
  auto [base, rest] = rootOfKey(key, at);
  NodePtr target = selectFrom(base, rest, true);
  if (!target)
    throw ResolveError("'" + key + "' does not exist" + nearest(key));
  for (const Node *up = at.parent; up; up = up->parent)
    if (up == target.get())
      throw ResolveError("'" + key + "' is a section around this value");
  return target;
}

std::string Resolver::nearest(const std::string &key) const {
  if (key.starts_with('.'))
    return {};
  std::vector<std::string> known;
  auto visit = [&](auto &self, const Node &node,
                   const std::string &prefix) -> void {
    for (const Entry &entry : node.entries) {
      std::string name = childKey(prefix, pyStr(entry.key));
      known.push_back(name);
      self(self, *entry.value, name);
      if (known.size() > 5000)
        return;
    }
  };
  visit(visit, *root, "");
  std::string best = nearestKey(key, known);
  return best.empty() ? "" : "; did you mean '" + best + "'?";
}

NodePtr Resolver::selectOne(const Node &container, const std::string &key) {
  if (container.isMap()) {
    Node *child = container.find(key);
    return child ? child->shared_from_this() : nullptr;
  }
  int64_t index = 0;
  if (!parseIndex(key, index))
    throw ResolveError("'" + key + "' is no index of a list");
  if (index < 0 || index >= static_cast<int64_t>(container.items.size()))
    return nullptr;
  return container.items[index];
}

NodePtr Resolver::selectFrom(Node *start, const std::string &key,
                             bool throwOnMissing) {
  if (key.empty())
    return start->shared_from_this();
  std::vector<std::string> keys = splitKey(key);
  NodePtr current = start->shared_from_this();
  for (size_t i = 0; i < keys.size(); ++i) {
    current = selectOne(*current, keys[i]);
    if (!current)
      return nullptr;
    if (current->isMissing() && !current->literal) {
      if (throwOnMissing)
        throw ResolveError("'" + key +
                           "\' is mandatory (\?\?\?) and nobody has set it");
      if (i + 1 == keys.size())
        return nullptr;
    }
    current = dereference(current);
    if (!current->parent && current != root)
      made.push_back(current);
    if (i + 1 == keys.size())
      return current;
    if (!current->isContainer() || current->literal)
      throw ResolveError("'" + keys[i] + "' in '" + key +
                             "' is a single value and has no '" + keys[i + 1] +
                             "'",
                         true);
  }
  return current;
}

NodePtr Resolver::select(const std::string &key) {
  try {
    return selectFrom(root.get(), key, false);
  } catch (const ResolveError &error) {
    if (error.notAContainer)
      return nullptr;
    throw;
  }
}

} // namespace nxdt::config
