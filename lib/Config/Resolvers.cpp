//===- Resolvers.cpp - the functions that an interpolation can call -------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// \${name:args}: OmegaConf's own (oc.*) and the two that NeMo registers.
//
//===----------------------------------------------------------------------===//
#include "Nearest.h"
#include "PyFormat.h"
#include "Resolve.h"

#include <cstdlib>

namespace nxdt::config {
namespace {

constexpr size_t kMaxTextBytes = 1 << 20;

void needArgs(const std::string &name, size_t given, size_t least,
              size_t most) {
  if (given >= least && given <= most)
    return;
  std::string wanted = std::to_string(least);
  if (most != least)
    wanted += " or " + std::to_string(most);
  throw ResolveError("'" + name + "' takes " + wanted + " arguments, not " +
                     std::to_string(given));
}

const std::string &needString(const std::string &name, const Node &arg) {
  if (const std::string *text = arg.string())
    return *text;
  throw ResolveError("'" + name + "' needs a string, not " + show(arg));
}

/// Python's * and + of numbers (True is 1) and of text: 'ab' * 2, 'a' + 'b'.
Scalar arithmetic(const std::string &name, const Node &left,
                  const Node &right) {
  auto number = [&](const Node &arg) -> Scalar {
    if (arg.isScalar()) {
      if (const auto *flag = std::get_if<bool>(&arg.scalar))
        return static_cast<int64_t>(*flag);
      if (std::holds_alternative<int64_t>(arg.scalar) ||
          std::holds_alternative<double>(arg.scalar))
        return arg.scalar;
    }
    throw ResolveError("'" + name + "' needs numbers, not " + show(arg));
  };
  const std::string *text = left.string();
  if (text && name == "sum" && right.string())
    return *text + *right.string();
  if (!text && name == "multiply" && right.string())
    return arithmetic(name, right, left);
  if (text && name == "multiply" && !right.string()) {
    Scalar factor = number(right);
    const auto *times = std::get_if<int64_t>(&factor);
    if (!times)
      throw ResolveError("'multiply' repeats text a whole number of times, "
                         "not " +
                         show(right));
    if (*times > 0 && !text->empty() &&
        static_cast<size_t>(*times) > kMaxTextBytes / text->size())
      throw ResolveError("the text becomes longer than " +
                         std::to_string(kMaxTextBytes >> 20) + " MiB");
    std::string repeated;
    for (int64_t i = 0; i < *times && !text->empty(); ++i)
      repeated += *text;
    return repeated;
  }
  Scalar a = number(left);
  Scalar b = number(right);
  const auto *x = std::get_if<int64_t>(&a);
  const auto *y = std::get_if<int64_t>(&b);
  if (x && y) {
    int64_t result = 0;
    bool overflow = name == "multiply"
                        ? __builtin_mul_overflow(*x, *y, &result)
                        : __builtin_add_overflow(*x, *y, &result);
    if (overflow)
      throw ResolveError("'" + name + "' of " + std::to_string(*x) + " and " +
                         std::to_string(*y) + " does not fit into 64 bits");
    return result;
  }
  double u = x ? static_cast<double>(*x) : std::get<double>(a);
  double v = y ? static_cast<double>(*y) : std::get<double>(b);
  return name == "multiply" ? u * v : u + v;
}

} // namespace

NodePtr Resolver::callResolver(const std::string &name,
                               const std::vector<NodePtr> &args,
                               const Node &at) {
  auto find = [&](const std::string &key, bool throwOnMissing) -> NodePtr {
    auto [base, rest] = rootOfKey(key, at);
    try {
      return selectFrom(base, rest, throwOnMissing);
    } catch (const ResolveError &error) {
      if (error.notAContainer)
        return nullptr;
      throw;
    }
  };
  if (name == "multiply" || name == "sum") {
    needArgs(name, args.size(), 2, 2);
    return makeValue(arithmetic(name, *args[0], *args[1]), at);
  }
  if (name == "oc.env") {
    needArgs(name, args.size(), 1, 2);
    const std::string &key = needString(name, *args[0]);
    if (const char *value = std::getenv(key.c_str()))
      return makeValue(std::string(value), at);
    if (args.size() == 1)
      throw ResolveError("the environment variable '" + key +
                         "' is not set, and no default is given");
    if (args[1]->isNull())
      return makeValue({}, at);
    return makeValue(pyStr(*args[1]), at);
  }
  if (name == "oc.decode") {
    needArgs(name, args.size(), 1, 1);
    if (args[0]->isNull())
      return makeValue({}, at);
    try {
      return evaluateElement(parseElement(needString(name, *args[0])), at);
    } catch (const SyntaxError &error) {
      throw ResolveError(error.what());
    }
  }
  if (name == "oc.select") {
    needArgs(name, args.size(), 1, 2);
    if (NodePtr found = find(needString(name, *args[0]), false))
      return found;
    return args.size() == 2 ? args[1] : makeValue({}, at);
  }
  if (name == "oc.create") {
    needArgs(name, args.size(), 1, 1);
    if (!args[0]->isContainer())
      throw ResolveError("'oc.create' needs a list or a map, not " +
                         show(*args[0]));
    NodePtr created = args[0]->clone();
    auto open = [](auto &self, Node &node) -> void {
      node.literal = false;
      for (const NodePtr &item : node.items)
        self(self, *item);
      for (const Entry &entry : node.entries)
        self(self, *entry.value);
    };
    open(open, *created);
    created->parent = at.parent;
    made.push_back(created);
    return created;
  }
  if (name == "oc.dict.keys" || name == "oc.dict.values") {
    needArgs(name, args.size(), 1, 1);
    const std::string &key = needString(name, *args[0]);
    NodePtr map = find(key, true);
    if (!map)
      throw ResolveError("'" + key + "' does not exist" + nearest(key));
    if (!map->isMap() || map->literal)
      throw ResolveError("'" + key + "' is not a map");
    NodePtr list = Node::makeList(at.location);
    for (const Entry &entry : map->entries) {
      if (name == "oc.dict.keys") {
        list->append(Node::makeScalar(entry.key, at.location));
        continue;
      }
      // By reference: the values' own relative interpolations stay theirs.
      NodePtr value = dereference(entry.value);
      if (value->isContainer())
        throw ResolveError("'oc.dict.values' of a map that holds sections is "
                           "not supported");
      NodePtr copy = Node::makeScalar(value->scalar, at.location);
      copy->literal = true;
      list->append(copy);
    }
    list->parent = at.parent;
    made.push_back(list);
    return list;
  }
  if (name == "oc.deprecated") {
    needArgs(name, args.size(), 1, 2);
    const std::string &key = needString(name, *args[0]);
    NodePtr target = find(key, false);
    if (!target)
      throw ResolveError("'" + key + "' does not exist" + nearest(key));
    std::string old = fullKey(at);
    std::string message = "'" + old + "' is deprecated; use '" + key + "'";
    if (args.size() == 2)
      message = needString(name, *args[1]);
    auto put = [&](const std::string &word, const std::string &value) {
      for (size_t i = message.find(word); i != std::string::npos;
           i = message.find(word, i + value.size()))
        message.replace(i, word.size(), value);
    };
    put("$OLD_KEY", old);
    put("$NEW_KEY", key);
    std::string notice = at.location.str() + ": " + message;
    if (notices.empty() || notices.back() != notice)
      notices.push_back(notice);
    return target;
  }
  static const std::vector<std::string> known = {
      "multiply",     "sum",       "oc.env",       "oc.decode",
      "oc.select",    "oc.create", "oc.dict.keys", "oc.dict.values",
      "oc.deprecated"};
  std::string best = nearestKey(name, known);
  std::string all;
  for (const std::string &item : known)
    all += (all.empty() ? "" : ", ") + item;
  throw ResolveError("there is no resolver '" + name + "'" +
                     (best.empty() ? "" : ", did you mean '" + best + "'?") +
                     " (known: " + all + ")");
}

} // namespace nxdt::config
