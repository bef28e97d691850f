//===- Node.cpp - a configuration value and where it stands ---------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "nxdt/Config/Node.h"
#include "Lex.h"
#include "PyFormat.h"

#include <algorithm>

namespace nxdt::config {

std::string Location::str() const {
  if (kind == Kind::None || !source)
    return {};
  if (kind == Kind::CommandLine)
    return "command line: '" + *source + "'";
  return *source + ":" + std::to_string(line) + ":" + std::to_string(column);
}

NodePtr Node::makeScalar(config::Scalar value, Location location) {
  auto node = std::make_shared<Node>();
  node->scalar = std::move(value);
  node->location = location;
  node->origin = std::move(location);
  return node;
}

NodePtr Node::makeList(Location location) {
  NodePtr node = makeScalar({}, std::move(location));
  node->kind = Kind::List;
  return node;
}

NodePtr Node::makeMap(Location location) {
  NodePtr node = makeScalar({}, std::move(location));
  node->kind = Kind::Map;
  return node;
}

bool Node::isNull() const {
  return isScalar() && std::holds_alternative<std::monostate>(scalar);
}

const std::string *Node::string() const {
  return isScalar() ? std::get_if<std::string>(&scalar) : nullptr;
}

bool Node::isInterpolation() const {
  const std::string *text = string();
  return text && !literal && text->find("${") != std::string::npos;
}

bool Node::isMissing() const {
  const std::string *text = string();
  return text && *text == "???";
}

const Entry *Node::entry(std::string_view key) const {
  for (const Entry &entry : entries) {
    const auto *text = std::get_if<std::string>(&entry.key);
    if (text && *text == key)
      return &entry;
  }
  return nullptr;
}

Node *Node::find(std::string_view key) const {
  const Entry *found = entry(key);
  return found ? found->value.get() : nullptr;
}

void Node::set(const config::Scalar &key, NodePtr value, Location keyLocation) {
  value->parent = this;
  for (Entry &entry : entries) {
    if (entry.key != key)
      continue;
    entry.value = std::move(value);
    entry.keyLocation = std::move(keyLocation);
    return;
  }
  entries.push_back({key, std::move(keyLocation), std::move(value)});
}

bool Node::erase(std::string_view key) {
  const Entry *found = entry(key);
  if (!found)
    return false;
  entries.erase(entries.begin() + (found - entries.data()));
  return true;
}

void Node::append(NodePtr value) {
  value->parent = this;
  items.push_back(std::move(value));
}

NodePtr Node::clone() const {
  auto copy = std::make_shared<Node>();
  copy->kind = kind;
  copy->scalar = scalar;
  copy->location = location;
  copy->origin = origin;
  copy->literal = literal;
  copy->items.reserve(items.size());
  for (const NodePtr &item : items)
    copy->append(item->clone());
  copy->entries.reserve(entries.size());
  for (const Entry &entry : entries) {
    NodePtr value = entry.value->clone();
    value->parent = copy.get();
    copy->entries.push_back({entry.key, entry.keyLocation, std::move(value)});
  }
  return copy;
}

size_t Node::count() const {
  size_t total = 1;
  for (const NodePtr &item : items)
    total += item->count();
  for (const Entry &entry : entries)
    total += entry.value->count();
  return total;
}

std::vector<std::string> splitKey(std::string_view key) {
  // The head runs over dots up to the first '[': "..a.b" = "", "", "a", "b".
  size_t stop = 0;
  while (stop < key.size() && key[stop] == '.')
    ++stop;
  stop = std::min(key.find_first_of(".[", stop), key.size());
  std::vector<std::string> keys;
  size_t begin = 0;
  for (size_t i = 0; i <= stop; ++i) {
    if (i < stop && key[i] != '.')
      continue;
    keys.emplace_back(key.substr(begin, i - begin));
    begin = i + 1;
  }
  if (stop == key.size())
    return keys;
  if (key[stop] == '[' && keys.back().empty())
    keys.pop_back();
  // Then ".name" and "[name]"; other characters between them are skipped.
  for (size_t i = stop; i < key.size();) {
    if (key[i] == '.') {
      size_t end = std::min(key.find_first_of(".[", i + 1), key.size());
      keys.emplace_back(key.substr(i + 1, end - i - 1));
      i = end;
    } else if (key[i] == '[') {
      size_t end = key.find(']', i + 1);
      if (end == std::string_view::npos)
        break;
      keys.emplace_back(key.substr(i + 1, end - i - 1));
      i = end + 1;
    } else {
      ++i;
    }
  }
  return keys;
}

namespace {

constexpr size_t kShownCharacters = 120;

std::string shorten(const std::string &text) {
  return lex::clip(text, kShownCharacters);
}

std::string showWhole(const Scalar &scalar) {
  if (std::holds_alternative<std::monostate>(scalar))
    return "null";
  if (const auto *value = std::get_if<bool>(&scalar))
    return *value ? "True" : "False";
  return pyRepr(scalar);
}

std::string showWhole(const Node &node, size_t budget) {
  if (node.isScalar())
    return showWhole(node.scalar);
  bool map = node.isMap();
  std::string text = map ? "{" : "[";
  size_t total = map ? node.entries.size() : node.items.size();
  for (size_t i = 0; i < total && text.size() <= budget; ++i) {
    if (i)
      text += ", ";
    size_t left = budget - std::min(budget, text.size());
    if (map)
      text += pyStr(node.entries[i].key) + ": " +
              showWhole(*node.entries[i].value, left);
    else
      text += showWhole(*node.items[i], left);
  }
  return text + (map ? "}" : "]");
}

} // namespace

std::string show(const Scalar &scalar) { return shorten(showWhole(scalar)); }

std::string show(const Node &node) {
  return shorten(showWhole(node, kShownCharacters));
}

} // namespace nxdt::config
