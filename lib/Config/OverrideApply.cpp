//===- OverrideApply.cpp - overrides change the tree ----------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The tree of a configuration is a struct: a plain override may change what
// the file has, new keys need '+' or '++'.
//
//===----------------------------------------------------------------------===//
#include "Nearest.h"
#include "Override.h"
#include "PyFormat.h"
#include "Resolve.h"
#include "nxdt/Support/UserError.h"

#include <cmath>

namespace nxdt::config {
namespace {

/// Python's ==: 1 == 1.0 == True, containers by value.
bool pyEqual(const Node &a, const Node &b) {
  if (a.isScalar() && b.isScalar()) {
    auto number = [](const Scalar &scalar, double &value) {
      if (const auto *flag = std::get_if<bool>(&scalar))
        value = *flag;
      else if (const auto *whole = std::get_if<int64_t>(&scalar))
        value = static_cast<double>(*whole);
      else if (const auto *real = std::get_if<double>(&scalar))
        value = *real;
      else
        return false;
      return true;
    };
    double x = 0, y = 0;
    if (number(a.scalar, x) && number(b.scalar, y))
      return x == y;
    return a.scalar == b.scalar;
  }
  if (a.kind != b.kind || a.items.size() != b.items.size() ||
      a.entries.size() != b.entries.size())
    return false;
  for (size_t i = 0; i < a.items.size(); ++i)
    if (!pyEqual(*a.items[i], *b.items[i]))
      return false;
  for (const Entry &entry : a.entries) {
    const Node *other = nullptr;
    for (const Entry &candidate : b.entries)
      if (candidate.key == entry.key)
        other = candidate.value.get();
    if (!other || !pyEqual(*entry.value, *other))
      return false;
  }
  return true;
}

class Applier {
public:
  Applier(const NodePtr &root, const Override &change)
      : root(root), change(change) {}

  void apply() {
    if (change.kind == Override::Kind::Delete)
      return remove();
    force = change.kind != Override::Kind::Change;
    if (change.kind == Override::Kind::Add) {
      NodePtr there = find(change.key);
      if (there && !there->isNull() && !change.value->isContainer())
        fail("'" + change.key + "' is " + show(*there) +
             " already; change it without the '+'");
    }
    update();
  }

private:
  NodePtr root;
  const Override &change;
  bool force = false;

  [[noreturn]] void fail(const std::string &what) const {
    throw UserError(change.location.str() + ": " + what);
  }

  [[noreturn]] void absent(const std::string &key) const {
    std::vector<std::string> known;
    collect(*root, "", known);
    std::string best = nearestKey(key, known);
    fail("the configuration has no '" + key + "'" +
         (best.empty() ? "" : ", did you mean '" + best + "'?") +
         " (a new key is added with '+" + key + "=...')");
  }

  static void collect(const Node &node, const std::string &prefix,
                      std::vector<std::string> &known) {
    for (const Entry &entry : node.entries) {
      known.push_back(prefix + pyStr(entry.key));
      collect(*entry.value, known.back() + ".", known);
    }
  }

  NodePtr find(const std::string &key) const {
    try {
      return Resolver(root).select(key);
    } catch (const ResolveError &error) {
      fail("'" + key + "': " + error.what());
    }
  }

  /// The child of a container, or nullptr.
  Node *child(Node &container, const std::string &key, size_t &index) const {
    if (container.isMap())
      return container.find(key);
    if (key.empty() || key.size() > 9 ||
        key.find_first_not_of("0123456789") != std::string::npos)
      fail("'" + key + "' is no index of a list");
    index = std::stoul(key);
    return index < container.items.size() ? container.items[index].get()
                                          : nullptr;
  }

  /// Puts a value under a key of a map or list that exists or may be added.
  void put(Node &container, const std::string &key, NodePtr value,
           const std::string &whole) const {
    size_t index = 0;
    Node *there = child(container, key, index);
    if (container.isMap()) {
      if (!there && !force)
        absent(whole);
      const Entry *entry = container.entry(key);
      container.set(key, std::move(value),
                    entry ? entry->keyLocation : change.location);
      return;
    }
    if (!there)
      fail("'" + whole + "': the list has " +
           std::to_string(container.items.size()) + " elements");
    value->parent = &container;
    container.items[index] = std::move(value);
  }

  void update() {
    std::vector<std::string> keys = splitKey(change.key);
    Node *current = root.get();
    std::string whole;
    for (size_t i = 0; i + 1 < keys.size(); ++i) {
      whole += (i ? "." : "") + keys[i];
      size_t index = 0;
      Node *next = child(*current, keys[i], index);
      if (!next || !next->isContainer()) {
        // As OmegaConf: a single value gives way to a section.
        if (next && !force)
          fail("'" + whole + "' is " + show(*next) +
               " and has no keys of its own");
        put(*current, keys[i], Node::makeMap(change.location), whole);
        next = child(*current, keys[i], index);
      }
      current = next;
    }
    size_t index = 0;
    Node *there = child(*current, keys.back(), index);
    if (there && there->isContainer() && change.value->isContainer())
      return merge(*there, *change.value, change.key);
    if (!there && current->isMap() && !force)
      absent(change.key);
    put(*current, keys.back(), change.value->clone(), change.key);
  }

  /// A map merges key by key, a list replaces the list.
  void merge(Node &target, const Node &source, const std::string &key) const {
    if (target.kind != source.kind)
      fail("'" + key + "' is a " + (target.isMap() ? "map" : "list") +
           " and the new value is not");
    if (target.isList()) {
      NodePtr copy = source.clone();
      target.items.clear();
      for (const NodePtr &item : copy->items)
        target.append(item);
      target.location = target.origin = change.location;
      return;
    }
    for (const Entry &entry : source.entries) {
      Node *there = nullptr;
      for (const Entry &own : target.entries)
        if (own.key == entry.key)
          there = own.value.get();
      std::string whole = key + "." + pyStr(entry.key);
      if (!there && !force)
        absent(whole);
      if (there && there->kind == entry.value->kind && there->isContainer()) {
        merge(*there, *entry.value, whole);
        continue;
      }
      if (there && there->isContainer() && entry.value->isContainer())
        fail("'" + whole + "' is a " + (there->isMap() ? "map" : "list") +
             " and the new value is not");
      target.set(entry.key, entry.value->clone(), entry.keyLocation);
    }
  }

  void remove() {
    NodePtr there = find(change.key);
    if (!there || there->isNull())
      fail("nothing to delete: '" + change.key + "' is " +
           (there ? "null" : "absent"));
    if (change.value && !change.value->isNull() &&
        !pyEqual(*there, *change.value))
      fail("not deleted: '" + change.key + "' is " + show(*there) + ", not " +
           show(*change.value));
    size_t dot = change.key.rfind('.');
    if (dot == std::string::npos) {
      root->erase(change.key);
      return;
    }
    NodePtr section = find(change.key.substr(0, dot));
    if (!section || !section->isMap())
      fail("an element of a list cannot be deleted; write the whole list");
    section->erase(change.key.substr(dot + 1));
  }
};

} // namespace

void applyOverride(const NodePtr &root, const Override &change) {
  Applier(root, change).apply();
}

} // namespace nxdt::config
